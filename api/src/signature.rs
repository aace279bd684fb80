//! Signatures of the external platform's webhooks: HMAC-SHA256 over `timestamp "." raw body`, under a named key.
//!
//! Nothing of a body is read before its signature was found good, and comparing takes the same time for every signature.

use crate::limits;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
};

/// Longest timestamp, in digits: seconds since the epoch far beyond any calendar.
const MAX_TIMESTAMP_DIGITS: usize = 12;

/// The keys that are accepted, by id; several, so that they can be changed one after the other.
#[derive(Clone, Default)]
pub struct PlatformKeys(HashMap<String, Vec<u8>>);

impl fmt::Debug for PlatformKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlatformKeys(..)")
    }
}

/// What a webhook's headers say.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    /// Which key.
    pub key_id: &'a str,
    /// Seconds since the epoch, as it was signed.
    pub timestamp: &'a str,
    /// Hexadecimal, with or without `sha256=` before it.
    pub signature: &'a str,
}

impl PlatformKeys {
    /// Adds a key; `false`, and nothing changed, where one of that id is there.
    pub fn add(&mut self, id: &str, key: Vec<u8>) -> bool {
        let Entry::Vacant(place) = self.0.entry(id.to_owned()) else { return false };
        place.insert(key);
        true
    }

    /// Whether one of our keys signed this body, at a time not too far from `now_ms`.
    #[must_use]
    pub fn accept(&self, signed: Signature<'_>, body: &[u8], now_ms: i64) -> bool {
        let Signature { key_id, timestamp, signature } = signed;
        let hex = signature.strip_prefix("sha256=").unwrap_or(signature);
        let (Some(key), Ok(signature)) = (self.0.get(key_id), hex::decode(hex)) else { return false };
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        mac.verify_slice(&signature).is_ok() && is_near(timestamp, now_ms)
    }
}

fn is_near(timestamp: &str, now_ms: i64) -> bool {
    let digits = timestamp.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || timestamp.is_empty() || timestamp.len() > MAX_TIMESTAMP_DIGITS {
        return false;
    }
    let signed_ms = timestamp.parse::<i64>().map(|seconds| seconds * 1_000);
    signed_ms.is_ok_and(|ms| u128::from(ms.abs_diff(now_ms)) <= limits::WEBHOOK_CLOCK_SKEW.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;
    /// From `printf '1800000000.{}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0101...01` (32 bytes).
    const GOLDEN: &str = "4ff13119273514a0c5cb1f6f745ddc93f844e0c04703c17017d785c65cf475ec";

    fn keys() -> PlatformKeys {
        let mut keys = PlatformKeys::default();
        assert!(keys.add("k1", vec![1; 32]));
        assert!(keys.add("k2", vec![2; 32]));
        assert!(!keys.add("k1", vec![3; 32]));
        keys
    }

    fn accepted(key_id: &str, timestamp: &str, signature: &str) -> bool {
        keys().accept(Signature { key_id, timestamp, signature }, b"{}", NOW_MS)
    }

    #[test]
    fn only_the_right_signature_is_accepted() {
        assert!(accepted("k1", "1800000000", GOLDEN));
        assert!(accepted("k1", "1800000000", &format!("sha256={}", GOLDEN.to_uppercase())));
        for (key_id, timestamp, signature) in [
            ("k2", "1800000000", GOLDEN),
            ("k3", "1800000000", GOLDEN),
            ("", "1800000000", GOLDEN),
            ("k1", "1800000001", GOLDEN),
            ("k1", "01800000000", GOLDEN),
            ("k1", "1800000000", &GOLDEN[2..]),
            ("k1", "1800000000", ""),
            ("k1", "1800000000", "sha256="),
            ("k1", "1800000000", "no hex"),
        ] {
            assert!(!accepted(key_id, timestamp, signature), "{key_id} {timestamp} {signature}");
        }
        let signed = Signature { key_id: "k1", timestamp: "1800000000", signature: GOLDEN };
        assert!(!keys().accept(signed, b"{} ", NOW_MS), "another body");
    }

    #[test]
    fn a_good_signature_is_accepted_for_five_minutes_either_way() {
        for (now_ms, near) in [
            (NOW_MS + 300_000, true),
            (NOW_MS - 300_000, true),
            (NOW_MS + 300_001, false),
            (NOW_MS - 300_001, false),
        ] {
            let signed = Signature { key_id: "k1", timestamp: "1800000000", signature: GOLDEN };
            assert_eq!(keys().accept(signed, b"{}", now_ms), near, "{now_ms}");
        }
        for timestamp in ["", "-1", "+1800000000", " 1800000000", "1800000000.0", "9999999999999", "1e9"] {
            assert!(!is_near(timestamp, NOW_MS), "{timestamp:?}");
        }
    }
}
