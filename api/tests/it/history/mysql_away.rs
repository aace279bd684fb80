use super::{World, until};
use crate::{client::Answer, log::HARDLY_MS, patience::Stalls, run, server::fresh_user};
use serde_json::json;
use std::time::{Duration, Instant};

/// What one answer without MySQL may take on a busy machine: one read, and what else a request costs.
const BOUND: Duration = Duration::from_millis(3_000 + HARDLY_MS as u64);

#[test]
fn a_frozen_mysql_piles_nothing_up() {
    run(async {
        let mut world = World::impatient().await;
        let (user, option) = (fresh_user(), world.option().await);
        let older = world.paid_order(user, option).await;
        world.let_go(older).await;
        world.flush().await;
        world.mysql.freeze().unwrap();
        let stalls = Stalls::watch();
        let asked: Vec<_> = (0..200)
            .map(|_| {
                let call = world.server.get(&format!("/api/users/{user}/orders"));
                tokio::spawn(async move {
                    let began = Instant::now();
                    let answer: Answer = call.send().await;
                    (answer, began.elapsed())
                })
            })
            .collect();
        // Meanwhile everything that needs no MySQL goes on.
        let began = Instant::now();
        let order = world.paid_order(user, option).await;
        world.server.get(&format!("/api/orders/{order}")).expect(200).await;
        world.server.get("/ready").expect(200).await;
        stalls.assert_within(began.elapsed(), BOUND).await;
        let mut longest = Duration::ZERO;
        let mut codes = std::collections::BTreeMap::<String, u32>::new();
        for asked in asked {
            let (answer, took) = asked.await.unwrap();
            assert_eq!(answer.status, 503, "{answer:?}");
            longest = longest.max(took);
            *codes.entry(answer.json()["errorCode"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        stalls.assert_within(longest, BOUND).await;
        let known = ["HISTORY_UNAVAILABLE", "OVERLOADED"];
        assert!(codes.keys().all(|code| known.contains(&code.as_str())), "{codes:?}");
        let list = format!("/api/users/{user}/orders");
        until("it is known to be away", async || {
            let began = Instant::now();
            world.refuses_history(&list).await?;
            let took = began.elapsed();
            if took < Duration::from_millis(100) { Ok(()) } else { Err(format!("refused after {took:?}")) }
        })
        .await;
        world.mysql.thaw().unwrap();
        until("it is back", async || world.server.get(&list).seen(200).await).await;
        assert_eq!(world.orders_of(user, "").await, [order, older]);
        world.stop().await;
    });
}

#[test]
fn a_process_starts_and_is_ready_without_mysql_and_redis() {
    run(async {
        let mut world = World::start().await;
        let (user, option) = (fresh_user(), world.option().await);
        let older = world.paid_order(user, option).await;
        world.mysql.kill().unwrap();
        world.redis.kill().unwrap();
        let config = api::config::Config { instance: "api-without".into(), ..world.config.clone() };
        let other = crate::server::Server::start(config).await;
        let order = other.order(user, option, 1).await;
        other.pay(order, &json!({"userId": user})).expect(201).await;
        // Folded from the beginning and never told that MySQL has any of it: all of it is in memory.
        for order in [older, order] {
            other.get(&format!("/api/orders/{order}")).expect(200).await;
        }
        let list = other.get(&format!("/api/users/{user}/orders")).expect(200).await.json();
        assert_eq!(super::ids(&list), [order, older]);
        other.get(&format!("/api/users/{user}/balance/logs")).refused(503, "HISTORY_UNAVAILABLE").await;
        other.stop().await;
        world.stop().await;
    });
}
