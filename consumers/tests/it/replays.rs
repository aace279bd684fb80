//! The replay window is no table: it is read from the log again whenever a partition is opened.

use crate::{
    records::{claim, fresh, keyed, open, sign_up},
    world::in_world,
};
use consumers::tools::replay;
use schemas::{Fingerprint, Record, Topic};

/// Claims before the restart.
const CLAIMS: i64 = 3_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replays_of_what_stood_before_a_restart_change_nothing() -> anyhow::Result<()> {
    in_world(async |world| {
        let first = keyed(1);
        let mut records = vec![open(fresh(), 1, 2 * CLAIMS), claim(first, 1, 1)];
        records.extend((2..=CLAIMS).map(|user| claim(keyed(1), 1, user)));
        let asked = sign_up(keyed(2), 8);
        records.push(asked.clone());
        world.append(&records).await?;
        let process = world.start().await?;
        world.clean_audit().await?;
        process.stop().await?;
        let before = world.rows().await?;

        let reused = claim((first.0, Some(Fingerprint([9; 16]))), 1, 777_777);
        let mut again: Vec<Record> = vec![claim(first, 1, 888_888), reused, asked];
        again.extend(records.iter().rev().take(300).cloned());
        world.append(&again).await?;
        let process = world.start().await?;
        world.clean_audit().await?;
        process.stop().await?;
        let after = world.rows().await?;
        assert_eq!((&after.claims, &after.users), (&before.claims, &before.users));
        assert_eq!(after.claims.len() as i64, CLAIMS);

        // The digest knows a replay from a refusal, so the window was the replay's own.
        let config = world.config.clone();
        let replayed = tokio::task::spawn_blocking(move || replay::run(&config)).await??;
        let topic = Topic::Coupon.name(&world.config.topic_prefix);
        let of_log = replayed.iter().find(|found| found.topic == topic && found.partition == 0);
        let place = world.place(Topic::Coupon, 0).await?;
        assert_eq!(
            of_log.map(|found| (found.records, found.digest.clone())),
            place.map(|place| (place.next_offset, format!("{:?}", place.digest)))
        );
        Ok(())
    })
    .await
}
