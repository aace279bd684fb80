//! `consumers init`: one log, whoever founds it and how often.

use crate::{
    patience::making,
    records::guest_of,
    world::{Entry, World, in_bare_world, in_bare_world_without_mysql, in_world_without_mysql},
};
use chassis::log_reader::LogReader;
use consumers::{config::Config, log, tools::init};
use rdkafka::admin::{NewTopic, TopicReplication};
use schemas::{LogId, Topic, records::Mode};

async fn create_topic(world: &World, topic: Topic, partitions: i32, timestamps: &str) -> anyhow::Result<()> {
    let name = topic.name(&world.config.topic_prefix);
    let topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
    let topic = topic.set("retention.ms", "-1").set("message.timestamp.type", timestamps);
    world.admin()?.create_topics(&[topic], &making()).await?;
    Ok(())
}

/// Why `init` refuses these settings.
async fn refusal(config: &Config) -> String {
    match init::run(config).await {
        Ok(()) => "not refused".to_owned(),
        Err(error) => format!("{error:#}"),
    }
}

async fn log_ids(world: &World) -> anyhow::Result<Vec<Option<LogId>>> {
    let config = world.config.clone();
    let look = move || -> anyhow::Result<Vec<Option<LogId>>> {
        let reader: LogReader = log::patient_reader(&config)?;
        let mut ids = Vec::new();
        for topic in Topic::ALL {
            for partition in 0..topic.partitions() {
                let founding = log::founding(&reader, &topic.name(&config.topic_prefix), partition)?;
                ids.push(founding.map(|rules| rules.log_id));
            }
        }
        Ok(ids)
    };
    tokio::task::spawn_blocking(look).await?
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn founding_at_once_and_again_gives_one_log() -> anyhow::Result<()> {
    in_bare_world(async |world| {
        let (one, two) = tokio::join!(init::run(&world.config), init::run(&world.config));
        one?;
        two?;
        let ids = log_ids(world).await?;
        assert_eq!(ids.len(), 13);
        assert!(ids[0].is_some() && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        init::run(&world.config).await?;
        assert_eq!(log_ids(world).await?, ids, "founding again changed the log");
        let process = world.start().await?;
        world.clean_audit().await?;
        process.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_founded_log_refuses_another_mode_and_other_keys() -> anyhow::Result<()> {
    in_world_without_mysql(async |world| {
        let before = world.ends().await?;
        let with = |change: fn(&mut Config)| {
            let mut config = world.config.clone();
            change(&mut config);
            config
        };
        let (stage, email, fingerprint, short, text) = (
            with(|config| config.mode = Mode::Stage),
            with(|config| config.email_key = "00".repeat(32)),
            with(|config| config.fingerprint_key = "00".repeat(32)),
            with(|config| config.email_key = "00".repeat(15)),
            with(|config| config.fingerprint_key = "not hexadecimal".to_owned()),
        );
        let refusals = tokio::join!(
            refusal(&stage),
            refusal(&email),
            refusal(&fingerprint),
            refusal(&short),
            refusal(&text),
        );
        let expected = [
            (refusals.0, "founded in Secure mode"),
            (refusals.1, "TIDEMARK_EMAIL_KEY is not the key that this log was founded with"),
            (refusals.2, "TIDEMARK_FINGERPRINT_KEY is not the key that this log was founded with"),
            (refusals.3, "TIDEMARK_EMAIL_KEY has fewer than 16 bytes"),
            (refusals.4, "TIDEMARK_FINGERPRINT_KEY is not hexadecimal"),
        ];
        for (refusal, expected) in expected {
            assert!(refusal.contains(expected), "{expected:?} is not said: {refusal}");
        }
        let started = world.start_with(stage).await.map(drop);
        let refusal = started.map_or_else(|error| format!("{error:#}"), |()| "it started".to_owned());
        assert!(refusal.contains("a log never changes its mode"), "{refusal}");
        assert_eq!(world.ends().await?, before, "something was appended");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_with_another_partition_count_are_refused() -> anyhow::Result<()> {
    in_bare_world_without_mysql(async |world| {
        create_topic(world, Topic::Coupon, 5, "LogAppendTime").await?;
        let refusal = refusal(&world.config).await;
        assert!(refusal.contains("coupon has 5 partitions, not 8"), "{refusal}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_keep_the_clients_time_are_refused() -> anyhow::Result<()> {
    in_bare_world_without_mysql(async |world| {
        create_topic(world, Topic::Signup, 4, "CreateTime").await?;
        let refusal = refusal(&world.config).await;
        assert!(refusal.contains("signup must have message.timestamp.type=LogAppendTime"), "{refusal}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_before_the_rules_is_no_record() -> anyhow::Result<()> {
    in_bare_world(async |world| {
        create_topic(world, Topic::Signup, 4, "LogAppendTime").await?;
        let early = Entry { topic: Topic::Signup, partition: 0, payload: Some(b"too early".to_vec()) };
        world.append_entries(vec![early]).await?;
        init::run(&world.config).await?;
        world.append(&[guest_of(0)]).await?;
        let process = world.start().await?;
        world.clean_audit().await?;
        process.stop().await?;
        assert_eq!(
            world.number("SELECT CAST(SUM(id) AS SIGNED) AS n FROM users").await?,
            1,
            "user 1 and nobody else"
        );
        // Not even a dead letter: nobody could tell it from a record.
        Ok(())
    })
    .await
}
