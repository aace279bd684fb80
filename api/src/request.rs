//! A request's identity in the log: event id and fingerprint, derived so that a retry meets its first attempt.

use crate::log::cell::Envelope;
use schemas::{Fingerprint, LogId, UserId, Uuid, records::Mode};

/// Namespace of our UUIDv5 event ids.
const NAMESPACE: Uuid = Uuid::from_u128(0x7469_6465_6d61_726b_2d65_7665_6e74_2d31);

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Nobody known.
    Anonymous,
    /// The session's user, or in stage mode the user that the request names.
    User(UserId),
    /// The bearer of the admin token.
    Admin,
}

/// What makes two requests the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryKey {
    /// The client's own `Idempotency-Key`.
    Client(String),
    /// `X-Retry-Key` of the proxy before us: one id for all of its own attempts.
    Proxy(String),
    /// None: every request is a new one.
    None,
}

/// Where a request is aimed.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
}

/// Derives envelopes for one log.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Log and mode, so that a key never meets itself in another log.
    pub log_id: LogId,
    /// Mode of the log.
    pub mode: Mode,
    /// Key under fingerprints.
    pub fingerprint_key: Vec<u8>,
}

impl Identity {
    /// The envelope of a request with the given parsed body.
    #[must_use]
    pub fn envelope(
        &self,
        principal: Principal,
        target: Target<'_>,
        key: &RetryKey,
        body: &[u8],
    ) -> Envelope {
        match key {
            RetryKey::Client(key) => {
                let parts = [target.method.as_bytes(), target.path.as_bytes(), body];
                let fingerprint = Fingerprint::of(&self.fingerprint_key, &parts);
                (self.event_id(principal, target, b"client", key), Some(fingerprint))
            }
            RetryKey::Proxy(key) => (self.event_id(principal, target, b"proxy", key), None),
            RetryKey::None => (Uuid::new_v4(), None),
        }
    }

    fn event_id(&self, principal: Principal, target: Target<'_>, source: &[u8], key: &str) -> Uuid {
        let (kind, user) = match principal {
            Principal::Anonymous => (b'a', 0),
            Principal::User(user) => (b'u', user.get()),
            Principal::Admin => (b'm', 0),
        };
        let mode = match self.mode {
            Mode::Secure => b"secure".as_slice(),
            Mode::Stage => b"stage",
        };
        let user = user.to_be_bytes();
        let parts: [&[u8]; 8] = [
            &self.log_id.0,
            mode,
            &[kind],
            &user,
            target.method.as_bytes(),
            target.path.as_bytes(),
            source,
            key.as_bytes(),
        ];
        // Each part carries its length: no two lists of parts may run together into the same bytes.
        let mut bytes = Vec::with_capacity(256);
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u32).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        Uuid::new_v5(&NAMESPACE, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity { log_id: LogId([1; 16]), mode: Mode::Stage, fingerprint_key: vec![2; 16] }
    }

    const TARGET: Target<'_> = Target { method: "POST", path: "/api/coupons/1/issue" };

    #[test]
    fn a_retry_meets_its_first_attempt_and_nothing_else_does() {
        let (log, key) = (identity(), RetryKey::Client("k".into()));
        let user = |n| Principal::User(UserId::new(n).expect("in bounds"));
        let first = log.envelope(user(1), TARGET, &key, b"{}");
        assert_eq!(first, log.envelope(user(1), TARGET, &key, b"{}"));
        let body = log.envelope(user(1), TARGET, &key, b"{1}");
        assert_eq!(first.0, body.0, "the same key: one event id");
        assert_ne!(first.1, body.1, "another body: another fingerprint");
        let other = Target { path: "/api/coupons/2/issue", ..TARGET };
        let proxied = RetryKey::Proxy("k".into());
        let another_log = Identity { log_id: LogId([9; 16]), ..identity() };
        let secure = Identity { mode: Mode::Secure, ..identity() };
        for different in [
            log.envelope(user(2), TARGET, &key, b"{}"),
            log.envelope(Principal::Anonymous, TARGET, &key, b"{}"),
            log.envelope(Principal::Admin, TARGET, &key, b"{}"),
            log.envelope(user(1), other, &key, b"{}"),
            log.envelope(user(1), TARGET, &proxied, b"{}"),
            another_log.envelope(user(1), TARGET, &key, b"{}"),
            secure.envelope(user(1), TARGET, &key, b"{}"),
        ] {
            assert_ne!(first.0, different.0);
        }
    }

    /// Golden: an event id must come out the same in every version, or a retry across a deploy would count twice.
    #[test]
    fn a_derived_event_id_is_golden() {
        let user = Principal::User(UserId::new(7).expect("in bounds"));
        let (event_id, fingerprint) = identity().envelope(user, TARGET, &RetryKey::Client("k".into()), b"{}");
        assert_eq!(event_id.to_string(), "156c2dfc-aa89-5bde-bcce-60a3d1ed4f7f");
        assert_eq!(format!("{fingerprint:?}"), "Some(Fingerprint(0bffb51903fd2087493c267f7eb9f67e))");
    }

    #[test]
    fn without_a_key_every_request_is_new() {
        let (a, b) = (identity(), identity());
        let envelope = |log: &Identity| log.envelope(Principal::Anonymous, TARGET, &RetryKey::None, b"");
        assert_ne!(envelope(&a).0, envelope(&b).0);
        assert_eq!(envelope(&a).1, None);
    }
}
