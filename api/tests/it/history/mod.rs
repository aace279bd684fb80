//! Older orders and balances' changes: a log of its own, the real order projection, a MySQL and a Redis to break.

mod balance_logs;
mod moved;
mod mysql_away;
mod orders;
mod pool;

use crate::{
    log::{self, HARDLY_MS, random_prefix},
    patience,
    server::{Server, fresh_user},
};
use api::config::{Config, ModeSetting};
use mysql_session::{Rows, Session};
use serde_json::{Value, json};
use stack::{
    private::{self, Private},
    process::Process,
    services::{MySql, Redis},
};
use std::{
    collections::BTreeMap,
    fmt::{Debug, Display},
    time::Duration,
};

/// What is not true by then never will be.
const PATIENCE: Duration = Duration::from_secs(120);
/// For a session of a MySQL that may stand still for a moment, in ms; where it is away, a refusal takes as long.
const ACQUIRE_MS: u64 = 3_000;
/// Says how many records a list of balance changes lacks.
const LAG: &str = "x-projection-lag";
/// Stands in MySQL where the log has another name, so that an answer says where it is from.
const MARK: &str = "as MySQL has it";

/// See the module.
struct World {
    config: Config,
    server: Server,
    consumers: Private<Process>,
    mysql: Private<MySql>,
    root: Session,
    redis: Private<Redis>,
}

/// Starts, stops and breaks processes; all of that blocks.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Asks until there is an answer.
async fn until<T, E: Display>(what: &str, ask: impl AsyncFnMut() -> Result<T, E>) -> T {
    patience::until(what, PATIENCE, ask).await
}

/// What was seen, where it is not what is waited for.
fn is<T: PartialEq + Debug>(seen: T, wanted: T) -> Result<(), String> {
    if seen == wanted { Ok(()) } else { Err(format!("{seen:?}")) }
}

impl World {
    async fn start() -> Self {
        Self::start_with(|config| Config { reader_pool_acquire_timeout_ms: ACQUIRE_MS, ..config }).await
    }

    /// One whose process waits for MySQL hardly longer than in production.
    async fn impatient() -> Self {
        Self::start_with(|config| Config { extra_wait_ms: HARDLY_MS, ..config }).await
    }

    async fn start_with(change: impl FnOnce(Config) -> Config) -> Self {
        let (mysql, redis) = tokio::join!(
            blocking(|| private::mysql().expect("a MySQL")),
            blocking(|| private::redis().expect("a Redis")),
        );
        let config = log::config(&random_prefix(), ModeSetting::Stage);
        let config = change(Config { redis_url: redis.url(), database_url: mysql.url(), ..config });
        log::found_at(config.clone(), mysql.url()).await;
        let env = environment(&config);
        let consumers = blocking(|| private::process("consumers", &["run"], env, 0).expect("consumers"));
        let (consumers, server) = tokio::join!(consumers, Server::start(config.clone()));
        let root = Session::at(mysql.port());
        let world = Self { server, config, consumers, mysql, root, redis };
        // Its group may have no members yet, and the list of balance changes waits for a second only.
        let path = format!("/api/users/{}/balance/logs", fresh_user());
        until("the order projection has come to the end", async || world.is_up_to_date(&path).await).await;
        world
    }

    /// That a list of balance changes lacks nothing that the log holds.
    async fn is_up_to_date(&self, path: &str) -> Result<(), String> {
        let answer = self.server.get(path).seen(200).await?;
        if answer.header(LAG).is_some() { Err(format!("{answer:?}")) } else { Ok(()) }
    }

    async fn stop(self) {
        let Self { server, consumers, mysql, redis, .. } = self;
        tokio::join!(
            server.stop(),
            blocking(|| drop(consumers)),
            blocking(|| drop(mysql)),
            blocking(|| drop(redis)),
        );
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

    fn sql(&self, sql: &str) -> Rows {
        self.root.rows(&format!("USE tidemark; {sql}")).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// That a query has one value, this one.
    fn has(&self, sql: &str, value: &str) -> Result<(), String> {
        is(self.sql(sql), vec![vec![value.to_owned()]])
    }

    /// Waits until a paid order is in MySQL, marks it there, and waits until it is not in memory any more: then answers
    /// show the mark.
    async fn let_go(&self, order: u64) {
        until("the order is in MySQL", async || {
            self.has(&format!("SELECT status FROM orders WHERE id = {order}"), "1")
        })
        .await;
        self.sql(&format!("UPDATE order_items SET product_name = '{MARK}' WHERE order_id = {order}"));
        until("the order has left the memory", async || is(self.name_in(order).await.as_deref(), Ok(MARK)))
            .await;
    }

    /// The product's name in the detail of an order; what came instead of an answer.
    async fn name_in(&self, order: u64) -> Result<String, String> {
        let answer = self.server.get(&format!("/api/orders/{order}")).seen(200).await?;
        Ok(answer.json()["orderDetail"]["items"][0]["productName"].as_str().unwrap().into())
    }

    /// Ids in the list of a user's orders.
    async fn orders_of(&self, user: u64, query: &str) -> Vec<u64> {
        ids(&self.server.get(&format!("/api/users/{user}/orders{query}")).expect(200).await.json())
    }

    async fn flush(&self) {
        redis::cmd("FLUSHALL").exec_async(&mut self.copies().await).await.unwrap();
    }

    /// Reads until there is a copy of what is read: none is kept where Redis takes too long to take it. Returns its name.
    async fn copied(&self, path: &str, name: &str) -> String {
        let mut copies = self.copies().await;
        let pattern = format!("*:{name}");
        until("there is a copy", async || {
            self.server.get(path).seen(200).await?;
            let keys = redis::cmd("KEYS").arg(&pattern).query_async::<Vec<String>>(&mut copies).await;
            let names = keys.map_err(|error| error.to_string())?;
            if let [name] = &*names { Ok(name.clone()) } else { Err(format!("{names:?} for {pattern}")) }
        })
        .await
    }

    /// As [`World::copied`], of an order.
    async fn order_copied(&self, order: u64) -> String {
        self.copied(&format!("/api/orders/{order}"), &format!("order:{order}")).await
    }

    /// As [`World::copied`], of the list of a user's orders.
    async fn orders_copied(&self, user: u64) -> String {
        self.copied(&format!("/api/users/{user}/orders"), &format!("orders:{user}")).await
    }

    /// Changes the copy of an order, which must be there.
    async fn forge_copy(&self, order: u64, forge: impl FnOnce(&mut Value)) {
        let names = self.order_copied(order).await;
        let mut copies = self.copies().await;
        let text: String = redis::cmd("GET").arg(&names).query_async(&mut copies).await.unwrap();
        let mut copy: Value = serde_json::from_str(&text).unwrap();
        forge(&mut copy);
        redis::cmd("SET").arg(&names).arg(copy.to_string()).exec_async(&mut copies).await.unwrap();
    }

    async fn copies(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.redis.url()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    async fn refuses_history(&self, path: &str) -> Result<(), String> {
        let answer = self.server.get(path).send().await;
        match answer.unlike_refusal(503, "HISTORY_UNAVAILABLE") {
            None => Ok(()),
            Some(problem) => Err(format!("{problem}: {answer:?}")),
        }
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
