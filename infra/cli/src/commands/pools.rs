//! `tidemark pools`: the database connections of every process that was named. Each knows its own only.

use super::database;
use crate::{admin::Answer, answers::Pools, failure::Failure, moment, screen, settings::Desk, table::Table};
use serde_json::{Value, json};
use std::{fmt::Write, time::Duration};

/// Does it.
///
/// # Errors
/// Somebody did not say.
pub(crate) fn run(desk: &Desk) -> Result<(), Failure> {
    let (mut said, mut away, mut refused) = (Vec::new(), Vec::new(), None);
    for (url, answer) in desk.admin.get_from_each("/admin/pools") {
        match answer {
            Ok(answer) => said.push(answer),
            Err(Failure::Nobody(why)) => away.extend(why),
            Err(failure) => refused = Some(elsewhere(&url, &failure)),
        }
    }
    if desk.json {
        let all: Vec<Value> =
            said.iter().map(|answer| json!({"url": answer.url, "said": answer.body})).collect();
        screen::print_json(&all)?;
    } else if !said.is_empty() {
        let database = database::look(desk).and_then(|answer| database::text(&answer));
        screen::print(&format!("{}{}", picture(&said)?, database.unwrap_or_default()))?;
    }
    match (refused, away.is_empty()) {
        (Some(failure), _) => Err(failure),
        (None, false) if said.is_empty() => Err(Failure::Nobody(away)),
        (None, false) => Err(Failure::Failed {
            message: format!("not everybody answers\n  {}", away.join("\n  ")),
            next: "what is shown above is of the others".into(),
        }),
        (None, true) => Ok(()),
    }
}

fn elsewhere(url: &str, failure: &Failure) -> Failure {
    Failure::Failed { message: format!("{url}: {failure}"), next: failure.next().to_owned() }
}

fn picture(said: &[Answer]) -> Result<String, Failure> {
    let mut table = Table::new(&["PROCESS", "POOL", ">OPEN", ">IDLE", ">MIN", ">MAX", ">ACQUIRE TIMEOUT"]);
    for answer in said {
        for pool in answer.read::<Pools>()?.pools {
            table.row([
                answer.url.clone(),
                pool.name,
                pool.open.to_string(),
                pool.idle.to_string(),
                pool.min.to_string(),
                pool.max.to_string(),
                moment::span(Duration::from_millis(pool.acquire_timeout_ms)),
            ]);
        }
    }
    let mut text = table.to_string();
    // The same everywhere: it stands in `control`.
    let tunings = said.first().and_then(|answer| answer.body.get("tunings")).and_then(Value::as_object);
    for (key, tuning) in tunings.into_iter().flatten() {
        let _ = writeln!(text, "{key}: {tuning}");
    }
    Ok(text)
}
