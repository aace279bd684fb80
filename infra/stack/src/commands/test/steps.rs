//! The steps. The tables of everything that `cargo stack test` and `cargo stack verify` check.

/// One check, or as many as there are tests.
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
    /// Programs and tests are compiled, and the tests listed.
    Build,
    /// As [`Work::Cargo`], with the least claim on the processors: others wait for conditions meanwhile.
    Beside(&'static [&'static str]),
    /// `cargo doc`, warnings being errors.
    Docs,
    /// Tests of one profile of nextest; every test counts.
    Nextest(Pool),
    /// One test binary in one process; every test counts.
    TestBinary { id: &'static str, args: &'static [&'static str] },
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

/// Tests in one pool, each in a process of its own.
#[derive(Debug)]
pub(super) struct Pool {
    /// In `.config/nextest.toml`.
    pub(super) profile: &'static str,
    /// More than the stack's own.
    pub(super) variables: &'static [(&'static str, &'static str)],
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

const fn tests(profile: &'static str) -> Work {
    Work::Nextest(Pool { profile, variables: &[] })
}

const fn load(file: &'static str, pieces: Option<u64>) -> Work {
    Work::K6(Load { file, variables: EASY, pieces, counted: true })
}

/// What tests run on, the programs of the other crates included: fault tests start them.
pub(super) const BUILD: &[&str] = &["build", "--workspace", "--all-targets", "--locked"];

const LINTS: &[&str] = &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];

/// Run while the services start: they need none.
pub(super) const WHILE_STARTING: &[Step] =
    &[step("format", Work::Cargo(&["fmt", "--all", "--check"])), step("build", Work::Build)];

/// Run side by side when the services are up, each lane in its order.
pub(super) const LANES: &[&[Step]] = &[
    &[step("tests", tests("gate"))],
    // Its tests share servers, so it is one process. It takes less long than its neighbour.
    &[step("api-tests", Work::TestBinary { id: "api::it", args: &["--test-threads", "6"] })],
    &[step("lints", Work::Beside(LINTS)), step("docs", Work::Docs)],
];

/// Run one after the other at the end.
pub(super) const LOADS: &[Step] = &[
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

/// `--only fast`: what needs no service, for the desk.
pub(super) const FAST: &[Step] = &[
    step("format", Work::Cargo(&["fmt", "--all", "--check"])),
    step("build", Work::Build),
    step("tests", tests("fast")),
    step("lints", Work::Cargo(LINTS)),
];

/// `cargo stack verify`, when the services are up: what needs minutes of its own.
pub(super) const VERIFY: &[Step] = &[
    step(
        "properties",
        Work::Nextest(Pool { profile: "properties", variables: &[("TIDEMARK_PROPERTY_TIMES", "20")] }),
    ),
    step("in-full", tests("verify")),
];
