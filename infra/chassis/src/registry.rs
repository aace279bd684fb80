//! The schema registry (Confluent's API): subjects and schemas in, ids out. Asked at start, never on the hot path.

use reqwest::StatusCode;
use schema_registry_converter::{
    async_impl::schema_registry::{SrSettings, post_schema},
    error::SRCError,
    schema_registry_common::{SchemaType, SuppliedSchema},
};
use std::time::Duration;

/// One call.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Attempts at registering one schema.
const REGISTER_ATTEMPTS: u32 = 5;
/// Between two of them.
const REGISTER_PAUSE: Duration = Duration::from_millis(100);

/// Every subject's schemas must read what any earlier one wrote.
const COMPATIBILITY: &str = r#"{"compatibility":"BACKWARD_TRANSITIVE"}"#;

/// Codes of the API: no such subject, no such schema.
const SUBJECT_UNKNOWN: i64 = 40_401;
const SCHEMA_UNKNOWN: i64 = 40_403;

/// Why an id is not known.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// It cannot be reached; who knows the ids from the log can go on.
    #[error("the schema registry at {url} cannot be reached: {reason}")]
    Unreachable {
        /// Base address.
        url: String,
        /// What happened.
        reason: String,
    },
    /// It answered, and said no.
    #[error("the schema registry refused subject {subject}: {reason}")]
    Refused {
        /// Subject.
        subject: String,
        /// Its answer.
        reason: String,
    },
}

/// A client of one registry.
pub struct Registry {
    url: String,
    settings: SrSettings,
    http: reqwest::Client,
}

impl Registry {
    /// For a base address such as `http://127.0.0.1:8081`.
    ///
    /// # Errors
    /// An address that is none.
    pub fn new(url: &str) -> Result<Self, RegistryError> {
        let unreachable = |reason: String| RegistryError::Unreachable { url: url.to_owned(), reason };
        let settings = SrSettings::new_builder(url.to_owned())
            .no_proxy()
            .set_timeout(CALL_TIMEOUT)
            .build()
            .map_err(|error| unreachable(error.to_string()))?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(CALL_TIMEOUT)
            .build()
            .map_err(|error| unreachable(error.to_string()))?;
        Ok(Self { url: url.trim_end_matches('/').to_owned(), settings, http })
    }

    /// Registers a schema (a known one gets its old id) and pins the subject's compatibility.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn register(&self, subject: &str, schema: &str) -> Result<i32, RegistryError> {
        let id = self.post_patiently(subject, schema).await?;
        self.pin_compatibility(subject).await?;
        Ok(id)
    }

    /// Two that pin one subject at once: one of them is refused (409) although both want the same.
    async fn pin_compatibility(&self, subject: &str) -> Result<(), RegistryError> {
        let mut reason = String::new();
        for _ in 0..REGISTER_ATTEMPTS {
            let answer = self
                .http
                .put(format!("{}/config/{subject}", self.url))
                .header("Content-Type", "application/vnd.schemaregistry.v1+json")
                .body(COMPATIBILITY)
                .send()
                .await
                .map_err(|error| self.unreachable(&error.to_string()))?;
            let status = answer.status();
            if status.is_success() {
                return Ok(());
            }
            reason = format!("pinning its compatibility: {status}");
            if status != StatusCode::CONFLICT {
                let body = answer.bytes().await.map_err(|error| self.unreachable(&error.to_string()))?;
                if refusal(status, &body).is_none() {
                    return Err(self.unreachable(&reason));
                }
                break;
            }
            tokio::time::sleep(REGISTER_PAUSE).await;
        }
        Err(RegistryError::Refused { subject: subject.to_owned(), reason })
    }

    /// The id of a schema that was registered before; `None` where it was not.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn look_up(&self, subject: &str, schema: &str) -> Result<Option<i32>, RegistryError> {
        let body = serde_json::json!({"schemaType": "AVRO", "schema": schema});
        let answer = self
            .http
            .post(format!("{}/subjects/{subject}", self.url))
            .json(&body)
            .send()
            .await
            .map_err(|error| self.unreachable(&error.to_string()))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| self.unreachable(&error.to_string()))?;
        match looked_up(status, &body) {
            LookedUp::Known(id) => Ok(Some(id)),
            LookedUp::Unknown => Ok(None),
            LookedUp::Refused => {
                Err(RegistryError::Refused { subject: subject.to_owned(), reason: status.to_string() })
            }
            LookedUp::NoAnswer => Err(self.unreachable(&format!("it answers {status}"))),
        }
    }

    /// Two that register a new subject at once: one of them is refused (409) although nothing is wrong.
    async fn post_patiently(&self, subject: &str, schema: &str) -> Result<i32, RegistryError> {
        for _ in 1..REGISTER_ATTEMPTS {
            match self.post(subject, schema).await {
                Err(RegistryError::Refused { .. }) => {}
                other => return other,
            }
            if let Some(id) = self.look_up(subject, schema).await? {
                return Ok(id);
            }
            tokio::time::sleep(REGISTER_PAUSE).await;
        }
        self.post(subject, schema).await
    }

    async fn post(&self, subject: &str, schema: &str) -> Result<i32, RegistryError> {
        let supplied = SuppliedSchema::new(None, SchemaType::Avro, schema.to_owned());
        let registered = post_schema(&self.settings, subject.to_owned(), supplied)
            .await
            .map_err(|error| self.refused(subject, &error))?;
        i32::try_from(registered.id).map_err(|_| RegistryError::Refused {
            subject: subject.to_owned(),
            reason: "id beyond 2^31".to_owned(),
        })
    }

    fn refused(&self, subject: &str, error: &SRCError) -> RegistryError {
        if error.retriable {
            self.unreachable(&error.to_string())
        } else {
            RegistryError::Refused { subject: subject.to_owned(), reason: error.to_string() }
        }
    }

    fn unreachable(&self, reason: &str) -> RegistryError {
        RegistryError::Unreachable { url: self.url.clone(), reason: reason.to_owned() }
    }
}

/// What a registry says about a schema that may be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LookedUp {
    Known(i32),
    Unknown,
    Refused,
    /// Not a registry's own words: a proxy's, or those of one that is starting or full.
    NoAnswer,
}

/// The answer of a registry that says no, and not only "not now": a status for the asker's own faults, with its own code.
fn refusal(status: StatusCode, body: &[u8]) -> Option<i64> {
    let passes = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    if !status.is_client_error() || passes {
        return None;
    }
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    body["error_code"].as_i64()
}

fn looked_up(status: StatusCode, body: &[u8]) -> LookedUp {
    if status == StatusCode::OK {
        let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let id = body["id"].as_i64().and_then(|id| i32::try_from(id).ok());
        return id.map_or(LookedUp::NoAnswer, LookedUp::Known);
    }
    match refusal(status, body) {
        Some(SUBJECT_UNKNOWN | SCHEMA_UNKNOWN) if status == StatusCode::NOT_FOUND => LookedUp::Unknown,
        Some(_) => LookedUp::Refused,
        None => LookedUp::NoAnswer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LookedUp::{Known, NoAnswer, Refused, Unknown};

    const OWN_WORDS: &[u8] = br#"{"error_code":40401,"message":"no"}"#;
    const PROXY_WORDS: &[u8] = b"<html>no</html>";

    #[test]
    fn only_a_registrys_own_words_are_an_answer() {
        for (status, body, expected) in [
            (200, &br#"{"id":7}"#[..], Known(7)),
            (200, br#"{"id":2147483648}"#, NoAnswer),
            (200, br#"{"id":"7"}"#, NoAnswer),
            (200, br"{}", NoAnswer),
            (200, b"", NoAnswer),
            (404, OWN_WORDS, Unknown),
            (404, br#"{"error_code":40403}"#, Unknown),
            (404, br#"{"error_code":404}"#, Refused),
            (404, br"{}", NoAnswer),
            (404, br#"{"detail":"Not Found"}"#, NoAnswer),
        ] {
            let said = looked_up(StatusCode::from_u16(status).unwrap(), body);
            assert_eq!(said, expected, "{status} {}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn every_status_has_its_class() {
        for number in 100..=999 {
            let status = StatusCode::from_u16(number).unwrap();
            let expected = match number {
                404 => Unknown,
                408 | 429 => NoAnswer,
                400..=499 => Refused,
                _ => NoAnswer,
            };
            assert_eq!(looked_up(status, OWN_WORDS), expected, "{number}");
            assert_eq!(looked_up(status, PROXY_WORDS), NoAnswer, "{number} of a proxy");
        }
    }
}
