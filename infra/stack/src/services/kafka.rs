//! Apache Kafka in KRaft mode: one broker, or three with replication.
//!
//! A data folder is formatted once and keeps its cluster id. Topics are never created by accident.

mod config;

use super::Place;
use crate::daemon::{Daemon, Launch, Ready};
use crate::error::{Doing, Error, Result};
use crate::ports::Broker;
use crate::secrets;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub use config::Proxied;

/// How a cluster runs.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// One entry per broker: one or three.
    pub brokers: Vec<Broker>,
    /// Leaves out the flags that make a short-lived Java start fast, for whoever measures throughput.
    pub throughput: bool,
    /// A second listener per broker whose advertised address is a proxy's; as long as `brokers`, or empty.
    pub proxied: Vec<Proxied>,
    /// More lines of `server.properties`; they win over ours.
    pub extra: Vec<(String, String)>,
}

/// A Kafka cluster.
#[derive(Debug)]
pub struct Kafka {
    brokers: Vec<Daemon>,
    ports: Vec<Broker>,
}

/// Where Kafka's programs are.
#[derive(Debug, Clone)]
pub struct KafkaPrograms {
    /// The `java` program.
    pub java: PathBuf,
    /// The folder that [`crate::install::kafka`] made.
    pub kafka: PathBuf,
}

impl Kafka {
    /// Starts all brokers and waits until each is listed in the cluster.
    ///
    /// # Errors
    /// A broker does not start; the error carries the end of its log.
    pub fn start(programs: &KafkaPrograms, place: &Place, options: &KafkaOptions) -> Result<Self> {
        // All first, then wait: three brokers need each other to elect a controller.
        let mut brokers =
            launches(programs, place, options)?.into_iter().map(Daemon::spawn).collect::<Result<Vec<_>>>()?;
        brokers.iter_mut().try_for_each(Daemon::wait_ready)?;
        Ok(Self { brokers, ports: options.brokers.clone() })
    }

    /// `127.0.0.1:PORT`, separated by commas when there are three.
    pub fn bootstrap(&self) -> String {
        bootstrap(&self.ports)
    }

    /// The broker with that `node.id`, counted from 1.
    ///
    /// # Errors
    /// There is no such broker.
    pub fn broker(&mut self, node: usize) -> Result<&mut Daemon> {
        let count = self.brokers.len();
        node.checked_sub(1)
            .and_then(|index| self.brokers.get_mut(index))
            .ok_or_else(|| Error::prepare(format!("ask for a broker from 1 to {count}, not {node}")))
    }

    /// Stops all brokers side by side.
    ///
    /// # Errors
    /// One is still there after SIGKILL.
    pub fn stop(&mut self) -> Result<()> {
        self.brokers.iter_mut().try_for_each(Daemon::terminate)?;
        self.brokers.iter_mut().try_for_each(Daemon::wait_stopped)
    }

    /// Kills all brokers.
    ///
    /// # Errors
    /// One is still there afterwards.
    pub fn kill(&mut self) -> Result<()> {
        self.brokers.iter_mut().try_for_each(Daemon::kill)
    }

    /// Freezes all brokers.
    ///
    /// # Errors
    /// The signal is refused.
    pub fn freeze(&mut self) -> Result<()> {
        self.brokers.iter_mut().try_for_each(Daemon::freeze)
    }

    /// Lets all brokers go on.
    ///
    /// # Errors
    /// The signal is refused.
    pub fn thaw(&mut self) -> Result<()> {
        self.brokers.iter_mut().try_for_each(Daemon::thaw)
    }

    /// Starts all brokers again on their data folders.
    ///
    /// # Errors
    /// As [`Kafka::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        let launches: Vec<Launch> = self.brokers.iter().map(|b| b.launch().clone()).collect();
        for (broker, launch) in self.brokers.iter_mut().zip(launches) {
            *broker = Daemon::spawn(launch)?;
        }
        self.brokers.iter_mut().try_for_each(Daemon::wait_ready)
    }
}

pub(crate) fn bootstrap(ports: &[Broker]) -> String {
    let addresses: Vec<String> = ports.iter().map(|broker| format!("127.0.0.1:{}", broker.client)).collect();
    addresses.join(",")
}

/// Address of a listener on this machine.
pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Renders the configurations, formats the folders that are new, and says how to start each broker.
pub(crate) fn launches(
    programs: &KafkaPrograms,
    place: &Place,
    options: &KafkaOptions,
) -> Result<Vec<Launch>> {
    let count = options.brokers.len();
    if !matches!(count, 1 | 3) {
        return Err(Error::prepare(format!("ask for 1 or 3 brokers, not {count}")));
    }
    // A folder per count: a broker that belonged to a quorum of one cannot join one of three.
    let home = place.data(&format!("kafka-of-{count}"));
    let cluster = cluster_id(&home)?;
    let launches: Vec<Launch> =
        (0..count).map(|index| prepare(programs, place, options, index)).collect::<Result<_>>()?;
    std::thread::scope(|scope| {
        let formats: Vec<_> =
            launches.iter().map(|launch| scope.spawn(|| format(programs, launch, &cluster))).collect();
        formats.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(Error::prepare("report this: formatting panicked")))
        })
    })?;
    Ok(launches)
}

fn prepare(programs: &KafkaPrograms, place: &Place, options: &KafkaOptions, index: usize) -> Result<Launch> {
    let count = options.brokers.len();
    let name = if count == 1 { "kafka".to_owned() } else { format!("kafka-{}", index + 1) };
    let folder = place.data(&format!("kafka-of-{count}")).join(&name);
    let properties = folder.join("server.properties");
    fs::create_dir_all(&folder).doing(|| format!("create {}", folder.display()))?;
    fs::write(&properties, config::render(options, index, &folder))
        .doing(|| format!("write {}", properties.display()))?;
    let pauses = format!(
        "-Xlog:gc,safepoint:file={}:time:filecount=2,filesize=4m",
        folder.join("pauses.log").display()
    );
    let mut launch = Launch::new(&name, programs.java.clone(), folder, place.log(&name));
    // As much as Kafka takes by default: what cleans compacted topics takes 128 MB alone.
    launch.args = vec!["-Xms256m".into(), "-Xmx1g".into()];
    // Whoever looks into a broker that did not answer for a while wants to know this first.
    launch.args.push(pauses);
    if !options.throughput {
        launch.args.extend(FAST_START.map(str::to_owned));
    }
    launch.args.extend(class_path(programs));
    launch.args.extend(["kafka.Kafka".into(), properties.display().to_string()]);
    let ports = options.brokers[index];
    launch.port = ports.client;
    launch.listens = vec![ports.client, ports.controller];
    launch.listens.extend(options.proxied.get(index).map(|proxied| proxied.listen));
    launch.ready = Ready::Kafka { port: ports.client, node: config::node(index) };
    launch.ready_deadline_s = 120;
    launch.lifetime = place.lifetime;
    Ok(launch)
}

/// A short-lived Java starts a second sooner without its optimising compiler.
const FAST_START: [&str; 2] = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

fn class_path(programs: &KafkaPrograms) -> [String; 3] {
    let logging = programs.kafka.join("log4j2.xml");
    [
        format!("-Dlog4j2.configurationFile={}", logging.display()),
        "-cp".to_owned(),
        programs.kafka.join("libs/*").display().to_string(),
    ]
}

fn cluster_id(home: &Path) -> Result<String> {
    let path = home.join("cluster.id");
    if let Ok(id) = fs::read_to_string(&path) {
        return Ok(id);
    }
    let id = config::uuid(&secrets::random(16)?);
    fs::create_dir_all(home).doing(|| format!("create {}", home.display()))?;
    fs::write(&path, &id).doing(|| format!("write {}", path.display()))?;
    Ok(id)
}

fn format(programs: &KafkaPrograms, launch: &Launch, cluster: &str) -> Result<()> {
    if config::log_dir(&launch.folder).join("meta.properties").exists() {
        return Ok(());
    }
    let log = launch.log.with_extension("format.log");
    if let Some(parent) = log.parent() {
        fs::create_dir_all(parent).doing(|| format!("create {}", parent.display()))?;
    }
    let out = fs::File::create(&log).doing(|| format!("create {}", log.display()))?;
    let err = out.try_clone().doing(|| "copy a file handle".into())?;
    let status = Command::new(&programs.java)
        .args(FAST_START)
        .args(class_path(programs))
        .args(["kafka.tools.StorageTool", "format", "--ignore-formatted"])
        .args(["-t", cluster, "-c"])
        .arg(launch.folder.join("server.properties"))
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .status()
        .doing(|| "run java".into())?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::failed(
            format!("remove {} and start again: it cannot be formatted", launch.folder.display()),
            &log,
        )),
    }
}
