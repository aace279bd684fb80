//! When an order is told again that was not taken.

use std::time::Duration;

/// Before each attempt, in ms, counted from the end of the one before it: 0, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h.
const BEFORE_MS: [u64; 8] = [0, 5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 36_000_000];

/// The schedule, made shorter or longer as a whole: for tests and drills.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    scale: f64,
}

impl Schedule {
    /// Attempts until it is given up.
    pub const ATTEMPTS: u32 = BEFORE_MS.len() as u32;

    /// `None` where the scale makes no sense.
    #[must_use]
    pub fn scaled(scale: f64) -> Option<Self> {
        (scale.is_finite() && (0.0..=1_000.0).contains(&scale)).then_some(Self { scale })
    }

    /// Until the next attempt after so many; `None` after the last.
    ///
    /// A partner that says when to come back is heard: not before, but at the latest at the schedule's step after the
    /// next one, so that no word of his can put an order off for ever.
    #[must_use]
    pub fn after(&self, attempts: u32, retry_after: Option<Duration>) -> Option<Duration> {
        let own = self.before(attempts)?;
        let Some(wished) = retry_after else { return Some(own) };
        let latest = self.before(attempts + 1).unwrap_or(own).max(own);
        Some(wished.clamp(own, latest))
    }

    /// A pause of another kind, scaled alike.
    #[must_use]
    pub fn scale(&self, pause: Duration) -> Duration {
        pause.mul_f64(self.scale)
    }

    fn before(&self, attempts: u32) -> Option<Duration> {
        BEFORE_MS.get(attempts as usize).map(|ms| self.scale(Duration::from_millis(*ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Option<Duration> = |s| Some(Duration::from_secs(s));

    #[test]
    fn the_steps_are_those_of_the_contract_and_then_it_is_given_up() {
        let schedule = Schedule::scaled(1.0).expect("sensible");
        let steps: Vec<_> = (0..=Schedule::ATTEMPTS).map(|n| schedule.after(n, None)).collect();
        let minutes = |m: u64| S(60 * m);
        let expected = [
            S(0),
            S(5),
            minutes(5),
            minutes(30),
            minutes(120),
            minutes(300),
            minutes(600),
            minutes(600),
            None,
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn a_partners_wish_counts_between_its_step_and_the_one_after() {
        let schedule = Schedule::scaled(1.0).expect("sensible");
        assert_eq!(schedule.after(1, S(0)), S(5), "not earlier than the schedule");
        assert_eq!(schedule.after(1, S(60)), S(60));
        assert_eq!(schedule.after(1, S(86_400)), S(300), "not later than the step after");
        assert_eq!(schedule.after(7, S(86_400)), S(36_000), "the last step has none after it");
        assert_eq!(schedule.after(8, S(1)), None);
    }

    #[test]
    fn it_can_be_shortened_as_a_whole_and_not_beyond_sense() {
        let schedule = Schedule::scaled(0.001).expect("sensible");
        assert_eq!(schedule.after(2, None), Some(Duration::from_millis(300)));
        for scale in [-1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert_eq!(Schedule::scaled(scale), None, "{scale}");
        }
    }
}
