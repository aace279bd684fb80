//! A log that is not the one that MySQL was filled from: the process ends and says so.

use crate::{records::guest_of, world::in_world};
use schemas::Topic;

const OF_PARTITION_2: &str = "WHERE group_name = 'signup-projection' AND partition_id = 2";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_history_ends_the_process() -> anyhow::Result<()> {
    in_world(async |world| {
        world.append(&[guest_of(2), guest_of(2)]).await?;
        let process = world.start().await?;
        world.clean_audit().await?;
        process.stop().await?;
        world.keep_copy().await?;
        let cases = [
            ("last_record_hash = X'0123456789abcdef'", "the last applied record is another one in this log"),
            ("next_offset = 4", "MySQL is not within the log"),
        ];
        for (change, expected) in cases {
            world.sql(&format!("UPDATE projection_offset SET {change} {OF_PARTITION_2}")).await?;
            let reason = world.start().await?.its_end().await?;
            let topic = Topic::Signup.name(&world.config.topic_prefix);
            assert!(reason.contains(expected) && reason.contains(&format!("{topic}-2")), "{reason}");
            assert!(reason.contains("Restore the log"), "it does not say what to do: {reason}");
            world.put_back_copy().await?;
        }
        world.append(&[guest_of(2)]).await?;
        let process = world.start().await?;
        world.clean_audit().await?;
        // Also where it shows only later, on the way back from a zombie's refusal.
        let change = "epoch = epoch + 1, last_record_hash = X'0123456789abcdef'";
        world.sql(&format!("UPDATE projection_offset SET {change} {OF_PARTITION_2}")).await?;
        world.append(&[guest_of(2)]).await?;
        let reason = process.its_end().await?;
        assert!(reason.contains("the last applied record is another one in this log"), "{reason}");
        Ok(())
    })
    .await
}
