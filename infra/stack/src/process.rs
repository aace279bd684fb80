//! Our own programs, `api` and `consumers`: started with the environment they read, broken and stopped.
//!
//! Nothing here may build a program, nor know what it does: ready is what `/ready` says.

use crate::daemon::{Daemon, Launch, Ready};
use crate::error::{Error, Result};
use crate::services::{Place, is_a_daemon};
use crate::state::Endpoints;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One of our own programs, running.
#[derive(Debug)]
pub struct Process {
    daemon: Daemon,
    admin: u16,
}
is_a_daemon!(Process);

/// How to start one of our own programs.
#[derive(Debug, Clone)]
pub struct ProcessOptions {
    /// Its path; see [`binary`].
    pub program: PathBuf,
    /// Its name, unique among those that run: its log's name and `TIDEMARK_INSTANCE`.
    pub instance: String,
    /// Its arguments, as in `run`.
    pub args: Vec<String>,
    /// Its environment; see [`environment`].
    pub env: BTreeMap<String, String>,
    /// Port of its admin listener, asked for `/ready`; becomes `TIDEMARK_ADMIN_LISTEN`.
    pub admin: u16,
    /// Ports for `TIDEMARK_LISTEN`; empty for programs that serve nobody.
    pub listen: Vec<u16>,
}

impl Process {
    /// Starts it and waits until `GET /ready` on its admin listener answers 200.
    ///
    /// # Errors
    /// It does not start; the error carries the end of its log.
    pub fn start(place: &Place, options: &ProcessOptions) -> Result<Self> {
        let mut process = Self::spawn(place, options)?;
        process.wait_ready()?;
        Ok(process)
    }

    /// Starts it and returns at once, for a start that is to be broken.
    ///
    /// # Errors
    /// The program or its log cannot be opened.
    pub fn spawn(place: &Place, options: &ProcessOptions) -> Result<Self> {
        Ok(Self { daemon: Daemon::spawn(launch(place, options))?, admin: options.admin })
    }

    /// `http://127.0.0.1:PORT` of the admin listener: `/health`, `/ready`, `/metrics`.
    pub fn admin_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.admin)
    }

    /// Gives the running program away, for [`crate::Stack::add`].
    pub fn into_daemon(self) -> Daemon {
        self.daemon
    }
}

fn launch(place: &Place, options: &ProcessOptions) -> Launch {
    let name = &options.instance;
    let folder = place.folder.join("data").join(name);
    let log = place.folder.join("logs").join(format!("{name}.log"));
    let mut launch = Launch::new(name, options.program.clone(), folder, log);
    launch.args = options.args.clone();
    launch.env = options.env.clone();
    let addresses = |ports: &[u16]| {
        let addresses: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        addresses.join(",")
    };
    launch.env.insert("TIDEMARK_INSTANCE".into(), name.clone());
    launch.env.insert("TIDEMARK_ADMIN_LISTEN".into(), addresses(&[options.admin]));
    if !options.listen.is_empty() {
        launch.env.insert("TIDEMARK_LISTEN".into(), addresses(&options.listen));
    }
    launch.port = options.listen.first().copied().unwrap_or(options.admin);
    launch.listens = options.listen.iter().copied().chain([options.admin]).collect();
    launch.ready = Ready::Http { url: format!("http://127.0.0.1:{}/ready", options.admin) };
    launch.lifetime = place.lifetime;
    launch
}

/// The environment that all our programs read, for a stack's endpoints and keys.
///
/// The topic prefix and the mode are taken from our own environment when they are set there; they are
/// empty and `secure` otherwise.
pub fn environment(
    endpoints: &Endpoints,
    secrets: &BTreeMap<String, String>,
    replication: u16,
) -> BTreeMap<String, String> {
    let ours = |name: &str, otherwise: &str| std::env::var(name).unwrap_or_else(|_| otherwise.to_owned());
    let mut env = secrets.clone();
    let own = [
        ("TIDEMARK_KAFKA", endpoints.kafka.clone()),
        ("TIDEMARK_REGISTRY_URL", endpoints.registry.clone()),
        ("TIDEMARK_DATABASE_URL", endpoints.mysql.clone()),
        ("TIDEMARK_REDIS_URL", endpoints.redis.clone()),
        ("TIDEMARK_TOPIC_PREFIX", ours("TIDEMARK_TOPIC_PREFIX", "")),
        ("TIDEMARK_MODE", ours("TIDEMARK_MODE", "secure")),
        ("TIDEMARK_REPLICATION", replication.to_string()),
        // Our nginx does not go by `/ready`: a refused connection sends it to the next process.
        ("TIDEMARK_DRAIN_DELAY_MS", ours("TIDEMARK_DRAIN_DELAY_MS", "0")),
    ];
    env.extend(own.map(|(name, value)| (name.to_owned(), value)));
    if !endpoints.platform.is_empty() {
        env.insert("TIDEMARK_PLATFORM_URL".into(), endpoints.platform.clone());
    }
    env
}

/// The path of one of our programs: in `$TIDEMARK_BIN_DIR`, else beside the running program (a test runs
/// in `deps` below it).
///
/// # Errors
/// It is not built; the sentence gives the command.
pub fn binary(name: &str) -> Result<PathBuf> {
    let folder = match std::env::var_os("TIDEMARK_BIN_DIR") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => std::env::current_exe()
            .ok()
            .as_deref()
            .and_then(profile_folder)
            .ok_or_else(|| Error::prepare("set TIDEMARK_BIN_DIR: this program has no folder"))?,
    };
    let path = folder.join(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(Error::prepare(format!("run `cargo build --workspace`: there is no {}", path.display())))
}

fn profile_folder(executable: &Path) -> Option<PathBuf> {
    let folder = executable.parent()?;
    let inside = ["deps", "examples"].iter().any(|name| folder.ends_with(name));
    Some(if inside { folder.parent()? } else { folder }.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_for_beside_the_test_or_the_command() {
        for own in ["/t/debug/deps/it-0123", "/t/debug/stack"] {
            assert_eq!(profile_folder(Path::new(own)), Some("/t/debug".into()));
        }
        let said = binary("no-such-program").unwrap_err().to_string();
        assert!(said.contains("cargo build --workspace"), "{said}");
    }

    #[test]
    fn ports_become_listeners_and_readiness() {
        let place = Place { folder: "/s".into(), lifetime: crate::daemon::Lifetime::WithUs };
        let options = ProcessOptions {
            program: "/t/debug/api".into(),
            instance: "api-1".into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            admin: 13101,
            listen: vec![3000, 8080],
        };
        let launch = launch(&place, &options);
        assert_eq!(launch.env["TIDEMARK_LISTEN"], "127.0.0.1:3000,127.0.0.1:8080");
        assert_eq!(launch.env["TIDEMARK_ADMIN_LISTEN"], "127.0.0.1:13101");
        assert_eq!(launch.env["TIDEMARK_INSTANCE"], "api-1");
        assert_eq!(launch.listens, [3000, 8080, 13101]);
    }
}
