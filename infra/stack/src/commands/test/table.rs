//! The table at the end: each step with its seconds and the processors' idle share, the slowest tests, what failed.

use super::outcome::{Case, Outcome, Tally};
use std::fmt::{self, Display, Formatter};

/// So many of the slowest tests are named.
const SLOWEST: usize = 10;

/// All that was run.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<Outcome>);

impl Table {
    pub(super) fn add(&mut self, outcome: Outcome) {
        self.0.push(outcome);
    }

    pub(super) fn tally(&self) -> Tally {
        self.0.iter().map(|outcome| outcome.found.tally).fold(Tally::default(), Tally::plus)
    }

    fn slowest(&self) -> Vec<&Case> {
        let mut cases: Vec<&Case> = self.0.iter().flat_map(|outcome| &outcome.found.cases).collect();
        cases.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
        cases.truncate(SLOWEST);
        cases
    }
}

impl Outcome {
    /// In a few words.
    pub(super) fn how(&self) -> String {
        let Tally { passed, failed } = self.found.tally;
        match (passed + failed, failed) {
            (1, 0) => "passed".to_owned(),
            (1, _) => "FAILED".to_owned(),
            _ => self.found.tally.to_string(),
        }
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<12} {:<22} {:>8} {:>6}", "step", "result", "seconds", "idle")?;
        for outcome in &self.0 {
            let idle = outcome.idle.map_or_else(|| "-".to_owned(), |idle| format!("{:.0} %", 100.0 * idle));
            let how = outcome.how();
            writeln!(f, "{:<12} {how:<22} {:>8.1} {idle:>6}", outcome.name, outcome.seconds)?;
        }
        let slowest = self.slowest();
        if !slowest.is_empty() {
            writeln!(f, "the slowest tests:")?;
        }
        for Case { name, seconds } in slowest {
            writeln!(f, "{seconds:>8.1} s  {name}")?;
        }
        for outcome in self.0.iter().filter(|outcome| outcome.found.tally.failed > 0) {
            writeln!(f, "FAILED {}: {}", outcome.name, outcome.found.complaint.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::Found;
    use super::*;

    #[test]
    fn a_table_says_what_took_long_and_what_failed() {
        let mut table = Table::default();
        let found = Found::plain(true);
        table.add(Outcome { name: "format", found, seconds: 1.26, idle: Some(0.5) });
        let cases = (0..12_u8).map(|n| Case { name: format!("t{n}"), seconds: f64::from(n) }).collect();
        let tally = Tally { passed: 11, failed: 1 };
        let found = Found { tally, complaint: "--- t3: said".into(), cases };
        table.add(Outcome { name: "tests", found, seconds: 60.0, idle: None });
        assert_eq!(table.tally(), Tally { passed: 12, failed: 1 });
        let text = table.to_string();
        assert!(text.contains("format       passed                      1.3   50 %\n"), "{text}");
        assert!(text.contains("    11.0 s  t11\n") && !text.contains("  t1\n"), "{text}");
        assert!(text.ends_with("FAILED tests: --- t3: said\n"), "{text}");
    }
}
