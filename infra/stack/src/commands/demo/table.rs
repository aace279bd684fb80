//! The table of the demonstration: every row with its verdict.

use super::report::{Findings, Winners};
use crate::commands::system::audit::Audit;
use crate::commands::system::k6::Summary;

/// One line of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) said: String,
    /// Nothing is demanded where there is no verdict.
    pub(super) holds: Option<bool>,
}

fn row(name: &'static str, said: String, holds: Option<bool>) -> Row {
    Row { name, said, holds }
}

pub(super) fn rows(findings: &Findings, winners: Winners, pieces: u64) -> Vec<Row> {
    let Findings { summary, audit, server_requests, caught_up, .. } = findings;
    let none = |name, count: u64| row(name, thousands(count), Some(count == 0));
    let latency = summary.latency_ms;
    let late = || "not within a minute".to_owned();
    let digests = format!("{} of {}", audit.digests_agree, audit.digests());
    let mut rows = vec![
        row(
            "requests",
            format!("{} in {:.1} s", thousands(summary.requests), summary.seconds),
            Some(summary.requests > 0),
        ),
        row("counted by the server", thousands(*server_requests), Some(*server_requests == summary.requests)),
        row("decided", thousands(summary.decided()), Some(summary.decided() == summary.requests)),
        row(
            "winners of the small coupon",
            format!(
                "{} of {} (log {}, MySQL {})",
                thousands(winners.k6),
                thousands(pieces),
                thousands(winners.log),
                thousands(winners.mysql)
            ),
            Some(winners.all_are(pieces)),
        ),
        row(
            "latency p50 / p95 / p99",
            format!("{} / {} / {} ms", ms(latency.p50), ms(latency.p95), ms(latency.p99)),
            None,
        ),
        none("5xx", summary.http_5xx),
        none("dropped iterations", summary.dropped_iterations),
        none("socket errors", summary.socket_errors),
        row("k6's gates", gates(summary), Some(summary.passed)),
        row("log = MySQL", log_equals_mysql(audit), Some(audit.clean && caught_up.is_some())),
        row("digests agree", digests, Some(audit.digests_agree(1))),
        row(
            "MySQL had caught up after",
            caught_up.map_or_else(late, |seconds| format!("{seconds:.1} s")),
            Some(caught_up.is_some()),
        ),
    ];
    rows.extend(shop_rows(findings));
    rows
}

fn shop_rows(findings: &Findings) -> Vec<Row> {
    let Findings { audit, shop, .. } = findings;
    let (said, stored) = (findings.answered(), shop.stored);
    let both = |said: u64, stored: u64| format!("{} (MySQL {})", thousands(said), thousands(stored));
    let balanced = |name, balanced: Option<bool>| {
        let said = match balanced {
            Some(true) => "yes",
            Some(false) => "no",
            None => "the audit does not say",
        };
        row(name, said.to_owned(), Some(balanced == Some(true)))
    };
    let (paid, partner) = (shop.heard.paid, shop.heard.partner);
    let heard = format!(
        "{} effects of {} orders, {} paid, in {} calls",
        thousands(partner.effects),
        thousands(partner.orders),
        thousands(paid),
        thousands(partner.calls)
    );
    let latency = shop.paid_in_mysql;
    vec![
        row(
            "orders placed",
            both(said.placed, stored.placed),
            Some(said.placed > 0 && said.placed == stored.placed),
        ),
        row("orders paid", both(said.paid, stored.paid), Some(said.paid > 0 && said.paid == stored.paid)),
        balanced("money in = money out", audit.money_balanced()),
        balanced("stock + sold = listed", audit.stock_balanced()),
        row("dispatched exactly once", heard, Some(shop.heard.once())),
        row("order to PAID in MySQL", format!("p50 {}, p99 {} ms", ms(latency.p50), ms(latency.p99)), None),
    ]
}

fn ms(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}

fn gates(summary: &Summary) -> String {
    match summary.broken()[..] {
        [] => "all held".to_owned(),
        [first] => format!("broken: {first}"),
        [first, ..] => format!("{} broken, among them {first}", summary.broken().len()),
    }
}

fn log_equals_mysql(audit: &Audit) -> String {
    match &audit.findings[..] {
        [] => "yes".to_owned(),
        [first, ..] => {
            format!("{} findings, the first: {first}", audit.findings.len() as u64 + audit.more_findings)
        }
    }
}

/// `12,345`
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(12_345_678), "12,345,678");
    }
}
