//! Values as clients write them: ids as numbers or numeric strings, rates in percent, times as text or ms.

use super::spelling::is_number;
use chrono::{DateTime, SecondsFormat, Utc};
use schemas::{UserId, ids::ID_LIMIT};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// An id below 2^53, written as a number or as a string of digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireId(pub u64);

impl WireId {
    /// From text in a path or query.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let value = if is_number(text) { text.parse().ok()? } else { return None };
        (value < ID_LIMIT).then_some(Self(value))
    }

    /// As a user id; 0 is none.
    #[must_use]
    pub fn user(self) -> Option<UserId> {
        UserId::new(self.0)
    }
}

impl Serialize for WireId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for WireId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = WireId;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id from 0 to 9007199254740991")
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<WireId, E> {
                if value < ID_LIMIT {
                    Ok(WireId(value))
                } else {
                    Err(E::invalid_value(de::Unexpected::Unsigned(value), &self))
                }
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<WireId, E> {
                Err(E::invalid_value(de::Unexpected::Signed(value), &self))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<WireId, E> {
                WireId::parse(value).ok_or_else(|| E::invalid_value(de::Unexpected::Str(value), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A number of units: any whole number, because the fold judges it. What is beyond every bound stays beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireQuantity(pub i64);

impl Serialize for WireQuantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for WireQuantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = WireQuantity;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<WireQuantity, E> {
                Ok(WireQuantity(i64::try_from(value).unwrap_or(i64::MAX)))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<WireQuantity, E> {
                Ok(WireQuantity(value))
            }
            /// Whole numbers beyond 64 bits come as floats, and so does 1.5.
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<WireQuantity, E> {
                if value.abs() >= i64::MAX as f64 {
                    Ok(WireQuantity(if value > 0.0 { i64::MAX } else { i64::MIN }))
                } else {
                    Err(E::invalid_value(de::Unexpected::Float(value), &self))
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A discount in percent with at most two decimals, kept in basis points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent(pub i32);

impl Percent {
    /// As a JSON number: 15, not 15.0.
    #[must_use]
    pub fn to_json(rate_bp: u16) -> serde_json::Value {
        if rate_bp.is_multiple_of(100) { (rate_bp / 100).into() } else { (f64::from(rate_bp) / 100.0).into() }
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32(self.0)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let percent = f64::deserialize(deserializer)?;
        let rate_bp = (percent * 100.0).round();
        // The number that was written is the one nearest to its two decimals, or it has more of them.
        let is_exact = (rate_bp / 100.0).total_cmp(&percent).is_eq();
        if is_exact && (0.0..=10_000.0).contains(&rate_bp) {
            Ok(Self(rate_bp as i32))
        } else {
            Err(de::Error::custom("a discount rate is a percentage from 0 to 100 with at most two decimals"))
        }
    }
}

/// A time, written as ISO 8601 or in ms since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireTime(pub i64);

impl WireTime {
    /// From text in a query.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(WireId(ms)) = WireId::parse(text) {
            return i64::try_from(ms).ok().map(Self);
        }
        let time = DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis();
        (time >= 0).then_some(Self(time))
    }
}

impl Serialize for WireTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for WireTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = WireTime;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time such as 2029-12-31T23:59:59Z, or ms since the epoch")
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<WireTime, E> {
                i64::try_from(value)
                    .ok()
                    .filter(|ms| ms.unsigned_abs() < ID_LIMIT)
                    .map(WireTime)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(value), &self))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<WireTime, E> {
                let parsed = DateTime::parse_from_rfc3339(value).map(|time| time.timestamp_millis());
                match parsed {
                    Ok(ms) if ms >= 0 => Ok(WireTime(ms)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(value), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// ISO 8601 of ms since the epoch; a time beyond the calendar is shown as its last day.
#[must_use]
pub fn iso(ms: i64) -> String {
    let time = DateTime::<Utc>::from_timestamp_millis(ms).unwrap_or(DateTime::<Utc>::MAX_UTC);
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(json: &str) -> Option<u64> {
        serde_json::from_str::<WireId>(json).ok().map(|id| id.0)
    }

    #[test]
    fn ids_are_numbers_or_digits_below_2_to_the_53() {
        assert_eq!(id("5"), Some(5));
        assert_eq!(id("\"5\""), Some(5));
        assert_eq!(id("9007199254740991"), Some((1 << 53) - 1));
        for bad in [
            "9007199254740992",
            "-1",
            "1.5",
            "1e3",
            "\"\"",
            "\" 5\"",
            "\"5x\"",
            "\"05\"",
            "\"+5\"",
            "true",
            "[1]",
            "1e30",
        ] {
            assert_eq!(id(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_quantity_is_any_whole_number() {
        let quantity = |json: &str| serde_json::from_str::<WireQuantity>(json).ok().map(|n| n.0);
        assert_eq!((quantity("1"), quantity("-3"), quantity("0")), (Some(1), Some(-3), Some(0)));
        let huge = format!("1{}", "0".repeat(30));
        assert_eq!((quantity(&huge), quantity(&format!("-{huge}"))), (Some(i64::MAX), Some(i64::MIN)));
        assert_eq!(quantity("18446744073709551615"), Some(i64::MAX));
        for bad in ["1.5", "1.0", "\"1\"", "null", "true", "[1]", "{}"] {
            assert_eq!(quantity(bad), None, "{bad}");
        }
    }

    #[test]
    fn rates_and_times_come_back_as_they_were_meant() {
        let percent = |json: &str| serde_json::from_str::<Percent>(json).ok().map(|p| p.0);
        assert_eq!((percent("15"), percent("12.5"), percent("0.29")), (Some(1500), Some(1250), Some(29)));
        for bad in ["100.01", "-1", "0.001", "1e-9", "15.000000001", "99.999999999", "100.0000001", "-1e-9"] {
            assert_eq!(percent(bad), None, "{bad}");
        }
        for rate_bp in 0..=10_000 {
            let written = format!("{}.{:02}", rate_bp / 100, rate_bp % 100);
            assert_eq!(percent(&written), Some(rate_bp), "{written}");
        }
        assert_eq!(Percent::to_json(1500).to_string(), "15");
        assert_eq!(Percent::to_json(1250).to_string(), "12.5");
        let time = |json| serde_json::from_str::<WireTime>(json).ok().map(|t| t.0);
        assert_eq!(time("\"1970-01-01T00:00:01Z\""), Some(1_000));
        assert_eq!((time("1000"), time("-1"), time("\"soon\"")), (Some(1_000), None, None));
        assert_eq!(iso(1_000), "1970-01-01T00:00:01.000Z");
    }
}
