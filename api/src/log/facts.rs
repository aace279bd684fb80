//! Appends facts of `external-platform`: what the platform told us. A fact counts once the brokers have it; nobody folds
//! it here, and what becomes of it is the business of `consumers`.

use super::producer::{Appender, Delivery, NotTaken};
use crate::{ingress::Failure, limits};
use parking_lot::Mutex;
use schemas::{
    codec::{CodecError, FactCodec},
    fact::Fact,
    partition,
    records::RegisteredSchema,
    topics::FactTopic,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{Semaphore, oneshot};

/// The topic of facts that this process writes.
pub struct FactLog {
    appender: Arc<Appender>,
    codec: FactCodec,
    topic: String,
    places: Semaphore,
    deadline: Duration,
}

/// Tells the one who waits whether the brokers have it.
struct Notice(Mutex<Option<oneshot::Sender<bool>>>);

impl Notice {
    fn tell(&self, has_it: bool) {
        if let Some(waiting) = self.0.lock().take() {
            let _ = waiting.send(has_it);
        }
    }
}

impl Delivery for Notice {
    fn acknowledged(&self, _offset: u64) {
        self.tell(true);
    }

    fn failed(&self) {
        self.tell(false);
    }
}

impl FactLog {
    /// With the schemas that the log's founding rules list; a fact's answer comes within the deadline.
    ///
    /// # Errors
    /// Where the list and this binary disagree.
    pub fn new(
        appender: Arc<Appender>,
        schemas: &[RegisteredSchema],
        prefix: &str,
        deadline: Duration,
    ) -> Result<Self, CodecError> {
        Ok(Self {
            appender,
            codec: FactCodec::new(schemas)?,
            topic: FactTopic::ExternalPlatform.name(prefix),
            places: Semaphore::new(limits::MAX_FACTS_IN_FLIGHT),
            deadline,
        })
    }

    /// Appends a fact under its key and waits until the brokers have it.
    ///
    /// # Errors
    /// See [`Failure`]. After `OutcomeUnknown` it may be there or not; a second one of the same key does no harm.
    pub async fn append(&self, fact: &Fact) -> Result<(), Failure> {
        let Ok(_place) = self.places.try_acquire() else { return Err(Failure::Overloaded) };
        let mut payload = Vec::with_capacity(256);
        self.codec.encode(fact, &mut payload).map_err(|error| Failure::Unwritable(error.to_string()))?;
        let (tell, told) = oneshot::channel();
        let notice = Box::new(Notice(Mutex::new(Some(tell))));
        let (home, key) = (partition::home_of_fact(fact), partition::key_of_fact(fact));
        match self.appender.append_keyed((&self.topic, home), key.as_bytes(), &payload, notice) {
            Ok(()) => {}
            Err(NotTaken::QueueFull) => return Err(Failure::Overloaded),
            Err(NotTaken::Refused(reason)) => {
                tracing::error!(reason, topic = self.topic, "the producer refuses facts");
                return Err(Failure::OutcomeUnknown);
            }
        }
        match tokio::time::timeout(self.deadline, told).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false) | Err(_)) | Err(_) => Err(Failure::OutcomeUnknown),
        }
    }
}
