//! A Redis of one's own that is killed, frozen, flushed or full: nobody waits long for it, and nothing else notices.

use crate::{
    carts::lines,
    client::Answer,
    patience::{Stalls, until},
    run,
    server::{Server, fresh_user, fresh_users, stage},
    shop::option,
};
use api::config::Config;
use stack::{
    private::{self, Private},
    services::Redis,
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

/// No answer that lacks Redis takes longer, with everything else that a request costs on a busy machine.
const SOON: Duration = Duration::from_secs(1);
/// It must be noticed by then that Redis is back.
const BACK: Duration = Duration::from_secs(5);
/// How long Redis is waited for where that wait is what is tested, in ms: the production value.
const ANSWER_MS: u64 = 150;

/// A process on the shared log with a Redis of its own, for which it waits longer than machines stall.
async fn with_redis() -> (Server, Private<Redis>) {
    with_redis_within(stage().await.config.redis_timeout_ms).await
}

/// As [`with_redis`], for which it waits that many ms.
async fn with_redis_within(redis_timeout_ms: u64) -> (Server, Private<Redis>) {
    let start = || private::redis().expect("a Redis");
    let redis = tokio::task::spawn_blocking(start).await.unwrap();
    let config = stage().await.config.clone();
    let server = Server::start(Config { redis_url: redis.url(), redis_timeout_ms, ..config }).await;
    (server, redis)
}

/// The connection that a person would use.
async fn redis_cli(redis: &Redis, command: &str) -> redis::Value {
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut words = command.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    words.for_each(|word| {
        command.arg(word);
    });
    command.query_async(&mut connection).await.unwrap()
}

/// Carts are away, soon said; orders and payments are not.
async fn only_carts_are_away(server: &Server, user: u64, option: u64) {
    let (stalls, mut took) = (Stalls::watch(), Duration::ZERO);
    for _ in 0..5 {
        let began = Instant::now();
        server.get(&format!("/api/users/{user}/cart")).refused(503, "CART_UNAVAILABLE").await;
        server.put_in_cart(user, option, 1).refused(503, "CART_UNAVAILABLE").await;
        took = took.max(began.elapsed());
    }
    stalls.assert_within(took, SOON).await;
    let order = server.order(user, option, 1).await;
    server.pay(order, &serde_json::json!({"userId": user})).expect(201).await;
    server.get(&format!("/api/orders/{order}")).expect(200).await;
    server.get(&format!("/api/users/{user}/orders")).expect(200).await;
    server.get("/ready").expect(200).await;
}

/// The first answer with a cart in it.
async fn cart_is_back(server: &Server, user: u64) -> Vec<(u64, u64)> {
    let path = format!("/api/users/{user}/cart");
    let cart = until("carts are back", BACK, async || server.get(&path).seen(200).await).await;
    lines(&cart)
}

#[test]
fn a_process_starts_and_serves_without_redis() {
    run(async {
        let config = stage().await.config.clone();
        for redis_url in ["", "redis://127.0.0.1:1"] {
            let server = Server::start(Config { redis_url: redis_url.into(), ..config.clone() }).await;
            let option = option(&server, 10, 100).await;
            only_carts_are_away(&server, fresh_user(), option).await;
            server.stop().await;
        }
    });
}

#[test]
fn an_address_that_is_none_is_named_at_the_start() {
    run(async {
        let config = Config { redis_url: "http://nowhere".into(), ..stage().await.config.clone() };
        let built = api::app::App::build(config, None, chassis::shutdown::CancellationToken::new()).await;
        let said = format!("{:#}", built.err().expect("it started"));
        assert!(said.contains("TIDEMARK_REDIS_URL"), "{said}");
    });
}

#[test]
fn a_killed_redis_takes_only_carts_away_and_gives_them_back() {
    run(async {
        let (server, mut redis) = with_redis().await;
        let (user, option) = (fresh_user(), option(&server, 10, 100).await);
        server.put_in_cart(user, option, 3).expect(201).await;
        let mut redis = tokio::task::spawn_blocking(move || {
            redis.kill().unwrap();
            redis
        })
        .await
        .unwrap();
        only_carts_are_away(&server, user, option).await;
        let redis = tokio::task::spawn_blocking(move || {
            redis.restart().unwrap();
            redis
        })
        .await
        .unwrap();
        assert_eq!(cart_is_back(&server, user).await, [(option, 3)]);
        drop(redis);
        server.stop().await;
    });
}

#[test]
fn a_restart_while_nobody_asks_is_not_noticed() {
    run(async {
        let (server, mut redis) = with_redis().await;
        let (user, option) = (fresh_user(), option(&server, 10, 100).await);
        server.put_in_cart(user, option, 3).expect(201).await;
        let redis = tokio::task::spawn_blocking(move || {
            redis.restart().unwrap();
            redis
        })
        .await
        .unwrap();
        // Its connection is dead; the very first request gets a new one.
        assert_eq!(server.cart(user).await, [(option, 3)]);
        drop(redis);
        server.stop().await;
    });
}

#[test]
fn a_frozen_redis_holds_nobody_for_long() {
    run(async {
        let (server, mut redis) = with_redis_within(ANSWER_MS).await;
        let (user, option) = (fresh_user(), option(&server, 10, 100).await);
        server.put_in_cart(user, option, 3).expect(201).await;
        redis.freeze().unwrap();
        let stalls = Stalls::watch();
        let asked: Vec<_> = fresh_users(200)
            .map(|user| {
                let call = server.get(&format!("/api/users/{user}/cart"));
                tokio::spawn(async move {
                    let began = Instant::now();
                    let answer: Answer = call.send().await;
                    (answer, began.elapsed())
                })
            })
            .collect();
        let mut longest = Duration::ZERO;
        for asked in asked {
            let (answer, took) = asked.await.unwrap();
            answer.assert_refused(503, "CART_UNAVAILABLE");
            longest = longest.max(took);
        }
        stalls.assert_within(longest, 2 * SOON).await;
        only_carts_are_away(&server, user, option).await;
        // Most of these are not even asked of Redis.
        let (stalls, began) = (Stalls::watch(), Instant::now());
        for _ in 0..50 {
            server.get(&format!("/api/users/{user}/cart")).refused(503, "CART_UNAVAILABLE").await;
        }
        stalls.assert_within(began.elapsed(), 2 * SOON).await;
        redis.thaw().unwrap();
        let cart = cart_is_back(&server, user).await;
        // What was answered with 503 may have been put in all the same, as the answer says.
        assert!([(option, 3), (option, 1)].contains(&cart[0]) && cart.len() == 1, "{cart:?}");
        server.stop().await;
    });
}

#[test]
fn a_flush_loses_carts_and_nothing_else() {
    run(async {
        let (server, redis) = with_redis().await;
        let (user, option) = (fresh_user(), option(&server, 10, 100).await);
        let order = server.order(user, option, 1).await;
        server.put_in_cart(user, option, 3).expect(201).await;
        redis_cli(&redis, "FLUSHALL").await;
        assert!(server.cart(user).await.is_empty());
        server.call("DELETE", &format!("/api/users/{user}/cart/{option}")).refused(404, "CART001").await;
        server.put_in_cart(user, option, 2).expect(201).await;
        assert_eq!(server.cart(user).await, [(option, 2)]);
        server.get(&format!("/api/orders/{order}")).expect(200).await;
        server.stop().await;
    });
}

#[test]
fn a_full_redis_refuses_new_items_and_shows_the_old_ones() {
    run(async {
        let (server, redis) = with_redis().await;
        let (user, option) = (fresh_user(), option(&server, 10, 100).await);
        server.put_in_cart(user, option, 3).expect(201).await;
        redis_cli(&redis, "CONFIG SET maxmemory 1").await;
        for _ in 0..10 {
            server.put_in_cart(user, option, 4).refused(503, "CART_UNAVAILABLE").await;
            assert_eq!(
                server.cart(user).await,
                [(option, 3)],
                "a refusal is an answer: it is asked again at once"
            );
        }
        redis_cli(&redis, "CONFIG SET maxmemory 0").await;
        server.put_in_cart(user, option, 4).expect(201).await;
        server.stop().await;
    });
}

#[test]
fn a_cart_nobody_touches_ends_by_itself() {
    run(async {
        let (server, redis) = with_redis().await;
        let (user, option) = (fresh_user(), option(&server, 10, 100).await);
        server.put_in_cart(user, option, 3).expect(201).await;
        let keys = redis_cli(&redis, &format!("KEYS *cart:{user}")).await;
        let redis::Value::Array(keys) = keys else { panic!("{keys:?}") };
        let redis::Value::BulkString(key) = &keys[0] else { panic!("{keys:?}") };
        let key = String::from_utf8_lossy(key).into_owned();
        redis_cli(&redis, &format!("EXPIRE {key} 100")).await;
        server.put_in_cart(user, option, 4).expect(201).await;
        let redis::Value::Int(left_s) = redis_cli(&redis, &format!("TTL {key}")).await else {
            panic!("no number")
        };
        let life_s = api::limits::CART_LIFE.as_secs() as i64;
        assert!((life_s - 60..=life_s).contains(&left_s), "{left_s}");
        server.stop().await;
    });
}

/// An address whose new connections reach one Redis and later another; those that are open stay where they are.
struct Address {
    own: SocketAddr,
    target: Arc<AtomicU16>,
}

impl Address {
    async fn of(redis: &Redis) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let own = listener.local_addr().unwrap();
        let target = Arc::new(AtomicU16::new(redis.port()));
        let aim = target.clone();
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let port = aim.load(Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
                    // Either side may go at any time.
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { own, target }
    }

    fn moves_to(&self, redis: &Redis) {
        self.target.store(redis.port(), Ordering::SeqCst);
    }
}

#[test]
fn a_redis_that_was_demoted_is_left_for_the_one_that_took_its_address() {
    run(async {
        let start = || (private::redis().expect("a Redis"), private::redis().expect("a Redis"));
        let (old, new) = tokio::task::spawn_blocking(start).await.unwrap();
        let address = Address::of(&old).await;
        let config = Config { redis_url: format!("redis://{}", address.own), ..stage().await.config.clone() };
        let server = Server::start(config).await;
        let (user, option) = (fresh_user(), option(&server, 10, 100).await);
        server.put_in_cart(user, option, 3).expect(201).await;
        address.moves_to(&new);
        // The connection to the old one stays open, and answers.
        redis_cli(&old, &format!("REPLICAOF 127.0.0.1 {}", new.port())).await;
        server.put_in_cart(user, option, 4).expect(201).await;
        assert_eq!(server.cart(user).await, [(option, 4)]);
        let keys = redis_cli(&new, &format!("KEYS *cart:{user}")).await;
        assert!(matches!(&keys, redis::Value::Array(keys) if keys.len() == 1), "{keys:?}");
        server.stop().await;
    });
}

#[test]
fn a_replica_shows_carts_and_takes_items_once_it_is_promoted() {
    run(async {
        let (server, redis) = with_redis().await;
        let (user, option) = (fresh_user(), option(&server, 10, 100).await);
        server.put_in_cart(user, option, 3).expect(201).await;
        // Nobody listens there: what it holds stays.
        redis_cli(&redis, "REPLICAOF 127.0.0.1 1").await;
        for _ in 0..10 {
            server.put_in_cart(user, option, 4).refused(503, "CART_UNAVAILABLE").await;
            assert_eq!(server.cart(user).await, [(option, 3)]);
        }
        redis_cli(&redis, "CONFIG SET replica-serve-stale-data no").await;
        only_carts_are_away(&server, user, option).await;
        redis_cli(&redis, "REPLICAOF NO ONE").await;
        assert_eq!(cart_is_back(&server, user).await, [(option, 3)]);
        until("items are taken", BACK, async || server.put_in_cart(user, option, 4).seen(201).await).await;
        assert_eq!(server.cart(user).await, [(option, 4)]);
        server.stop().await;
    });
}
