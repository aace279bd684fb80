//! Copies of what MySQL holds, as JSON. Whoever reads one must be able to tell whether it is still true.

use super::{Access, Job, Store, StoreError};
use redis::cmd;
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

const READ: Job = Job { name: "cache", access: Access::Read };
const WRITE: Job = Job { name: "cache", access: Access::Write };

impl Store {
    /// The copy under a name; `None` also where Redis is away or the copy cannot be read.
    pub async fn cached<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let mut get = cmd("GET");
        let found: Result<Option<Vec<u8>>, StoreError> = self.ask(READ, get.arg(self.cache_key(name))).await;
        serde_json::from_slice(&found.ok()??).ok()
    }

    /// Keeps a copy for a while. A Redis that is away or full keeps none, and nobody is the worse for it.
    pub async fn keep<T: Serialize>(&self, name: &str, value: &T, life: Duration) {
        let Ok(text) = serde_json::to_vec(value) else { return };
        let mut set = cmd("SET");
        set.arg(self.cache_key(name)).arg(text).arg("EX").arg(life.as_secs());
        let _: Result<(), StoreError> = self.ask(WRITE, &set).await;
    }

    fn cache_key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}
