//! Sees the time of holds pass and writes that down, once for each; everybody obeys what is written.
//!
//! Time is when the brokers appended the newest report: one instance whose clock runs an hour ahead must not end a hold that
//! others rely on. While the brokers append nothing no hold ends, and none could.

use crate::{
    OnExpiry, State,
    audit::{Kind, Operation},
    journal::Journal,
    limits,
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

/// The holds whose time has passed, and of which nobody has said so.
fn due(state: &State, stamped_ms: i64) -> Vec<Live> {
    let passed =
        |live: &Live| live.expires_at_ms.is_some_and(|at| at <= stamped_ms) && live.overdue.is_none();
    state.live().filter(passed).collect()
}

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
            let (Some(state), Some(stamped_ms)) = (self.view.state(), self.view.stamped_ms()) else {
                continue;
            };
            for live in due(&state, stamped_ms) {
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
            at_ms: self.view.now_ms(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Hold, Holder, Mode, Scope,
        clock::{Hearing, LogClock},
        hold::Place,
    };

    const PLACED_MS: i64 = 1_790_000_000_000;
    const TTL_MS: i64 = 45 * 60_000;
    const HOUR_MS: i64 = 3_600_000;

    fn held() -> State {
        let hold = Hold {
            mode: Mode::Drain,
            reason: "r".into(),
            actor: "a".into(),
            operation: Uuid::from_u128(1),
            created_at_ms: PLACED_MS,
            expires_at_ms: Some(PLACED_MS + TTL_MS),
            on_expiry: OnExpiry::Resume,
        };
        let mut state = State::default();
        let place = Place { holder: Holder::Operator, scope: Scope::All };
        let value = Value::Hold(hold).to_bytes().unwrap();
        state.apply(0, &Key::Hold(place).to_string(), Some(&value));
        state
    }

    #[test]
    fn a_hold_ends_when_the_brokers_have_come_so_far_whatever_reports_say_and_however_long_was_waited() {
        let (state, began) = (held(), Instant::now());
        for minutes in -60..=60 {
            let appended_ms = PLACED_MS + TTL_MS + minutes * 60_000;
            for off_ms in [-HOUR_MS, -30_000, 0, 30_000, HOUR_MS] {
                let mut clock = LogClock::new(began);
                clock.hear(appended_ms, Hearing::Live, began);
                // What a process' own clock says, and the time that passes here while the brokers are silent, end nothing.
                let silent = began + std::time::Duration::from_millis(off_ms.unsigned_abs());
                assert!(clock.now_ms(silent).is_some_and(|now| now >= appended_ms));
                let ends = due(&state, clock.stamped_ms().unwrap()).len();
                assert_eq!(ends, usize::from(minutes >= 0), "{minutes} min, {off_ms} ms");
            }
        }
    }
}
