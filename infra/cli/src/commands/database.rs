//! Which MySQL counts, and the way back from it: for the commands that show more than that.

use super::cutover::way_back;
use crate::{admin::Answer, answers::Database, limits, moment, settings::Desk};
use std::fmt::Write;

/// Asks; nothing where nobody says it, as processes of an older version.
pub(super) fn look(desk: &Desk) -> Option<Answer> {
    desk.admin.get("/admin/database", limits::ASK).ok()
}

/// In a line, and one for each process that uses another one.
pub(super) fn text(answer: &Answer) -> Option<String> {
    Some(draw(&answer.read().ok()?, answer.now_ms))
}

fn draw(database: &Database, now_ms: i64) -> String {
    let Database { address, configured, since_ms, instances, .. } = database;
    let mut text = format!("database: {address}");
    if *configured {
        text.push_str(" (as configured)");
    } else {
        if let Some(since) = since_ms {
            let _ = write!(text, " since {}", moment::clock(*since, now_ms));
        }
        let _ = write!(text, "; {}", way_back(database, false, now_ms));
    }
    for instance in instances {
        if let Some(other) = instance.address.as_ref().filter(|other| *other != address) {
            let _ = write!(text, "\n  {} still uses {other}", instance.id);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    const NOW: i64 = 1_795_000_000_000;

    #[test]
    fn the_server_that_counts_is_named_with_whoever_uses_another_one() {
        let configured = json!({"address": "mysql://a:1/t", "configured": true,
            "instances": [{"id": "api-1", "address": "mysql://a:1/t"}, {"id": "old", "address": null}]});
        let drawn = draw(&Database::deserialize(configured).unwrap(), NOW);
        assert_eq!(drawn, "database: mysql://a:1/t (as configured)");
        let moved = json!({"address": "mysql://b:1/t", "configured": false, "since_ms": NOW - 60_000,
            "previous": "mysql://a:1/t", "way_back_until_ms": NOW + 3_600_000,
            "instances": [{"id": "api-1", "address": "mysql://a:1/t"}]});
        let drawn = draw(&Database::deserialize(moved).unwrap(), NOW);
        assert!(drawn.starts_with("database: mysql://b:1/t since "), "{drawn}");
        assert!(drawn.contains("keep mysql://a:1/t until ") && drawn.contains("--back"), "{drawn}");
        assert!(drawn.ends_with("\n  api-1 still uses mysql://a:1/t"), "{drawn}");
    }
}
