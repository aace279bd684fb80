//! How far an operation is that no group has to come to rest for: settings, records to pass over, another server. Here
//! everybody counts who is heard of, for an API process is no member of any group.

use crate::{
    Address,
    acks::Report,
    audit::Operation,
    progress::{Evidence, Instance, PATIENCE_MS, Progress, Standing},
};

impl Evidence<'_> {
    /// Whether everybody obeys it.
    pub(crate) fn applying(&self, operation: &Operation) -> Progress {
        self.asked(operation, Standing::Applying, |_| None)
    }

    /// Whether everybody uses the server that it named.
    pub(crate) fn switching(&self, operation: &Operation) -> Progress {
        let named = self.state.database().filter(|(_, database)| database.operation == operation.id);
        let Some((_, database)) = named else { return Progress::of(Standing::Replaced) };
        self.asked(operation, Standing::Switching, |report| {
            let uses = report.database.as_ref();
            let elsewhere = || match uses.map(Address::as_str) {
                Some(other) => {
                    format!("it still uses {other}; what reads follows once the new server has caught up")
                }
                None => "it has not said which server it uses".to_owned(),
            };
            (uses != Some(&database.address)).then(elsewhere)
        })
    }

    fn asked(
        &self,
        operation: &Operation,
        meanwhile: Standing,
        missing: impl Fn(&Report) -> Option<String>,
    ) -> Progress {
        let mut progress = Progress::of(Standing::Done);
        for report in self.reports.live(self.now_ms) {
            let obeys = report.applied.is_some_and(|applied| applied > operation.epoch);
            let missing = match obeys {
                true => missing(report),
                false => Some("it has not heard of it yet".to_owned()),
            };
            let confirmed = missing.is_none();
            progress.confirmed += usize::from(confirmed);
            if let Some(why) = missing {
                progress.missing.insert(report.instance.clone(), why);
            }
            progress.instances.push(Instance { confirmed, ..Instance::named(&report.instance) });
        }
        if progress.confirmed == 0 && progress.missing.is_empty() {
            let why = "nobody has said anything for a while".to_owned();
            progress.missing.insert("everybody".to_owned(), why);
        }
        if !progress.missing.is_empty() {
            let late = self.now_ms - operation.at_ms > PATIENCE_MS;
            progress.state = if late { Standing::Partial } else { meanwhile };
        }
        progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Database, State, acks::Reports, audit::Kind, limits, records::Value};
    use std::collections::BTreeMap;
    use uuid::Uuid;

    const NOW_MS: i64 = 1_000_000;

    fn operation(kind: Kind) -> Operation {
        Operation {
            id: Uuid::from_u128(7),
            kind,
            at_ms: NOW_MS,
            actor: "a".into(),
            reason: "r".into(),
            holder: None,
            scopes: Vec::new(),
            epoch: 5,
            before: serde_json::Value::Null,
            after: serde_json::Value::Null,
        }
    }

    fn database(operation: u128) -> Database {
        Database {
            address: "mysql://new:1/t".parse().unwrap(),
            previous: "mysql://old:1/t".parse().unwrap(),
            way_back_until_ms: 0,
            operation: Uuid::from_u128(operation),
            actor: "a".into(),
            reason: "r".into(),
            at_ms: 0,
        }
    }

    fn reports(said: &[(&str, Option<u64>, &str, i64)]) -> Reports {
        let mut reports = Reports::default();
        for (instance, applied, uses, age_ms) in said {
            let report = Report {
                instance: (*instance).to_owned(),
                // By a clock that is an hour wrong: it counts nowhere.
                at_ms: NOW_MS - age_ms + 3_600_000,
                applied: *applied,
                database: uses.parse().ok(),
                ..Report::default()
            };
            reports.apply(instance, Some(&serde_json::to_vec(&report).unwrap()), NOW_MS - age_ms);
        }
        reports
    }

    fn progress(kind: Kind, switched_by: u128, reports: &Reports, late_ms: i64) -> Progress {
        let mut state = State::default();
        let value = Value::Database(database(switched_by)).to_bytes().unwrap();
        state.apply(5, "database/mysql", Some(&value));
        let (members, topics) = (BTreeMap::new(), BTreeMap::new());
        let evidence =
            Evidence { state: &state, reports, members: &members, topics: &topics, now_ms: NOW_MS + late_ms };
        evidence.progress(&operation(kind))
    }

    #[test]
    fn settings_are_done_once_everybody_who_is_heard_of_has_read_them() {
        let stale = i64::try_from(limits::REPORT_STALE.as_millis()).unwrap() + 1;
        let all = reports(&[("a", Some(6), "", 0), ("left", None, "", 0), ("dead", Some(1), "", stale)]);
        let done = progress(Kind::Tune, 7, &all, 0);
        assert_eq!((done.state, done.confirmed), (Standing::Done, 1));
        let nobody = progress(Kind::Tune, 7, &reports(&[("dead", Some(6), "", stale)]), 0);
        assert_eq!((nobody.state, nobody.confirmed), (Standing::Applying, 0));
        let behind = reports(&[("a", Some(6), "", 0), ("b", Some(5), "", 0)]);
        assert_eq!(progress(Kind::Skip, 7, &behind, 0).state, Standing::Applying);
        let late = progress(Kind::Skip, 7, &behind, PATIENCE_MS + 1);
        assert_eq!((late.state, late.confirmed, late.missing.len()), (Standing::Partial, 1, 1));
        assert!(late.missing["b"].contains("not heard"), "{late:?}");
    }

    #[test]
    fn a_switch_is_done_once_everybody_uses_the_server_it_named() {
        let one = reports(&[("a", Some(6), "mysql://new:1/t", 0), ("b", Some(6), "mysql://old:1/t", 0)]);
        let switching = progress(Kind::Cutover, 7, &one, 0);
        assert_eq!((switching.state, switching.confirmed), (Standing::Switching, 1));
        assert!(switching.missing["b"].contains("mysql://old:1/t"), "{switching:?}");
        let both = reports(&[("a", Some(6), "mysql://new:1/t", 0), ("b", Some(6), "mysql://new:1/t", 0)]);
        assert_eq!(progress(Kind::Cutover, 7, &both, 0).state, Standing::Done);
        assert_eq!(progress(Kind::Cutover, 8, &both, 0).state, Standing::Replaced);
    }
}
