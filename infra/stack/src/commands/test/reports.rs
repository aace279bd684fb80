//! What test runners write down of their tests: nextest's JUnit file, and the output of one test binary.

use super::outcome::{Case, Found, Tally};
use roxmltree::{Document, Node};

/// Lines of a failed test's own words that are shown, and characters of each: an assertion may print a whole log.
const SHOWN_LINES: usize = 25;
/// Lines that are shown from its panic on.
const SHOWN_OF_PANIC: usize = 15;
const SHOWN_CHARACTERS: usize = 400;

/// Reads nextest's JUnit file; `success` is what its exit code says.
pub(super) fn junit(xml: &str, success: bool) -> Result<Found, roxmltree::Error> {
    let document = Document::parse(xml)?;
    let mut found = Found::default();
    for case in document.descendants().filter(|node| node.has_tag_name("testcase")) {
        let attribute = |name: &str| case.attribute(name).unwrap_or_default();
        let name = format!("{} {}", attribute("classname"), attribute("name"));
        let failure = case.children().find(|node| node.has_tag_name("failure") || node.has_tag_name("error"));
        found.tally = found.tally.plus(Tally::one(failure.is_none()));
        if let Some(failure) = failure {
            found.complaint += &told(&name, case, failure);
        }
        found.cases.push(Case { name, seconds: attribute("time").parse().unwrap_or_default() });
    }
    found.tally = found.tally.of_run(success);
    Ok(found)
}

/// A failed test's name, how it ended and the last lines it wrote.
fn told(name: &str, case: Node<'_, '_>, failure: Node<'_, '_>) -> String {
    let mut lines = vec![format!("--- {name}: {}", failure.attribute("type").unwrap_or("failed"))];
    for stream in ["system-out", "system-err"] {
        let texts = case.children().filter(|node| node.has_tag_name(stream));
        let text: String = texts.filter_map(|node| node.text()).collect();
        // The test program's own frame says nothing.
        let frame = ["running 1 test", "test result: ", "failures:", "test "];
        let own = text.lines().filter(|line| !line.trim().is_empty());
        let own: Vec<&str> = own.filter(|line| !frame.iter().any(|word| line.starts_with(word))).collect();
        lines.extend(telling(&own).map(shortened));
    }
    lines.join("\n") + "\n"
}

/// Of many lines the panic and the last ones: what was waited for, and the logs that were shown after it.
fn telling<'a>(lines: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let panic = lines.iter().position(|line| line.contains(" panicked at ")).unwrap_or_default();
    let said = (panic + SHOWN_OF_PANIC).min(lines.len());
    let last = lines.len().saturating_sub(SHOWN_LINES).max(said);
    lines[panic..said].iter().chain(&lines[last..]).copied()
}

/// Sums the `test result:` line of one test binary, and shows what failed tests said.
pub(super) fn libtest(output: &str, success: bool) -> Found {
    let tally = output.lines().filter_map(result_line).fold(Tally::default(), Tally::plus).of_run(success);
    let complaint = if tally.failed == 0 { String::new() } else { failed_tests(output) };
    Found { tally, complaint, cases: Vec::new() }
}

/// `test result: ok. 3 passed; 0 failed; 0 ignored; ...`
fn result_line(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |word: &str| counts.split("; ").find_map(|part| part.strip_suffix(word)?.trim().parse().ok());
    Some(Tally { passed: count("passed")?, failed: count("failed")? })
}

/// The names of failed tests and what they said: with many tests it is far above the end of the log.
fn failed_tests(output: &str) -> String {
    let names = output.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    let mut lines = vec![format!("failed tests: {}", names.collect::<Vec<_>>().join(", "))];
    let mut left = 0;
    for line in output.lines() {
        let begins = line.starts_with("---- ") && line.ends_with(" stdout ----");
        left = match begins {
            true => SHOWN_LINES,
            false if line == "failures:" || line.starts_with("test result: ") => 0,
            false => left,
        };
        if left > 0 && !line.is_empty() {
            left -= 1;
            lines.push(shortened(line));
        }
    }
    lines.join("\n") + "\n"
}

fn shortened(line: &str) -> String {
    line.chars().take(SHOWN_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JUNIT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="gate" tests="2" failures="1" errors="0" time="1.5">
  <testsuite name="stack::it" tests="2" failures="1">
    <testcase name="drills::a" classname="stack::it" time="1.250"/>
    <testcase name="drills::b" classname="stack::it" time="0.250">
      <failure type="test failure with exit code 101">ignored</failure>
      <system-out>
running 1 test
test drills::b ... FAILED
kept &lt;this&gt;
</system-out>
      <system-err>waited in vain: x</system-err>
    </testcase>
  </testsuite>
</testsuites>"#;

    #[test]
    fn junit_counts_times_and_shows_what_a_failed_test_said() {
        let found = junit(JUNIT, false).unwrap();
        assert_eq!(found.tally.to_string(), "1 passed, 1 failed");
        assert_eq!(found.cases[0], Case { name: "stack::it drills::a".into(), seconds: 1.25 });
        let expected =
            "--- stack::it drills::b: test failure with exit code 101\nkept <this>\nwaited in vain: x\n";
        assert_eq!(found.complaint, expected);
        assert!(junit("<a>", true).is_err());
        assert_eq!(junit("<testsuites/>", true).unwrap().tally.to_string(), "0 passed, 1 failed");
    }

    #[test]
    fn the_panic_is_shown_however_much_was_logged_after_it() {
        let mut lines = vec!["before"; 50];
        lines.push("thread 'a' panicked at a.rs:1:1:");
        lines.extend(["waited in vain"; 2]);
        lines.extend(["log"; 100]);
        let shown: Vec<&str> = telling(&lines).collect();
        assert_eq!(shown.len(), SHOWN_OF_PANIC + SHOWN_LINES);
        assert_eq!(shown[..3], ["thread 'a' panicked at a.rs:1:1:", "waited in vain", "waited in vain"]);
        assert_eq!(telling(&["only"]).collect::<Vec<_>>(), ["only"]);
        assert_eq!(telling(&[]).count(), 0);
    }

    #[test]
    fn a_test_binarys_result_line_is_read() {
        let good = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out";
        let bad = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(libtest(good, true).tally.to_string(), "3 passed, 0 failed");
        assert_eq!(libtest(bad, false).tally.to_string(), "1 passed, 2 failed");
        assert_eq!(libtest(good, false).tally.to_string(), "3 passed, 1 failed");
        assert_eq!(libtest("error: signal 11", false).tally.to_string(), "0 passed, 1 failed");
        assert_eq!(libtest("", true).tally.to_string(), "0 passed, 1 failed");
    }

    #[test]
    fn failed_tests_are_named_with_what_they_said() {
        let output = "test a::b ... ok\ntest a::c ... FAILED\ntest d ... FAILED\n";
        assert_eq!(failed_tests(output), "failed tests: a::c, d\n");
        let long = "x".repeat(SHOWN_CHARACTERS + 1);
        let many = "y\n".repeat(SHOWN_LINES);
        let output = format!(
            "test c ... FAILED\n\nfailures:\n\n---- c stdout ----\n\nleft: 1\n{long}\n{many}\n\nfailures:\n    c\n\n\
             test result: FAILED. 0 passed\nnoise\n"
        );
        let said = failed_tests(&output);
        assert!(said.starts_with("failed tests: c\n---- c stdout ----\nleft: 1\nxxx"), "{said}");
        assert_eq!(said.lines().count(), 1 + SHOWN_LINES);
        assert!(said.lines().all(|line| line.len() <= SHOWN_CHARACTERS) && !said.contains("noise"), "{said}");
    }
}
