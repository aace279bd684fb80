//! Another MySQL counts: reads follow to it, not before it has come as far as the one that they leave. Its writers hear
//! of it while they work, as one does that was frozen during the whole cutover.

use super::{MARK, World, blocking, is, until};
use crate::{log, run, server::fresh_user};
use control::{
    Address, Database, Holder,
    audit::{Kind, Operation},
    journal::Journal,
    records::{Key, Value},
};
use mysql_session::Session;
use serde_json::json;
use stack::private;
use uuid::Uuid;

impl World {
    /// The server that this process says it reads from.
    async fn reads_from(&self) -> Option<String> {
        let told = self.server.admin_get("/admin/database").expect(200).await.json();
        let instances = told["instances"].as_array().unwrap().clone();
        let own = instances.iter().find(|at| at["id"] == self.config.instance.as_str())?;
        own["address"].as_str().map(str::to_owned)
    }

    /// What an operator's cutover writes down.
    async fn names(&self, address: &Address) {
        let id = Uuid::new_v4();
        let database = Database {
            address: address.clone(),
            previous: Address::of_setting(&self.config.database_url).unwrap(),
            way_back_until_ms: 0,
            operation: id,
            actor: "a test".into(),
            reason: "a test".into(),
            at_ms: 0,
        };
        let operation = Operation {
            id,
            kind: Kind::Cutover,
            at_ms: 0,
            actor: "a test".into(),
            reason: "a test".into(),
            holder: Some(Holder::Cutover),
            scopes: Vec::new(),
            epoch: 0,
            before: json!(null),
            after: json!(null),
        };
        let journal = Journal::new(&self.config.kafka, &self.config.topic_prefix, "api-it-journal");
        journal.append(vec![(Key::Database, Some(Value::Database(database)))], operation).await.unwrap();
    }
}

#[test]
fn reads_follow_to_another_mysql_once_it_has_come_as_far() {
    run(async {
        let mut world = World::start().await;
        let (user, option) = (fresh_user(), world.option().await);
        let older = world.paid_order(user, option).await;
        world.let_go(older).await;
        let other = blocking(|| private::mysql().expect("a second MySQL")).await;
        let address = Address::of_setting(&other.url()).unwrap();
        let first = Address::of_setting(&world.config.database_url).unwrap().to_string();
        log::found_at(world.config.clone(), other.url()).await;
        until("it says from where it reads", async || is(world.reads_from().await.as_deref(), Some(&*first)))
            .await;

        world.consumers.freeze().unwrap();
        world.names(&address).await;
        until("it is heard of", async || {
            let told = world.server.admin_get("/admin/database").expect(200).await.json();
            is(told["address"].as_str(), Some(address.as_str()))
        })
        .await;
        // Nobody fills the other one, so nobody reads there.
        let order = world.paid_order(user, option).await;
        assert_eq!(world.name_in(older).await.as_deref(), Ok(MARK));
        assert_eq!(world.orders_of(user, "").await, [order, older]);
        assert_eq!(world.reads_from().await, Some(first));

        world.consumers.thaw().unwrap();
        let there = Some(address.as_str());
        until("reads follow", async || is(world.reads_from().await.as_deref(), there)).await;
        world.mysql.kill().unwrap();
        world.flush().await;
        until("the other one answers, where nobody marked the order", async || {
            let name = world.name_in(older).await?;
            if name == MARK { Err(name) } else { Ok(()) }
        })
        .await;
        assert_eq!(world.orders_of(user, "").await, [order, older]);
        let newest = world.paid_order(user, option).await;
        let (there, row) =
            (Session::at(other.port()), format!("SELECT status FROM tidemark.orders WHERE id = {newest}"));
        until("new orders come there", async || {
            let rows = there.rows(&row).map_err(|error| error.to_string())?;
            is(rows, vec![vec!["1".to_owned()]])
        })
        .await;
        world.stop().await;
    });
}
