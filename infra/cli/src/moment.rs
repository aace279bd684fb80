//! Times and durations for people: UTC, and no more digits than anybody acts on.

use chrono::DateTime;
use std::time::Duration;

/// For rounding.
const HALF_A_SECOND: Duration = Duration::from_millis(500);
/// One day, in ms.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A moment: its time of day, with the date where that is not within a day of now.
pub(crate) fn clock(at_ms: i64, now_ms: i64) -> String {
    let Some(at) = DateTime::from_timestamp_millis(at_ms) else { return at_ms.to_string() };
    let form = if (at_ms - now_ms).abs() < DAY_MS { "%H:%M:%SZ" } else { "%Y-%m-%d %H:%M:%SZ" };
    at.format(form).to_string()
}

/// How long ago, or in how long.
pub(crate) fn relative(at_ms: i64, now_ms: i64) -> String {
    let between = span(Duration::from_millis(at_ms.abs_diff(now_ms)));
    if at_ms <= now_ms { format!("{between} ago") } else { format!("in {between}") }
}

/// A duration by its two largest units.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if duration.is_zero() {
        return "0s".to_owned();
    }
    if seconds < 1 {
        return format!("{}ms", duration.as_millis());
    }
    if seconds < 10 {
        return format!("{:.1}s", duration.as_secs_f64());
    }
    // To the nearest: 90 minutes are that also a moment later.
    let seconds = (duration + HALF_A_SECOND).as_secs();
    let units =
        [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let all = units.iter().skip_while(|(n, _)| *n == 0).take(2).filter(|(n, _)| *n > 0);
    all.map(|(n, unit)| format!("{n}{unit}")).collect::<Vec<_>>().join(" ")
}

/// A number of seconds as a duration.
pub(crate) fn seconds(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or_else(|_| "-".to_owned(), span)
}

/// What stands in an answer's `Date`, in ms since the epoch.
pub(crate) fn of_header(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc2822(text).ok().map(|at| at.timestamp_millis())
}

/// A number with a comma every three digits.
pub(crate) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
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
    fn durations_have_two_units_at_most() {
        let cases = [
            (0, "0s"),
            (400, "400ms"),
            (9_940, "9.9s"),
            (10_000, "10s"),
            (5_399_900, "1h 30m"),
            (62_000, "1m 2s"),
            (3_600_000, "1h"),
            (90_061_000, "1d 1h"),
            (86_405_000, "1d"),
        ];
        for (ms, text) in cases {
            assert_eq!(span(Duration::from_millis(ms)), text, "{ms}");
        }
        assert_eq!(seconds(f64::NAN), "-");
    }

    #[test]
    fn moments_are_utc_and_have_a_date_when_it_matters() {
        let now = of_header("Sat, 21 Nov 2026 16:20:01 GMT").unwrap();
        assert_eq!(clock(now, now), "16:20:01Z");
        assert_eq!(clock(now + 2 * DAY_MS, now), "2026-11-23 16:20:01Z");
        assert_eq!(relative(now - 5_000, now), "5.0s ago");
        assert_eq!(relative(now + 2_700_000, now), "in 45m");
        assert_eq!(of_header("yesterday"), None);
    }

    #[test]
    fn large_numbers_can_be_read() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
    }
}
