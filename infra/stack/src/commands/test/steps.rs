//! The steps, in order. The table of everything that `cargo stack test` checks.

/// One check, or for `cargo test` as many as there are tests.
#[derive(Debug)]
pub(super) struct Step {
    /// Its name: on the terminal, for `--only`, and in its log's name.
    pub(super) name: &'static str,
    pub(super) work: Work,
}

/// How a step is done.
#[derive(Debug)]
pub(super) enum Work {
    /// cargo with those arguments; passes when it exits with 0.
    Cargo(&'static [&'static str]),
    /// `cargo doc`, warnings being errors.
    Docs,
    /// cargo with those arguments; every test counts.
    Tests(&'static [&'static str]),
    /// Topics, tables and sample data are made, then `consumers` and several `api` behind nginx are started.
    Programs,
    /// A k6 script.
    K6(Load),
    /// What the API processes counted under the loads is what k6 counted.
    Counters,
    /// The partner heard of every paid order, exactly once.
    Partner,
    /// `consumers audit` against the log, MySQL and the running programs.
    Audit,
}

/// A k6 script and how it is run.
#[derive(Debug)]
pub(super) struct Load {
    /// The file in `k6/`.
    pub(super) file: &'static str,
    pub(super) variables: &'static [(&'static str, &'static str)],
    /// Pieces of a fresh coupon that it must sell out.
    pub(super) pieces: Option<u64>,
    /// Whether every request of it reaches a counter: not where it asks for health, or nginx itself answers.
    pub(super) counted: bool,
}

/// Shapes that unoptimised programs on two cores serve at ease: these steps look for errors, not for speed.
const EASY: &[(&str, &str)] = &[("SCENARIO", "ci")];

/// As [`EASY`], for a script whose iterations ask four times and more.
const EASY_SCENARIO: &[(&str, &str)] = &[("SCENARIO", "ci"), ("ORDER_EVERY", "5")];

const fn step(name: &'static str, work: Work) -> Step {
    Step { name, work }
}

const fn load(file: &'static str, pieces: Option<u64>) -> Work {
    Work::K6(Load { file, variables: EASY, pieces, counted: true })
}

/// What `cargo test` runs on, the programs of the other crates included: fault tests start them.
pub(super) const BUILD: &[&str] = &["build", "--workspace", "--all-targets", "--locked"];

/// Run while the services start: they need none.
pub(super) const WHILE_STARTING: &[Step] = &[
    step("format", Work::Cargo(&["fmt", "--all", "--check"])),
    step(
        "lints",
        Work::Cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
    ),
    step("build", Work::Cargo(BUILD)),
];

/// Run when the services are up.
pub(super) const STEPS: &[Step] = &[
    step("tests", Work::Tests(&["test", "--workspace", "--locked", "--no-fail-fast"])),
    step("docs", Work::Docs),
    step("programs", Work::Programs),
    step(
        "smoke",
        Work::K6(Load { file: "minimal-smoke.test.js", variables: &[], pieces: None, counted: false }),
    ),
    step("sell-out", load("issue-coupon.script.js", Some(100))),
    step("claims", load("redis.issue-coupon.script.js", None)),
    step("signups", load("db-write.signup.script.js", None)),
    step(
        "production",
        Work::K6(Load {
            file: "production-operation.scenario.script.js",
            variables: EASY_SCENARIO,
            pieces: None,
            counted: true,
        }),
    ),
    step("balance", load("lock.balance-charge.script.js", None)),
    step("top", load("cache.get-top-products.script.js", None)),
    step("plan", load("coupon-order.plan.js", None)),
    step("campaign", load("04_spike.js", None)),
    step("counters", Work::Counters),
    step("partner", Work::Partner),
    step("audit", Work::Audit),
];
