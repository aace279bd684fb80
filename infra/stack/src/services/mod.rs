//! The real services: how each is configured, started and asked whether it is ready.
//!
//! A service is a [`Daemon`](crate::daemon::Daemon) with an address. Nothing here may install anything
//! (see [`crate::install`]) or choose a port (see [`crate::ports`]).

pub mod kafka;
pub mod mysql;
pub mod nginx;
pub mod platform;
pub mod redis;
pub mod registry;

pub use kafka::{Kafka, KafkaOptions, Proxied};
pub use mysql::{MySql, MySqlOptions};
pub use nginx::{Nginx, NginxOptions};
pub use redis::{Redis, RedisOptions};
pub use registry::{Registry, RegistryOptions};

use crate::daemon::Lifetime;
use std::path::PathBuf;

/// Where a service keeps its files, and for how long it lives.
#[derive(Debug, Clone)]
pub struct Place {
    /// The folder of the stack or of the private instance; data and logs go below it.
    pub folder: PathBuf,
    /// Whether it outlives this process.
    pub lifetime: Lifetime,
}

impl Place {
    fn data(&self, name: &str) -> PathBuf {
        self.folder.join("data").join(name)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{name}.log"))
    }
}

/// Makes a service usable as the [`Daemon`](crate::daemon::Daemon) it is: pid, stop, kill, freeze, thaw, restart.
macro_rules! is_a_daemon {
    ($service:ty) => {
        impl std::ops::Deref for $service {
            type Target = crate::daemon::Daemon;
            fn deref(&self) -> &Self::Target {
                &self.daemon
            }
        }
        impl std::ops::DerefMut for $service {
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.daemon
            }
        }
    };
}
pub(crate) use is_a_daemon;
