//! The session cookie: signed, not stored. What ends a session early is in the `signup` log.

use crate::limits;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use schemas::{LogId, SessionId, UserId, Uuid, records::Mode};
use sha2::Sha256;
use std::time::{SystemTime, UNIX_EPOCH};

/// Name of the cookie.
pub const COOKIE: &str = "tidemark_session";
/// Which key signs; a second one is added when keys are rotated.
const KEY_ID: u8 = 1;
/// Cookies of our name that are looked at in one request; each costs a MAC.
const MAX_COOKIES_TRIED: usize = 8;
/// key id, user, session, issued at, expires at.
const PAYLOAD_BYTES: usize = 1 + 8 + 16 + 8 + 8;
/// SHA-256.
const MAC_BYTES: usize = 32;

/// A session that our signature vouches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Owner.
    pub user_id: UserId,
    /// Random.
    pub session_id: SessionId,
    /// Wall clock, in ms since the epoch.
    pub issued_at_ms: i64,
    /// Wall clock, in ms since the epoch.
    pub expires_at_ms: i64,
}

/// Signs and reads cookies of one log.
#[derive(Clone)]
pub struct Sessions {
    mac: Hmac<Sha256>,
    secure: bool,
}

/// Wall clock, in ms since the epoch. Sessions may look at it; decisions must not.
#[must_use]
pub fn wall_clock_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Sessions {
    /// For one log; `secure` sets the cookie's `Secure` attribute.
    #[must_use]
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    pub fn new(key: &[u8], log_id: LogId, mode: Mode, secure: bool) -> Self {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(&log_id.0);
        mac.update(match mode {
            Mode::Secure => b"secure",
            Mode::Stage => b"stage.",
        });
        Self { mac, secure }
    }

    /// A fresh session.
    #[must_use]
    pub fn open(&self, user_id: UserId) -> Session {
        let issued_at_ms = wall_clock_ms();
        let expires_at_ms = issued_at_ms + limits::SESSION_LIFE.as_millis() as i64;
        Session { user_id, session_id: SessionId(Uuid::new_v4().into_bytes()), issued_at_ms, expires_at_ms }
    }

    /// `Set-Cookie` of a session.
    #[must_use]
    pub fn set_cookie(&self, session: &Session) -> String {
        let value = self.seal(session);
        self.cookie(&value, limits::SESSION_LIFE.as_secs())
    }

    /// `Set-Cookie` that takes it away.
    #[must_use]
    pub fn clear_cookie(&self) -> String {
        self.cookie("", 0)
    }

    fn cookie(&self, value: &str, max_age_s: u64) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}")
    }

    fn seal(&self, session: &Session) -> String {
        let mut bytes = Vec::with_capacity(PAYLOAD_BYTES + MAC_BYTES);
        bytes.push(KEY_ID);
        bytes.extend_from_slice(&session.user_id.get().to_be_bytes());
        bytes.extend_from_slice(&session.session_id.0);
        bytes.extend_from_slice(&session.issued_at_ms.to_be_bytes());
        bytes.extend_from_slice(&session.expires_at_ms.to_be_bytes());
        let mac = self.mac.clone().chain_update(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The session in the lines of a `Cookie` header: the first one that is ours and not over at `now_ms`. Other cookies
    /// may be any bytes, and a stale one of the same name may stand before ours.
    #[must_use]
    pub fn read<'a>(&self, lines: impl Iterator<Item = &'a [u8]>, now_ms: i64) -> Option<Session> {
        let pairs = lines.flat_map(|line| line.split(|byte| *byte == b';'));
        let values =
            pairs.filter_map(|pair| pair.trim_ascii().strip_prefix(COOKIE.as_bytes())?.strip_prefix(b"="));
        values.take(MAX_COOKIES_TRIED).find_map(|value| self.open_value(value, now_ms))
    }

    fn open_value(&self, value: &[u8], now_ms: i64) -> Option<Session> {
        let bytes = URL_SAFE_NO_PAD.decode(value).ok()?;
        if bytes.len() != PAYLOAD_BYTES + MAC_BYTES || bytes[0] != KEY_ID {
            return None;
        }
        let (payload, mac) = bytes.split_at(PAYLOAD_BYTES);
        self.mac.clone().chain_update(payload).verify_slice(mac).ok()?;
        let u64_at = |at: usize| payload[at..at + 8].try_into().ok().map(u64::from_be_bytes);
        let session = Session {
            user_id: UserId::new(u64_at(1)?)?,
            session_id: SessionId(payload[9..25].try_into().ok()?),
            issued_at_ms: u64_at(25)? as i64,
            expires_at_ms: u64_at(33)? as i64,
        };
        (now_ms < session.expires_at_ms).then_some(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(key: u8, log: u8, mode: Mode) -> Sessions {
        Sessions::new(&[key; 16], LogId([log; 16]), mode, true)
    }

    #[test]
    fn only_our_own_cookie_of_this_log_is_read_until_it_expires() {
        let own = sessions(1, 1, Mode::Secure);
        let session = own.open(UserId::new(5).expect("in bounds"));
        let cookie = own.set_cookie(&session);
        let pair = cookie.split(';').next().expect("a pair");
        let read =
            |sessions: &Sessions, line: &str, now_ms| sessions.read([line.as_bytes()].into_iter(), now_ms);
        let header = format!("a=b; {pair}; c=d");
        assert_eq!(read(&own, &header, session.issued_at_ms), Some(session));
        assert_eq!(read(&own, &header, session.expires_at_ms), None, "over");
        for other in [sessions(2, 1, Mode::Secure), sessions(1, 2, Mode::Secure), sessions(1, 1, Mode::Stage)]
        {
            assert_eq!(read(&other, &header, session.issued_at_ms), None);
        }
        let forged = header.replace("=A", "=B");
        assert_eq!(read(&own, &forged, session.issued_at_ms), None);
        for attribute in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
            assert!(cookie.contains(attribute), "{attribute}");
        }
    }

    #[test]
    fn the_first_valid_cookie_counts_whatever_stands_around_it() {
        let own = sessions(1, 1, Mode::Secure);
        let session = own.open(UserId::new(5).expect("in bounds"));
        let cookie = own.set_cookie(&session);
        let pair = cookie.split(';').next().expect("a pair").as_bytes();
        let stale = Session { expires_at_ms: session.issued_at_ms, ..session };
        let stale = own.set_cookie(&stale);
        let stale = stale.split(';').next().expect("a pair").as_bytes();
        let read = |lines: &[&[u8]]| own.read(lines.iter().copied(), session.issued_at_ms);
        let after = |before: &[u8]| [before, b"; ", pair].concat();
        for before in
            ["name=한글".as_bytes(), b"name=\xff\xfe", stale, b"tidemark_session=", b"tidemark_session", b""]
        {
            assert_eq!(read(&[&after(before)]), Some(session), "{before:?}");
            assert_eq!(read(&[before, pair]), Some(session), "in two headers: {before:?}");
        }
        assert_eq!(read(&[b"x_tidemark_session=1", b"a=b"]), None);
        let many = [stale; MAX_COOKIES_TRIED].join(&b';');
        assert_eq!(read(&[&many, pair]), None, "beyond the limit");
    }
}
