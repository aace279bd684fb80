//! The folds, record by record: properties over any log, and the rules one by one.

mod accounts;
mod coupons;
mod digests;
mod logs;
mod properties;
mod replays;
mod rules;
mod shop;
mod store;

/// Multiplies the cases of every property, as `cargo stack verify` does.
const TIMES: &str = "TIDEMARK_PROPERTY_TIMES";

/// So many cases of a property in the gate.
fn cases(in_the_gate: u32) -> proptest::test_runner::Config {
    let times: u32 = std::env::var(TIMES).map_or(1, |times| times.parse().expect("a whole number"));
    proptest::test_runner::Config { cases: in_the_gate * times, ..Default::default() }
}
