//! Older orders and balances' changes: a log of its own, the real order projection, a MySQL and a Redis to break.

mod balance_logs;
mod moved;
mod mysql_away;
mod orders;
mod pool;

use crate::{
    log::{self, random_prefix},
    patience::until_true,
    server::Server,
};
use api::config::{Config, ModeSetting};
use serde_json::{Value, json};
use stack::{
    private::{self, Private},
    process::Process,
    services::{MySql, Redis},
};
use std::{collections::BTreeMap, time::Duration};

/// What is not true by then never will be.
const PATIENCE: Duration = Duration::from_secs(120);
/// For a session of a MySQL that may stand still for a moment, in ms; where it is away, a refusal takes as long.
const ACQUIRE_MS: u64 = 3_000;
/// Stands in MySQL where the log has another name, so that an answer says where it is from.
const MARK: &str = "as MySQL has it";

/// See the module.
struct World {
    config: Config,
    server: Server,
    consumers: Private<Process>,
    mysql: Private<MySql>,
    redis: Private<Redis>,
}

/// Starts, stops and breaks processes; all of that blocks.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Asks until it is so.
async fn until(what: &str, is_so: impl AsyncFnMut() -> bool) {
    until_true(what, PATIENCE, is_so).await;
}

impl World {
    async fn start() -> Self {
        Self::start_with(|config| Config { reader_pool_acquire_timeout_ms: ACQUIRE_MS, ..config }).await
    }

    /// One whose process waits for MySQL no longer than in production.
    async fn impatient() -> Self {
        Self::start_with(|config| Config { extra_wait_ms: 0, ..config }).await
    }

    async fn start_with(change: impl FnOnce(Config) -> Config) -> Self {
        let services = || (private::mysql().expect("a MySQL"), private::redis().expect("a Redis"));
        let (mysql, redis) = blocking(services).await;
        let config = log::config(&random_prefix(), ModeSetting::Stage);
        let config = change(Config { redis_url: redis.url(), database_url: mysql.url(), ..config });
        log::found_at(config.clone(), mysql.url()).await;
        let env = environment(&config);
        let consumers =
            blocking(|| private::process("consumers", &["run"], env, 0).expect("consumers")).await;
        Self { server: Server::start(config.clone()).await, config, consumers, mysql, redis }
    }

    async fn stop(self) {
        self.server.stop().await;
        blocking(|| drop((self.consumers, self.mysql, self.redis))).await;
    }

    /// Lists a product with one option and many units, and returns the option's id.
    async fn option(&self) -> u64 {
        crate::shop::option(&self.server, 100, 10_000).await
    }

    /// Places and pays.
    async fn paid_order(&self, user: u64, option: u64) -> u64 {
        let order = self.server.order(user, option, 1).await;
        self.server.pay(order, &json!({"userId": user})).expect(201).await;
        order
    }

    fn sql(&self, sql: &str) -> String {
        self.mysql.sql(&format!("USE tidemark; {sql}")).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Waits until a paid order is in MySQL, marks it there, and waits until it is not in memory any more: then answers
    /// show the mark.
    async fn let_go(&self, order: u64) {
        until("the order is in MySQL", async || {
            self.sql(&format!("SELECT status FROM orders WHERE id = {order}")).contains('1')
        })
        .await;
        self.sql(&format!("UPDATE order_items SET product_name = '{MARK}' WHERE order_id = {order}"));
        until("the order has left the memory", async || self.name_in(order).await.as_deref() == Some(MARK))
            .await;
    }

    /// The product's name in the detail of an order, where it is answered.
    async fn name_in(&self, order: u64) -> Option<String> {
        let answer = self.server.get(&format!("/api/orders/{order}")).send().await;
        (answer.status == 200)
            .then(|| answer.json()["orderDetail"]["items"][0]["productName"].as_str().unwrap().into())
    }

    /// Ids in the list of a user's orders.
    async fn orders_of(&self, user: u64, query: &str) -> Vec<u64> {
        ids(&self.server.get(&format!("/api/users/{user}/orders{query}")).expect(200).await.json())
    }

    async fn flush(&self) {
        redis::cmd("FLUSHALL").exec_async(&mut self.copies().await).await.unwrap();
    }

    /// Changes the copy of an order, which must be there.
    async fn forge_copy(&self, order: u64, forge: impl FnOnce(&mut Value)) {
        let mut copies = self.copies().await;
        let pattern = format!("*:order:{order}");
        let names: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut copies).await.unwrap();
        assert_eq!(names.len(), 1, "{names:?}");
        let text: String = redis::cmd("GET").arg(&names).query_async(&mut copies).await.unwrap();
        let mut copy: Value = serde_json::from_str(&text).unwrap();
        forge(&mut copy);
        redis::cmd("SET").arg(&names).arg(copy.to_string()).exec_async(&mut copies).await.unwrap();
    }

    async fn copies(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.redis.url()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    async fn refuses_history(&self, path: &str) -> bool {
        let answer = self.server.get(path).send().await;
        answer.unlike_refusal(503, "HISTORY_UNAVAILABLE").is_none()
    }
}

fn ids(list: &Value) -> Vec<u64> {
    list["orders"].as_array().unwrap().iter().map(|order| order["orderId"].as_u64().unwrap()).collect()
}

fn environment(config: &Config) -> BTreeMap<String, String> {
    let variables = [
        ("KAFKA", config.kafka.as_str()),
        ("REGISTRY_URL", config.registry_url.as_str()),
        ("TOPIC_PREFIX", config.topic_prefix.as_str()),
        ("MODE", "stage"),
        ("DATABASE_URL", config.database_url.as_str()),
        ("GROUPS", "order-projection"),
    ];
    variables.into_iter().map(|(name, value)| (format!("TIDEMARK_{name}"), value.to_owned())).collect()
}
