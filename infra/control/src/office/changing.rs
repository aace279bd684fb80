//! Placing, extending and taking back holds. Each answers at once; how far it is, `/admin/operations/{id}` says.

use super::{
    Office,
    refusal::{Refusal, bad},
    requests::{Extend, Pause, Resume, text, ttl_ms},
};
use crate::{
    Scope, State as Wanted,
    audit::{Kind, Operation},
    hold::{Hold, Holder, Place},
    journal::Change,
    limits,
    records::{Key, Term, Value},
    state::Live,
    topics,
};
use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
};
use rdkafka::admin::{AdminClient, AdminOptions, OwnedResourceSpecifier, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use serde_json::{Value as Object, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};
use uuid::Uuid;

pub(super) type Body<T> = Result<Json<T>, JsonRejection>;
/// What is answered to a change.
pub type Accepted = (StatusCode, Json<Object>);

pub(super) fn body<T>(body: Body<T>) -> Result<T, Refusal> {
    body.map(|Json(body)| body).map_err(|rejection| bad(rejection.body_text()))
}

pub(super) async fn pause(State(office): State<Office>, sent: Body<Pause>) -> Result<Accepted, Refusal> {
    let sent = body(sent)?;
    text("reason", &sent.reason, true)?;
    text("actor", &sent.actor, true)?;
    let scopes = sent.scope.scopes(&office.groups)?;
    let wanted = office.newest().await?;
    let ttl = sent.ttl.as_deref().map(ttl_ms).transpose()?;
    if let (Some(ttl), false) = (ttl, sent.force) {
        office.within_headroom(&scopes, ttl).await?;
    }
    let now = match ttl {
        Some(_) => office.known_now_ms().await?,
        None => office.now_ms(),
    };
    let id = Uuid::new_v4();
    let hold = Hold {
        mode: sent.mode,
        reason: sent.reason.clone(),
        actor: sent.actor.clone(),
        operation: id,
        created_at_ms: now,
        expires_at_ms: ttl.map(|ttl| now.saturating_add(ttl)),
        on_expiry: sent.on_expiry,
    };
    let places = places(sent.holder, &scopes);
    let before = live(&wanted, &places);
    let change = |place: &Place| (Key::Hold(place.clone()), Some(Value::Hold(hold.clone())));
    let changes = places.iter().map(change).collect();
    let operation = Operation {
        id,
        kind: Kind::Pause,
        at_ms: now,
        actor: sent.actor,
        reason: sent.reason,
        holder: Some(sent.holder),
        scopes,
        epoch: 0,
        before: json!(before),
        after: json!(hold),
    };
    let replaced: Vec<Uuid> = before.iter().map(|live| live.operation).collect();
    office.accept(changes, operation, json!({"state": "PAUSING", "replaces": replaced})).await
}

pub(super) async fn resume(State(office): State<Office>, sent: Body<Resume>) -> Result<Accepted, Refusal> {
    let sent = body(sent)?;
    text("reason", &sent.reason, false)?;
    text("actor", &sent.actor, true)?;
    let wanted = office.newest().await?;
    let scopes = sent.scope.as_ref().map(|scope| scope.scopes(&office.groups)).transpose()?;
    let held = held(&wanted, sent.holder, scopes.as_deref())?;
    let now = office.now_ms();
    let ramp = sent.ramp.as_ref().map(|steps| steps.ramp(now)).transpose()?;
    let mut changes: Vec<Change> = Vec::new();
    for live in &held {
        let place = || live.place.clone();
        // Before the hold goes, so that nobody begins at full speed.
        changes.push((Key::Ramp(live.place.scope.clone()), ramp.map(Value::Ramp)));
        changes
            .extend([Key::Term(place()), Key::Expired(place()), Key::Stayed(place())].map(|key| (key, None)));
        changes.push((Key::Hold(place()), None));
    }
    let operation = Operation {
        id: Uuid::new_v4(),
        kind: Kind::Resume,
        at_ms: now,
        actor: sent.actor,
        reason: sent.reason,
        holder: Some(sent.holder),
        scopes: held.iter().map(|live| live.place.scope.clone()).collect(),
        epoch: 0,
        before: json!(held),
        after: json!({"ramp": ramp}),
    };
    office.accept(changes, operation, json!({"state": "RESUMING"})).await
}

pub(super) async fn extend(
    State(office): State<Office>,
    Path(holder): Path<String>,
    sent: Body<Extend>,
) -> Result<Accepted, Refusal> {
    let sent = body(sent)?;
    let holder: Holder = holder
        .parse()
        .map_err(|error: crate::hold::NotAHolder| Refusal::unknown("UNKNOWN_HOLDER", error.to_string()))?;
    text("reason", &sent.reason, false)?;
    text("actor", &sent.actor, true)?;
    let ttl = ttl_ms(&sent.ttl)?;
    let wanted = office.newest().await?;
    let scopes = sent.scope.as_ref().map(|scope| scope.scopes(&office.groups)).transpose()?;
    let held = held(&wanted, holder, scopes.as_deref())?;
    let scopes: Vec<Scope> = held.iter().map(|live| live.place.scope.clone()).collect();
    if !sent.force {
        office.within_headroom(&scopes, ttl).await?;
    }
    let now = office.known_now_ms().await?;
    let terms = held.iter().map(|live| extended(live, &sent, now.saturating_add(ttl)));
    let terms = terms.collect::<Result<Vec<Term>, Refusal>>()?;
    // The first of them that ends.
    let expires_at_ms = terms.iter().filter_map(|term| term.expires_at_ms).min();
    let change = |(live, term): (&Live, Term)| (Key::Term(live.place.clone()), Some(Value::Term(term)));
    let changes = held.iter().zip(terms).map(change).collect();
    let operation = Operation {
        id: Uuid::new_v4(),
        kind: Kind::Extend,
        at_ms: now,
        actor: sent.actor.clone(),
        reason: sent.reason,
        holder: Some(holder),
        scopes,
        epoch: 0,
        before: json!(held),
        after: json!({"expires_at_ms": expires_at_ms}),
    };
    office.accept(changes, operation, json!({"state": "APPLYING", "expires_at_ms": expires_at_ms})).await
}

/// Until when a hold lasts once it was extended until then: never shorter than before, for somebody may rely on it.
fn extended(live: &Live, sent: &Extend, until_ms: i64) -> Result<Term, Refusal> {
    let Live { place, actor, reason, .. } = live;
    if *actor != sent.actor && sent.placed_by.as_ref() != Some(actor) {
        let message = format!(
            "{place} was placed by {actor:?} ({reason}), not by {:?}: ask there, then send placed_by",
            sent.actor
        );
        return Err(Refusal::conflict("HELD_BY_ANOTHER", message));
    }
    if live.expires_at_ms.is_none() && !sent.set_end {
        let message = format!(
            "{place} of {actor:?} ({reason}) has no end, and would get one: send set_end if it is to end by itself"
        );
        return Err(Refusal::conflict("HELD_WITHOUT_END", message));
    }
    let expires_at_ms = Some(live.expires_at_ms.map_or(until_ms, |before| before.max(until_ms)));
    let on_expiry = sent.on_expiry.unwrap_or(live.on_expiry);
    Ok(Term { epoch: live.epoch, expires_at_ms, on_expiry, actor: sent.actor.clone() })
}

fn places(holder: Holder, scopes: &[Scope]) -> Vec<Place> {
    scopes.iter().map(|scope| Place { holder, scope: scope.clone() }).collect()
}

fn live(wanted: &Wanted, places: &[Place]) -> Vec<Live> {
    places.iter().filter_map(|place| wanted.live_at(place)).collect()
}

/// What a holder holds, of these scopes or at all.
fn held(wanted: &Wanted, holder: Holder, scopes: Option<&[Scope]>) -> Result<Vec<Live>, Refusal> {
    let held: Vec<Live> = match scopes {
        Some(scopes) => live(wanted, &places(holder, scopes)),
        None => wanted.live().filter(|live| live.place.holder == holder).collect(),
    };
    if held.is_empty() || scopes.is_some_and(|scopes| held.len() < scopes.len()) {
        let holds: BTreeSet<String> = wanted.live().map(|live| live.place.to_string()).collect();
        let holds: Vec<String> = holds.into_iter().collect();
        let there = if holds.is_empty() {
            "nothing is held".to_owned()
        } else {
            format!("held are {}", holds.join(", "))
        };
        return Err(Refusal::conflict("NOT_HELD", format!("{holder} does not hold that; {there}")));
    }
    Ok(held)
}

impl Office {
    pub(super) async fn accept(
        &self,
        changes: Vec<Change>,
        operation: Operation,
        mut answer: Object,
    ) -> Result<Accepted, Refusal> {
        let id = operation.id;
        if let Err(error) = self.journal.append(changes, operation).await {
            tracing::warn!(%error, "a change was not confirmed");
            let message = format!("{error}; look at /admin/consumers, and ask again: that is safe");
            return Err(Refusal::unavailable("OUTCOME_UNKNOWN", message));
        }
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("operation".to_owned(), json!(id));
        }
        Ok((StatusCode::ACCEPTED, Json(answer)))
    }

    /// A pause that outlives what the log keeps would lose records.
    async fn within_headroom(&self, scopes: &[Scope], ttl_ms: i64) -> Result<(), Refusal> {
        let concerned = |(group, (topic, _)): &(&String, &(String, i32))| {
            scopes.iter().any(|scope| scope.concerns(group, topic))
        };
        let topics: Vec<&str> =
            self.groups.iter().filter(concerned).map(|(_, (topic, _))| topic.as_str()).collect();
        for (topic, kept_ms) in self.retentions_ms(&topics).await? {
            if kept_ms < ttl_ms {
                return Err(Refusal::beyond(format!(
                    "{topic} keeps records for {} s and the ttl is {} s: send force to lose what is older",
                    kept_ms / 1_000,
                    ttl_ms / 1_000
                )));
            }
        }
        Ok(())
    }

    /// As [`Office::retentions_ms`] of all topics, asked now and then; empty where the brokers do not say.
    pub(super) async fn kept_ms(&self) -> BTreeMap<String, i64> {
        let known = self.kept.lock().clone();
        if let Some((asked, kept)) = known
            && asked.elapsed() < limits::RETENTION_INTERVAL
        {
            return kept;
        }
        let topics: BTreeSet<&str> = self.topics.values().map(String::as_str).collect();
        let topics: Vec<&str> = topics.into_iter().collect();
        let Ok(kept) = self.retentions_ms(&topics).await else { return BTreeMap::new() };
        *self.kept.lock() = Some((Instant::now(), kept.clone()));
        kept
    }

    /// For how long topics keep records, in ms; without those that keep them for ever. In one call: somebody waits.
    pub(super) async fn retentions_ms(&self, topics: &[&str]) -> Result<BTreeMap<String, i64>, Refusal> {
        let away = |error: String| {
            Refusal::unavailable("KAFKA_UNAVAILABLE", format!("their retention is not known: {error}"))
        };
        let admin: AdminClient<DefaultClientContext> =
            self.settings.create().map_err(|error: rdkafka::error::KafkaError| away(error.to_string()))?;
        let names: Vec<String> = topics.iter().map(|topic| topics::name(&self.prefix, topic)).collect();
        let resources: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let options = AdminOptions::new().request_timeout(Some(limits::CALL));
        let described = admin.describe_configs(&resources, &options).await;
        let described = described.map_err(|error| away(error.to_string()))?;
        let mut kept = BTreeMap::new();
        for resource in described.into_iter().flatten() {
            let OwnedResourceSpecifier::Topic(name) = &resource.specifier else { continue };
            let Some(topic) = name.strip_prefix(&self.prefix) else { continue };
            let value = |key: &str| resource.get(key).and_then(|entry| entry.value.clone());
            // What is compacted keeps its newest values whatever the retention is.
            if value("cleanup.policy").is_some_and(|policy| policy.contains("delete"))
                && let Some(ms) = value("retention.ms").and_then(|ms| ms.parse().ok()).filter(|ms| *ms >= 0)
            {
                kept.insert(topic.to_owned(), ms);
            }
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mode, OnExpiry};

    /// The new end, or the code of the refusal.
    type Right = Result<i64, &'static str>;

    fn placed(by: &str, expires_at_ms: Option<i64>) -> Live {
        Live {
            place: Place { holder: Holder::Operator, scope: Scope::All },
            epoch: 7,
            mode: Mode::Drain,
            reason: "why".into(),
            actor: by.into(),
            operation: Uuid::from_u128(1),
            created_at_ms: 0,
            expires_at_ms,
            on_expiry: OnExpiry::Resume,
            overdue: None,
        }
    }

    #[test]
    fn extending_never_shortens_and_what_is_anothers_or_without_an_end_is_asked_about() {
        let (none, ben, eve) = (None, Some("ben"), Some("eve"));
        // Placed by, its end, whether an end may be set, who is named; the new end, or the code of the refusal. Ann asks.
        let table: [(_, _, _, _, Right); 11] = [
            ("ann", Some(50), false, none, Ok(100)),
            ("ann", Some(100), false, none, Ok(100)),
            ("ann", Some(900), false, none, Ok(900)),
            ("ann", Some(900), true, none, Ok(900)),
            ("ann", None, false, none, Err("HELD_WITHOUT_END")),
            ("ann", None, true, none, Ok(100)),
            ("ben", Some(50), false, none, Err("HELD_BY_ANOTHER")),
            ("ben", Some(50), true, eve, Err("HELD_BY_ANOTHER")),
            ("ben", Some(50), false, ben, Ok(100)),
            ("ben", None, false, ben, Err("HELD_WITHOUT_END")),
            ("ben", None, true, ben, Ok(100)),
        ];
        for (by, end, set_end, named, right) in table {
            let sent = json!({"ttl": "1m", "actor": "ann", "set_end": set_end, "placed_by": named});
            let sent: Extend = serde_json::from_value(sent).unwrap();
            let found = extended(&placed(by, end), &sent, 100);
            let found = found.map(|term| term.expires_at_ms.unwrap()).map_err(|refusal| refusal.code());
            assert_eq!(found, right, "{by} {end:?} {set_end} {named:?}");
        }
    }
}
