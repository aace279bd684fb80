//! Sees the time of holds pass and writes that down, once for each; everybody obeys what is written.

use crate::{
    OnExpiry,
    audit::{Kind, Operation},
    journal::Journal,
    limits,
    office::now_ms,
    records::{Key, Passed, Value},
    state::Live,
    tail::View,
};
use chassis::shutdown::CancellationToken;
use serde_json::json;
use std::{pin::Pin, time::Instant};
use uuid::Uuid;

/// Answers whether the database takes writes.
pub type Healthy = Box<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// See the module.
pub struct Expiry {
    view: View,
    journal: Journal,
    instance: String,
    healthy: Healthy,
}

impl Expiry {
    /// At an instance that can say how the database is.
    #[must_use]
    pub fn new(view: View, journal: Journal, instance: &str, healthy: Healthy) -> Self {
        Self { view, journal, instance: instance.to_owned(), healthy }
    }

    /// Works until shutdown.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(limits::EXPIRY_POLL);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = tick.tick() => {}
            }
            let Some(state) = self.view.state() else { continue };
            let now = now_ms();
            let passed =
                |live: &Live| live.expires_at_ms.is_some_and(|at| at <= now) && live.overdue.is_none();
            let due: Vec<Live> = state.live().filter(passed).collect();
            for live in due {
                self.note(live).await;
            }
        }
    }

    /// Whether a word on a hold that was looked at then still counts: whoever was frozen or cut off meanwhile must not
    /// judge late what others have judged, and least of all bring a hold back that has ended.
    fn is_still_due(&self, live: &Live, began: Instant) -> bool {
        let now = self.view.state().and_then(|state| state.live_at(&live.place));
        let is_same = now.is_some_and(|now| {
            (now.epoch, now.expires_at_ms) == (live.epoch, live.expires_at_ms) && now.overdue.is_none()
        });
        is_same && self.view.trouble().is_none() && began.elapsed() <= limits::VERDICT
    }

    async fn note(&self, live: Live) {
        let began = Instant::now();
        let stays = match live.on_expiry {
            OnExpiry::Resume => None,
            OnExpiry::StayAndAlert => Some("it was placed to stay".to_owned()),
            OnExpiry::ResumeIfDatabaseHealthy => {
                (!(self.healthy)().await).then(|| "the database does not take writes".to_owned())
            }
        };
        let Some(expires_at_ms) = live.expires_at_ms.filter(|_| self.is_still_due(&live, began)) else {
            return;
        };
        let instance = self.instance.clone();
        let passed = Passed { epoch: live.epoch, expires_at_ms, instance, reason: stays.clone() };
        let (place, scope) = (live.place.clone(), live.place.scope.clone());
        let change = match stays {
            None => (Key::Expired(place), Some(Value::Expired(passed))),
            Some(_) => (Key::Stayed(place), Some(Value::Stayed(passed))),
        };
        match &stays {
            None => tracing::info!(hold = %live.place, "its time has passed; it is taken back"),
            Some(why) => {
                tracing::error!(hold = %live.place, why, "its time has passed and it stays: a person must look")
            }
        }
        let operation = Operation {
            id: Uuid::new_v4(),
            kind: Kind::Expire,
            at_ms: now_ms(),
            actor: self.instance.clone(),
            reason: stays.clone().unwrap_or_default(),
            holder: Some(live.place.holder),
            scopes: vec![scope],
            epoch: 0,
            before: json!(live),
            after: json!({"stays": stays}),
        };
        if let Err(error) = self.journal.append(vec![change], operation).await {
            tracing::warn!(%error, "that a hold's time has passed was not recorded; trying again");
        }
    }
}
