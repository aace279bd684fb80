//! `tidemark status`: everything that is wanted and everything that is, once or again and again.

use super::{
    database,
    picture::{self, Backlog},
    pools,
};
use crate::{
    admin::Answer,
    answers::{Consumers, DeadLetters, Dispatches},
    failure::Failure,
    limits, screen,
    settings::Desk,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, thread};

/// See the module.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show it again every 2 s, until Ctrl-C.
    #[arg(long)]
    watch: bool,
    /// Each partition in a line of its own.
    #[arg(long)]
    partitions: bool,
}

/// What was seen at one look.
struct Look {
    consumers: Answer,
    backlog: Backlog,
    pools: pools::Look,
    database: Option<Answer>,
}

/// Does it.
///
/// # Errors
/// Nobody answers.
pub(crate) fn run(desk: &Desk, args: &Args) -> Result<(), Failure> {
    if !args.watch {
        let look = look(desk)?;
        if desk.json {
            return screen::print_json(&look.to_json());
        }
        return screen::print(&paint(&look, args)?);
    }
    let mut is_first = true;
    loop {
        let seen = look(desk);
        if desk.json {
            let line = seen.map_or_else(|failure| failure.to_json(), |look| look.to_json());
            screen::print(&line.to_string())?;
        } else {
            // Whoever watches wants to see it come back.
            let text = seen.and_then(|look| paint(&look, args));
            let text = text.unwrap_or_else(|failure| format!("{failure}\nnext: {}", failure.next()));
            screen::repaint(&text, is_first)?;
        }
        is_first = false;
        thread::sleep(limits::REFRESH);
    }
}

fn paint(look: &Look, args: &Args) -> Result<String, Failure> {
    let consumers: Consumers = look.consumers.read()?;
    let who = format!("asked {}", look.consumers.url);
    let now = look.consumers.now_ms;
    let picture = picture::paint(&consumers, &look.backlog, &look.pools.text(), now, args.partitions);
    let database = look.database.as_ref().and_then(database::text).map(|text| format!("{text}\n"));
    Ok(format!("{picture}\n{}{who}", database.unwrap_or_default()))
}

fn look(desk: &Desk) -> Result<Look, Failure> {
    let consumers = desk.admin.get("/admin/consumers", limits::ASK)?;
    Ok(Look { consumers, backlog: backlog(desk), pools: pools::look(desk), database: database::look(desk) })
}

fn backlog(desk: &Desk) -> Backlog {
    let path = format!("/admin/dispatches?state=FAILED&limit={}", limits::DISPATCH_PAGE);
    let failed = desk.admin.get(&path, limits::ASK).and_then(|answer| answer.read::<Dispatches>());
    let path = format!("/admin/dead-letters?limit={}", limits::DEAD_LETTERS);
    let found = desk.admin.get(&path, limits::LETTERS).and_then(|answer| answer.read::<DeadLetters>());
    let by_topic = |found: DeadLetters| {
        let mut topics = BTreeMap::new();
        for letter in found.dead_letters {
            *topics.entry(letter.topic).or_insert(0) += 1;
        }
        topics
    };
    Backlog {
        failed_dispatches: failed.map(|failed| failed.dispatches.len()).map_err(why),
        dead_letters: found.map(by_topic).map_err(why),
    }
}

fn why(failure: Failure) -> String {
    match failure {
        Failure::Refused { status: 404, .. } => "no consumers process answered".to_owned(),
        failure => failure.in_a_line(),
    }
}

impl Look {
    fn to_json(&self) -> Value {
        let Backlog { failed_dispatches, dead_letters } = &self.backlog;
        json!({
            "asked": self.consumers.url, "consumers": self.consumers.body,
            "failedDispatches": failed_dispatches.as_ref().ok(), "deadLetters": dead_letters.as_ref().ok(),
            "pools": self.pools.to_json(), "database": self.database.as_ref().map(|answer| &answer.body),
            // Why something above is empty that may not be.
            "notKnown": {
                "failedDispatches": failed_dispatches.as_ref().err(), "deadLetters": dead_letters.as_ref().err(),
                "pools": self.pools.not_known(),
            },
        })
    }
}
