//! A partition to which nobody appends: the log's clock stands still there, and nobody may hear it.

use crate::{
    log,
    patience::until,
    run,
    server::{Server, fresh_user},
};
use api::config::ModeSetting;
use serde_json::json;
use std::time::Duration;

/// Until a coupon is over that is opened now, in seconds: long enough to be claimed before.
const LIFE_S: i64 = 20;
/// A list that does not say it by then never will.
const SAID: Duration = Duration::from_secs(120);

#[test]
fn a_coupon_that_is_over_is_so_for_everybody_though_nothing_was_appended_since() {
    run(async {
        let config = log::found(ModeSetting::Stage).await;
        let (one, other) = (Server::start(config.clone()).await, Server::start(config.clone()).await);
        let over = chrono::Utc::now() + chrono::TimeDelta::seconds(LIFE_S);
        let coupon = one.coupon_with(json!({"total": 1, "expiresAt": over.to_rfc3339()})).await;
        let (winner, loser) = (fresh_user(), fresh_user());
        one.issue(coupon, winner).expect(201).await;
        one.issue(coupon, loser).refused(422, "C001").await;
        let before = log::ends(&config).await;
        for server in [&one, &other] {
            until("the piece has expired", SAID, async || {
                let pieces = server.coupons_of(winner).await;
                if pieces[0]["status"] == "EXPIRED" { Ok(()) } else { Err(format!("{pieces:?}")) }
            })
            .await;
        }
        assert_eq!(log::ends(&config).await, before, "no record has moved the log's clock");
        // Sold out, and over since: what is over is told first. The first who asks makes the log say so.
        other.issue(coupon, loser).refused(400, "C003").await;
        one.issue(coupon, fresh_user()).refused(400, "C003").await;
        let after = log::ends(&config).await;
        other.issue(coupon, fresh_user()).refused(400, "C003").await;
        assert_eq!(log::ends(&config).await, after, "from then on the fold knows");
        one.stop().await;
        other.stop().await;
    });
}
