//! One thread that starts every child process.
//!
//! The kernel's parent-death signal fires when the *thread* that started the child ends, not the
//! process. Tests and installers start children from short-lived threads, so all starts go through this
//! one, which lives as long as the process. It must never wait for a child.

use std::io;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

type Job = (Command, Sender<io::Result<Child>>);

/// Starts the command on the thread that never ends.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    static JOBS: OnceLock<Sender<Job>> = OnceLock::new();
    let jobs = JOBS.get_or_init(|| {
        let (jobs, inbox) = channel::<Job>();
        // Should the thread not start, the send below fails and says so.
        let _ = std::thread::Builder::new().name("stack-spawner".into()).spawn(move || {
            for (mut command, reply) in inbox {
                let _ = reply.send(command.spawn());
            }
        });
        jobs
    });
    let (reply, answer) = channel();
    let gone = || io::Error::other("the thread that starts processes is gone");
    jobs.send((command, reply)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}
