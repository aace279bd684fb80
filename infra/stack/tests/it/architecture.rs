//! Which crate may know which, what the domain must never know, and how source files are named and sized.
//!
//! A rule is stated as an absence: whatever is not allowed here fails.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What each crate may depend on, of ours. [`FOR_TESTS`] besides, for the tests of all.
const ALLOWED: &[(&str, &[&str])] = &[
    ("schemas", &[]),
    ("domain", &["schemas"]),
    ("migrations", &[]),
    ("chassis", &[]),
    ("control", &["chassis"]),
    ("api", &["schemas", "domain", "migrations", "chassis", "control"]),
    ("consumers", &["schemas", "domain", "migrations", "chassis", "control"]),
    // The admin API is all it knows.
    ("cli", &[]),
    ("stack", &[]),
    ("mysql-session", &[]),
];

/// What tests may use, and nothing that runs in production.
const FOR_TESTS: &[&str] = &["stack", "mysql-session"];

/// Not below the domain: runtimes, clients, a clock, chance, and the codec, which brings chance along (`schemas` has it
/// behind a feature).
const NOT_PURE: &[&str] = &[
    "tokio",
    "rdkafka",
    "sea-orm",
    "sqlx",
    "redis",
    "axum",
    "hyper",
    "chrono",
    "rand",
    "reqwest",
    "apache-avro",
];

/// Names that say nothing.
const NO_NOUNS: &[&str] = &["common", "util", "utils", "helper", "helpers", "misc", "core"];

/// Lines of a source file.
const LONGEST_FILE: usize = 400;

fn root() -> PathBuf {
    stack::workspace::root().unwrap()
}

fn cargo(args: &[&str]) -> String {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let output = command.args(args).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "cargo {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The packages of this workspace, as cargo sees them.
fn packages() -> Vec<Value> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn name(value: &Value) -> &str {
    value["name"].as_str().unwrap()
}

/// Why that edge is wrong, if it is.
fn wrong(from: &str, to: &str, kind: Option<&str>) -> Option<String> {
    let Some((_, allowed)) = ALLOWED.iter().find(|(crate_name, _)| *crate_name == from) else {
        return Some(format!("{from} is not in the table of crates"));
    };
    // To itself: its own tests with more features.
    let for_tests = kind == Some("dev") && (FOR_TESTS.contains(&to) || from == "stack" || to == from);
    (!allowed.contains(&to) && !for_tests).then(|| format!("{from} -> {to} ({})", kind.unwrap_or("normal")))
}

#[test]
fn no_crate_knows_another_one_than_the_table_allows() {
    let packages = packages();
    let ours: Vec<&str> = packages.iter().map(name).collect();
    let mut missing: Vec<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    missing.retain(|name| !ours.contains(name));
    assert!(missing.is_empty(), "the table names crates that are gone: {missing:?}");
    let mut edges = Vec::new();
    for package in &packages {
        let dependencies = package["dependencies"].as_array().unwrap();
        // A crate without an edge must be in the table as well.
        assert!(ALLOWED.iter().any(|(known, _)| known == &name(package)), "{} is new", name(package));
        let of_ours = dependencies.iter().filter(|dependency| ours.contains(&name(dependency)));
        edges.extend(of_ours.filter_map(|to| wrong(name(package), name(to), to["kind"].as_str())));
    }
    assert!(edges.is_empty(), "edges that docs/architecture.md does not have: {edges:#?}");
}

#[test]
fn the_table_refuses_what_it_does_not_list() {
    assert_eq!(wrong("domain", "schemas", None), None);
    assert_eq!(wrong("consumers", "stack", Some("dev")), None);
    assert_eq!(wrong("schemas", "schemas", Some("dev")), None);
    assert!(wrong("consumers", "stack", None).is_some());
    assert_eq!(wrong("api", "mysql-session", Some("dev")), None);
    for production in ["api", "consumers", "migrations", "cli", "stack"] {
        assert!(wrong(production, "mysql-session", None).is_some(), "{production}");
        assert!(wrong(production, "mysql-session", Some("build")).is_some(), "{production}");
    }
    assert!(wrong("domain", "chassis", Some("dev")).is_some());
    assert!(wrong("schemas", "domain", None).is_some());
    assert!(wrong("stack", "domain", None).is_some());
    assert!(wrong("newcomer", "schemas", None).is_some());
}

#[test]
fn the_domain_has_no_runtime_no_client_no_clock_and_no_chance() {
    let tree = cargo(&["tree", "--offline", "-p", "domain", "-e", "normal", "--prefix", "none"]);
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    let found: Vec<&str> = names.filter(|name| NOT_PURE.contains(name)).collect();
    assert!(found.is_empty(), "domain reaches {found:?}");
}

/// Every source file of ours: `.rs` and the load scripts.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if file != "target" && file != "node_modules" && !file.starts_with('.') {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|end| end == "rs" || end == "js") {
            found.push(path);
        }
    }
}

/// Names of the file and of its folders below the root, without endings.
fn names(path: &Path) -> Vec<String> {
    let below = path.strip_prefix(root()).unwrap().with_extension("");
    below.iter().map(|part| part.to_string_lossy().split('.').next().unwrap().to_owned()).collect()
}

/// Modules that a file declares, also those with a body.
fn modules(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| {
            let line = line.trim_start();
            let line = line.strip_prefix("pub").map_or(line, |rest| rest.trim_start());
            let line = if line.starts_with('(') { line.split_once(')')?.1.trim_start() } else { line };
            line.strip_prefix("mod ")?.split([' ', ';', '{']).next()
        })
        .collect()
}

#[test]
fn every_crate_file_and_module_is_named_after_a_thing() {
    let mut found = Vec::new();
    sources(&root(), &mut found);
    assert!(found.len() > 50, "the search for sources is broken");
    let mut bad: Vec<String> = Vec::new();
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        let all = names(&path);
        let all = all.iter().map(String::as_str).chain(modules(&text));
        bad.extend(all.filter(|n| NO_NOUNS.contains(n)).map(|n| format!("{n} in {}", path.display())));
    }
    bad.extend(packages().iter().map(name).filter(|n| NO_NOUNS.contains(n)).map(str::to_owned));
    assert!(bad.is_empty(), "name the noun: {bad:#?}");
}

#[test]
fn modules_are_seen_however_visible_they_are() {
    let text = "mod a;\npub mod b;\n  pub(in crate::x) mod c {\npub(crate) mod d;\n// mod e;\nmodel!();\n";
    assert_eq!(modules(text), ["a", "b", "c", "d"]);
}

#[test]
fn no_source_file_is_too_long_to_be_read_at_once() {
    let mut found = Vec::new();
    sources(&root(), &mut found);
    let lines = |path: &PathBuf| fs::read_to_string(path).unwrap().lines().count();
    let long: Vec<String> = found
        .iter()
        .filter(|path| lines(path) > LONGEST_FILE)
        .map(|path| format!("{} has {} lines", path.display(), lines(path)))
        .collect();
    assert!(long.is_empty(), "split what has over {LONGEST_FILE} lines: {long:#?}");
}
