//! One supervised program: started, waited for, frozen, killed, started again.
//!
//! It must never signal a process by name or by a bare pid: [`Identity`] pairs the pid with the start
//! time, so a pid that the kernel gave to somebody else is left alone.

mod identity;
mod launch;
mod ready;

pub use identity::Identity;
pub use launch::{Launch, Lifetime};
pub use ready::Ready;

use crate::error::{Doing, Error, Result};
use crate::spawner;
use rustix::process::Signal;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

/// How long a killed process may take to leave the process table.
const GONE_DEADLINE: Duration = Duration::from_secs(10);
/// Pause between two looks at a process or a readiness probe.
const POLL: Duration = Duration::from_millis(20);

/// A program that runs, or ran and can be started again.
#[derive(Debug)]
pub struct Daemon {
    launch: Launch,
    identity: Option<Identity>,
    /// Present when this process is the parent: only the parent can reap.
    child: Option<Child>,
}

impl Daemon {
    /// Starts the program and waits until it is ready.
    ///
    /// # Errors
    /// It does not start, ends, or misses its deadline; the error carries the end of its log.
    pub fn start(launch: Launch) -> Result<Self> {
        let mut daemon = Self::spawn(launch)?;
        daemon.wait_ready()?;
        Ok(daemon)
    }

    /// Starts the program and returns at once; follow with [`Daemon::wait_ready`].
    ///
    /// # Errors
    /// The program or its log cannot be opened.
    pub fn spawn(launch: Launch) -> Result<Self> {
        let mut daemon = Self { launch, identity: None, child: None };
        daemon.begin()?;
        Ok(daemon)
    }

    /// Takes over a program that another process started, running or not.
    pub fn attach(launch: Launch, identity: Option<Identity>) -> Self {
        Self { launch, identity, child: None }
    }

    /// A second handle on the same process that only watches: dropping it ends nothing.
    pub fn watcher(&self) -> Self {
        Self::attach(self.launch.clone(), self.identity)
    }

    fn begin(&mut self) -> Result<()> {
        let command = self.launch.command()?;
        let child = spawner::spawn(command).doing(|| format!("start {}", self.launch.name))?;
        self.identity = Identity::of(child.id());
        self.child = Some(child);
        Ok(())
    }

    /// Waits until the program answers as its [`Ready`] says.
    ///
    /// # Errors
    /// It ended or missed its deadline; the error carries the end of its log.
    pub fn wait_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + self.launch.ready_deadline();
        let mut last = String::from("never asked");
        while Instant::now() < deadline {
            if !self.is_alive() {
                let said = format!("{} ended while starting: read its log", self.launch.name);
                return Err(Error::failed(said, &self.launch.log));
            }
            match self.launch.ready.probe() {
                Ok(()) => return Ok(()),
                Err(answer) => last = answer,
            }
            std::thread::sleep(POLL);
        }
        let said = format!(
            "{} is not ready after {} s ({last}): read its log",
            self.launch.name, self.launch.ready_deadline_s
        );
        Err(Error::failed(said, &self.launch.log))
    }

    /// The program's name within its stack.
    pub fn name(&self) -> &str {
        &self.launch.name
    }

    /// How it was started.
    pub fn launch(&self) -> &Launch {
        &self.launch
    }

    /// Its log file.
    pub fn log(&self) -> &Path {
        &self.launch.log
    }

    /// Its pid while it lives.
    pub fn pid(&mut self) -> Option<u32> {
        self.is_alive().then_some(self.identity?.pid)
    }

    /// Pid and start time of the last start, alive or not.
    pub fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Whether it runs (or is frozen); also reaps it when it has ended.
    pub fn is_alive(&mut self) -> bool {
        if let Some(child) = &mut self.child {
            // Reaping keeps the table free of zombies; the answer itself comes from the identity.
            let _ = child.try_wait();
        }
        self.identity.is_some_and(Identity::is_alive)
    }

    /// Asks it to end (SIGTERM), waits for its deadline, then kills it.
    ///
    /// # Errors
    /// It is still there after SIGKILL.
    pub fn stop(&mut self) -> Result<()> {
        self.terminate()?;
        self.wait_stopped()
    }

    /// Sends SIGTERM and returns at once, so that several can end side by side.
    ///
    /// # Errors
    /// The signal is refused.
    pub fn terminate(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        // A frozen process would keep the signal for later.
        self.signal(Signal::CONT)
    }

    /// Waits for the end after [`Daemon::terminate`]; kills when the deadline has passed.
    ///
    /// # Errors
    /// It is still there after SIGKILL.
    pub fn wait_stopped(&mut self) -> Result<()> {
        if self.wait_gone(&[], Duration::from_secs(self.launch.stop_deadline_s)) {
            return Ok(());
        }
        self.kill()
    }

    /// Kills it and the children it has (SIGKILL), and waits until they are gone.
    ///
    /// # Errors
    /// It is still there after ten seconds.
    pub fn kill(&mut self) -> Result<()> {
        // Stopped first, so that it starts no child between the look and the kill (nginx while it reloads).
        self.signal(Signal::STOP)?;
        let workers = self.identity.map(Identity::children).unwrap_or_default();
        self.signal(Signal::KILL)?;
        workers.iter().try_for_each(|worker| worker.signal(Signal::KILL))?;
        if self.wait_gone(&workers, GONE_DEADLINE) {
            return Ok(());
        }
        Err(Error::failed(
            format!("{} survives SIGKILL: look at its state in /proc", self.launch.name),
            &self.launch.log,
        ))
    }

    /// Freezes it (SIGSTOP): its connections stay open and nothing answers. Returns once it stands still.
    ///
    /// # Errors
    /// The signal is refused, or a thread still runs after ten seconds.
    pub fn freeze(&mut self) -> Result<()> {
        self.signal(Signal::STOP)?;
        let deadline = Instant::now() + GONE_DEADLINE;
        while self.is_alive() && !self.identity.is_none_or(Identity::stands_still) {
            if Instant::now() >= deadline {
                let name = &self.launch.name;
                return Err(Error::failed(
                    format!("{name} runs on after SIGSTOP: look at its threads in /proc"),
                    &self.launch.log,
                ));
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Lets it go on after [`Daemon::freeze`] (SIGCONT).
    ///
    /// # Errors
    /// The signal is refused.
    pub fn thaw(&mut self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Starts it again on the same data folder, stopping it first when it still runs.
    ///
    /// # Errors
    /// As [`Daemon::stop`] and [`Daemon::start`].
    pub fn restart(&mut self) -> Result<()> {
        if self.is_alive() {
            self.stop()?;
        }
        self.begin()?;
        self.wait_ready()
    }

    /// As [`Daemon::restart`], but started differently from now on.
    ///
    /// # Errors
    /// As [`Daemon::restart`].
    pub fn restart_as(&mut self, launch: Launch) -> Result<()> {
        if self.is_alive() {
            self.stop()?;
        }
        self.launch = launch;
        self.restart()
    }

    /// Sends SIGHUP: nginx reads its configuration again.
    ///
    /// # Errors
    /// The signal is refused.
    pub fn hang_up(&mut self) -> Result<()> {
        self.signal(Signal::HUP)
    }

    fn signal(&mut self, signal: Signal) -> Result<()> {
        // Reaps a child first: a zombie would take the signal and stay.
        let alive = self.is_alive();
        self.identity.filter(|_| alive).map_or(Ok(()), |identity| identity.signal(signal))
    }

    fn wait_gone(&mut self, workers: &[Identity], within: Duration) -> bool {
        let deadline = Instant::now() + within;
        loop {
            if !self.is_alive() && !workers.iter().any(|worker| worker.is_alive()) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // What a test starts dies with the test; what `cargo stack up` starts outlives the command.
        if self.launch.lifetime == Lifetime::WithUs && self.child.is_some() {
            let _ = self.kill();
        }
    }
}

#[cfg(test)]
mod tests;
