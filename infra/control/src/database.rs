//! Where MySQL is: an address in `control`, without user and password, which every process keeps to itself.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use url::Url;

/// A server and a schema on it: `mysql://HOST:PORT/SCHEMA`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

/// A text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAddress {
    /// It is something else.
    #[error("{0:?} is no address: write mysql://HOST:PORT/SCHEMA")]
    Malformed(String),
    /// It says too much.
    #[error(
        "the address names a user or a password: leave them out. They would stand in topic control for everybody to \
         read; each process keeps its own, so the server must know the same users"
    )]
    Credentials,
}

/// The port of a server that was told no other.
const DEFAULT_PORT: u16 = 3306;

impl Address {
    /// Of a process' own setting, whoever it logs in as.
    ///
    /// # Errors
    /// A setting that is no address.
    pub fn of_setting(setting: &str) -> Result<Self, NotAnAddress> {
        let malformed = || NotAnAddress::Malformed("the setting".to_owned());
        parse(setting).and_then(|url| Self::read(&url)).ok_or_else(malformed)
    }

    /// A process' own setting, aimed here: its user, its password and its options stay.
    ///
    /// # Errors
    /// A setting that is no address.
    pub fn aim(&self, setting: &str) -> Result<String, NotAnAddress> {
        let malformed = || NotAnAddress::Malformed("the setting".to_owned());
        let (mut url, to) = parse(setting).zip(parse(&self.0)).ok_or_else(malformed)?;
        url.set_host(to.host_str()).map_err(|_| malformed())?;
        url.set_port(to.port()).map_err(|()| malformed())?;
        url.set_path(to.path());
        Ok(url.into())
    }

    /// In one spelling: with the port, in lower case.
    fn read(url: &Url) -> Option<Self> {
        let host = url.host_str().filter(|host| !host.is_empty())?.to_ascii_lowercase();
        let schema = url.path().strip_prefix('/')?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$');
        if schema.is_empty() || !schema.chars().all(is_plain) {
            return None;
        }
        Some(Self(format!("mysql://{host}:{}/{schema}", url.port().unwrap_or(DEFAULT_PORT))))
    }

    /// As on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn parse(text: &str) -> Option<Url> {
    // A socket leads to its own server, whatever the address says.
    let has_socket = |url: &Url| url.query_pairs().any(|(name, _)| name == "socket");
    Url::parse(text).ok().filter(|url| url.scheme() == "mysql" && url.port() != Some(0) && !has_socket(url))
}

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        // What is refused may hold a password, and is not repeated.
        let shown = if text.contains('@') { "what was sent" } else { text };
        let malformed = || NotAnAddress::Malformed(shown.to_owned());
        let url = parse(text).ok_or_else(malformed)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NotAnAddress::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(malformed());
        }
        Self::read(&url).ok_or_else(malformed)
    }
}

impl TryFrom<String> for Address {
    type Error = NotAnAddress;

    fn try_from(text: String) -> Result<Self, NotAnAddress> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which server is the one that counts, as it stands in `control`. Where nothing stands there, each process uses the one
/// it is configured with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// The server.
    pub address: Address,
    /// The one before it.
    pub previous: Address,
    /// Until when that one is kept, so that one can go back.
    pub way_back_until_ms: i64,
    /// The operation that switched.
    pub operation: uuid::Uuid,
    /// Who asked.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When, by the clock of the process that took the request.
    pub at_ms: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling_and_no_secrets() {
        for (text, spelled) in [
            ("mysql://db:3306/tidemark", "mysql://db:3306/tidemark"),
            ("mysql://DB/tidemark", "mysql://db:3306/tidemark"),
            ("mysql://127.0.0.1:13306/tide_mark-2", "mysql://127.0.0.1:13306/tide_mark-2"),
            ("mysql://[::1]:1/t", "mysql://[::1]:1/t"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().as_str(), spelled);
        }
        for text in [
            "",
            "db",
            "db:3306/t",
            "http://db/t",
            "mysql://db",
            "mysql://db/",
            "mysql:///t",
            "mysql://db/a/b",
            "mysql://db:0/t",
            "mysql://db:65536/t",
            "mysql://db/t?ssl-mode=DISABLED",
            "mysql://db/t`u",
        ] {
            assert!(matches!(text.parse::<Address>(), Err(NotAnAddress::Malformed(_))), "{text}");
        }
        for text in ["mysql://me@db/t", "mysql://me:secret@db/t", "mysql://:secret@db/t"] {
            let refused = text.parse::<Address>().unwrap_err();
            assert_eq!(refused, NotAnAddress::Credentials);
        }
        let refused = "postgres://me:secret@db/t".parse::<Address>().unwrap_err();
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }

    #[test]
    fn a_setting_keeps_who_logs_in_and_how() {
        let to: Address = "mysql://new:3307/other".parse().unwrap();
        let setting = "mysql://me:p%40ss@old:3306/tidemark?ssl-mode=REQUIRED";
        assert_eq!(to.aim(setting).unwrap(), "mysql://me:p%40ss@new:3307/other?ssl-mode=REQUIRED");
        assert_eq!(Address::of_setting(setting).unwrap().as_str(), "mysql://old:3306/tidemark");
        assert!(to.aim("mysql://me@old/tidemark?socket=/run/mysqld.sock").is_err());
        assert!(to.aim("nonsense").is_err() && Address::of_setting("nonsense").is_err());
    }
}
