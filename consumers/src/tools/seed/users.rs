//! Sample users.

use super::Seed;
use crate::log;
use anyhow::{Context, bail};
use domain::accounts::Accounts;
use schemas::{Topic, UserId, Uuid, partition, records::SignedUp};

/// Users 1 to 5.
const USERS: u64 = 5;

impl Seed<'_> {
    /// The event id of a sample user: the first of a fixed sequence that belongs into the user's partition.
    fn event_id(&self, user: u64) -> anyhow::Result<Uuid> {
        let home = partition::of_id(user as i64, Topic::Signup);
        let namespace = Uuid::from_bytes(self.log_id.0);
        (0..1_000_u32)
            .map(|n| Uuid::new_v5(&namespace, format!("sample user {user}, try {n}").as_bytes()))
            .find(|id| partition::of_event_id(*id) == home)
            .context("no event id of a thousand falls into the user's partition")
    }

    pub(super) async fn users(&self) -> anyhow::Result<()> {
        for user in 1..=USERS {
            let event_id = self.event_id(user)?;
            let home = partition::of_id(user as i64, Topic::Signup);
            if self.has_asked(home, event_id).await? {
                continue;
            }
            let accounts = self.folded::<Accounts>(Topic::Signup, home).await?;
            if accounts.header().next_seq > Accounts::seq_of(UserId::new(user).context("a user id")?) {
                bail!(
                    "user {user} is somebody else: sample data needs a log in which nobody has signed up yet"
                );
            }
            self.append(SignedUp { event_id, fingerprint: None, email_hmac: None, account: None }.into())
                .await?;
            tracing::info!(user, "sample user");
        }
        Ok(())
    }

    /// Whether a sign-up of ours stands in the log.
    async fn has_asked(&self, partition: i32, event_id: Uuid) -> anyhow::Result<bool> {
        let (config, codec) = (self.config.clone(), self.codec.clone());
        let topic = Topic::Signup.name(&config.topic_prefix);
        let look = move || {
            anyhow::Ok(log::patient_reader(&config)?.find_first(&topic, partition, |raw| {
                let record = codec.decode(Topic::Signup, raw.payload).ok()?;
                (record.envelope().0 == event_id).then_some(())
            })?)
        };
        Ok(tokio::task::spawn_blocking(look).await??.is_some())
    }
}
