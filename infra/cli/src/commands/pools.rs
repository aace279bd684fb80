//! `tidemark pools`: the database connections of every process that was named. Each knows its own only.

use super::database;
use crate::{admin::Answer, answers::Pools, failure::Failure, moment, screen, settings::Desk, table::Table};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write, time::Duration};

/// What each process that was named says, or why it does not.
pub(super) struct Look {
    said: Vec<Answer>,
    silent: Vec<(String, Failure)>,
}

/// Asks all of them.
pub(super) fn look(desk: &Desk) -> Look {
    let mut look = Look { said: Vec::new(), silent: Vec::new() };
    for (url, answer) in desk.admin.get_from_each("/admin/pools") {
        match answer {
            Ok(answer) => look.said.push(answer),
            Err(failure) => look.silent.push((url, failure)),
        }
    }
    look
}

impl Look {
    /// For programs: what was said.
    pub(super) fn to_json(&self) -> Vec<Value> {
        self.said.iter().map(|answer| json!({"url": answer.url, "said": answer.body})).collect()
    }

    /// Who did not say it, and why.
    pub(super) fn not_known(&self) -> BTreeMap<&str, String> {
        self.silent.iter().map(|(url, failure)| (url.as_str(), failure.in_a_line())).collect()
    }

    /// Beside other things: the connections, and who does not say.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if !self.said.is_empty() {
            text = match table(&self.said) {
                Ok(table) => table.to_string(),
                Err(failure) => format!("pools: not known ({})\n", failure.in_a_line()),
            };
        }
        for (url, why) in self.not_known() {
            let _ = writeln!(text, "pools of {url}: not known ({why})");
        }
        text
    }
}

/// Does it.
///
/// # Errors
/// Somebody did not say.
pub(crate) fn run(desk: &Desk) -> Result<(), Failure> {
    let look = look(desk);
    let (said, mut away, mut refused) = (&look.said, Vec::new(), None);
    for (url, failure) in &look.silent {
        match failure {
            Failure::Nobody(why) => away.extend(why.iter().cloned()),
            failure => refused = Some(elsewhere(url, failure)),
        }
    }
    if desk.json {
        screen::print_json(&look.to_json())?;
    } else if !said.is_empty() {
        let database = database::look(desk).and_then(|answer| database::text(&answer));
        screen::print(&format!("{}{}", picture(said)?, database.unwrap_or_default()))?;
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

fn table(said: &[Answer]) -> Result<Table, Failure> {
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
    Ok(table)
}

fn picture(said: &[Answer]) -> Result<String, Failure> {
    let mut text = table(said)?.to_string();
    // The same everywhere: it stands in `control`.
    let tunings = said.first().and_then(|answer| answer.body.get("tunings")).and_then(Value::as_object);
    for (key, tuning) in tunings.into_iter().flatten() {
        let _ = writeln!(text, "{key}: {tuning}");
    }
    Ok(text)
}
