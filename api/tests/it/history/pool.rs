//! The pool with which older history is read, changed while it is read.

use super::{MARK, World, is, until};
use crate::{run, server::fresh_user};
use serde_json::{Value, json};

impl World {
    async fn pool(&self) -> Value {
        self.server.admin_get("/admin/pools").expect(200).await.json()["pools"][0].clone()
    }
}

#[test]
fn the_reader_pool_is_changed_while_it_is_used_and_the_change_is_confirmed() {
    run(async {
        let world = World::start().await;
        let (user, option) = (fresh_user(), world.option().await);
        let older = world.paid_order(user, option).await;
        world.let_go(older).await;
        let before = world.pool().await;
        assert_eq!(
            (&before["name"], &before["max"]),
            (&json!("reader"), &json!(world.config.reader_pool_max))
        );
        let change = json!({"max": 3, "min": 1, "acquire_timeout_ms": 700, "reason": "a test"});
        let tune = world.server.admin_call("PATCH", "/admin/pools/reader").json(&change);
        let operation = tune.expect(202).await.json()["operation"].as_str().unwrap().to_owned();
        let progress = format!("/admin/operations/{operation}?wait=10s");
        let said = world.server.admin_get(&progress).expect(200).await.json();
        assert_eq!(said["state"], "DONE", "{said}");
        let confirmed: Vec<&str> =
            said["instances"].as_array().unwrap().iter().map(|at| at["id"].as_str().unwrap()).collect();
        assert!(confirmed.contains(&world.config.instance.as_str()), "{said}");
        let after = world.pool().await;
        let settings = (&after["max"], &after["min"], &after["acquire_timeout_ms"]);
        assert_eq!(settings, (&json!(3), &json!(1), &json!(700)));
        world.flush().await;
        until("it is read through the new pool", async || {
            is(world.name_in(older).await.as_deref(), Ok(MARK))?;
            let pool = world.pool().await;
            if pool["open"] == 0 { Err(pool.to_string()) } else { Ok(()) }
        })
        .await;
        world.stop().await;
    });
}
