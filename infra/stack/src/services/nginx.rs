//! nginx, in front of several API processes.
//!
//! It must never send a request to a second process without the header that makes the retry recognisable,
//! and never answer an error of its own in another shape than the API's.

use super::{Place, is_a_daemon};
use crate::daemon::{Daemon, Launch, Ready};
use crate::error::{Doing, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// What nginx listens on and passes on to.
#[derive(Debug, Clone)]
pub struct NginxOptions {
    /// Ports on 127.0.0.1 for clients; the first one answers the readiness probe.
    pub listen: Vec<u16>,
    /// Ports of the API processes on 127.0.0.1.
    pub upstream: Vec<u16>,
    /// Addresses (`IP` or `IP/BITS`) of proxies before this one, whose `X-Retry-Key` is kept. Nobody else's is.
    pub trusted_proxies: Vec<String>,
}

/// An nginx.
#[derive(Debug)]
pub struct Nginx {
    daemon: Daemon,
    options: NginxOptions,
}
is_a_daemon!(Nginx);

impl Nginx {
    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// It does not start; the error carries the end of its log.
    pub fn start(program: PathBuf, place: &Place, options: NginxOptions) -> Result<Self> {
        let launch = launch(program, place, &options)?;
        Ok(Self { daemon: Daemon::start(launch)?, options })
    }

    /// Passes requests on to these ports from now on; requests under way are finished where they are.
    ///
    /// # Errors
    /// The configuration cannot be written or the signal is refused.
    pub fn set_upstream(&mut self, upstream: Vec<u16>) -> Result<()> {
        self.options.upstream = upstream;
        write_config(&self.daemon.launch().folder.clone(), &self.options)?;
        self.daemon.hang_up()
    }

    /// Gives the running server away, for [`crate::Stack::add`].
    pub fn into_daemon(self) -> Daemon {
        self.daemon
    }

    /// `http://127.0.0.1:PORT` of the first port.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.daemon.launch().port)
    }
}

pub(crate) fn launch(program: PathBuf, place: &Place, options: &NginxOptions) -> Result<Launch> {
    let mut launch = Launch::new("nginx", program, place.data("nginx"), place.log("nginx"));
    write_config(&launch.folder, options)?;
    let folder = launch.folder.display().to_string();
    launch.args = ["-p", &folder, "-c", "nginx.conf", "-e", "stderr"].map(str::to_owned).to_vec();
    launch.port = options.listen.first().copied().unwrap_or_default();
    launch.listens = options.listen.clone();
    launch.ready = Ready::Http { url: format!("http://127.0.0.1:{}/nginx-health", launch.port) };
    launch.lifetime = place.lifetime;
    Ok(launch)
}

fn write_config(folder: &Path, options: &NginxOptions) -> Result<()> {
    fs::create_dir_all(folder).doing(|| format!("create {}", folder.display()))?;
    let path = folder.join("nginx.conf");
    let root = rustix::process::geteuid().is_root();
    fs::write(&path, render(options, folder, root)).doing(|| format!("write {}", path.display()))
}

fn render(options: &NginxOptions, folder: &Path, root: bool) -> String {
    let indent = |lines: Vec<String>| lines.join("\n    ");
    // A 503 is an answer, and no reason to leave a process alone: it may be about one cart, one partition or one old order,
    // and "full" three times over is more load. A dead process refuses within a millisecond, and so does one that starts.
    let servers = options.upstream.iter().map(|port| format!("server 127.0.0.1:{port} max_fails=0;"));
    let listens = options.listen.iter().map(|port| format!("listen 127.0.0.1:{port} backlog=4096;"));
    // As root nginx would give its workers to `nobody`, who cannot reach a folder below /root.
    let user = if root { "user root;\n" } else { "" };
    // A second try only makes sense at another process.
    let trusted = options.trusted_proxies.iter().map(|range| format!("{range} 1;"));
    let tries = options.upstream.len().clamp(1, 3);
    include_str!("../../recipes/nginx.conf")
        .replace("@USER@\n", user)
        .replace("@FOLDER@", &folder.display().to_string())
        .replace("@SERVERS@", &indent(servers.collect()))
        .replace("@LISTENS@", &indent(listens.collect()))
        .replace("@TRUSTED@", &indent(trusted.collect()))
        .replace("@TRIES@", &tries.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(upstream: Vec<u16>) -> String {
        let (listen, trusted_proxies) = (vec![3000, 8080], vec!["10.0.0.0/8".to_owned()]);
        render(&NginxOptions { listen, upstream, trusted_proxies }, Path::new("/data/nginx"), true)
    }

    #[test]
    fn every_port_is_rendered_and_no_placeholder_is_left() {
        let text = rendered(vec![13001, 13002]);
        for part in
            ["listen 127.0.0.1:3000 ", "listen 127.0.0.1:8080 ", "127.0.0.1:13001 ", "127.0.0.1:13002 "]
        {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(!text.contains('@'), "{text}");
        assert!(text.contains("pid /data/nginx/nginx.pid;"));
    }

    #[test]
    fn only_what_may_have_been_lost_is_tried_elsewhere_and_only_under_one_key() {
        let text = rendered(vec![1, 2]);
        assert!(text.contains("proxy_next_upstream error timeout non_idempotent;"), "{text}");
        assert!(text.contains("proxy_set_header X-Retry-Key $retry_key;"), "{text}");
        assert!(text.contains("10.0.0.0/8 1;"), "{text}");
    }

    #[test]
    fn tries_are_bounded_by_the_processes_and_by_three() {
        assert!(rendered(vec![1]).contains("proxy_next_upstream_tries 1;"));
        assert!(rendered(vec![1, 2, 3, 4, 5]).contains("proxy_next_upstream_tries 3;"));
    }
}
