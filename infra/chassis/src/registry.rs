//! The schema registry (Confluent's API): subjects and schemas in, ids out. Asked at start, never on the hot path.

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
            if answer.status().is_success() {
                return Ok(());
            }
            reason = format!("pinning its compatibility: {}", answer.status());
            if answer.status() != reqwest::StatusCode::CONFLICT {
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
        if status == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() {
            let reason = status.to_string();
            return Err(RegistryError::Refused { subject: subject.to_owned(), reason });
        }
        let found: serde_json::Value =
            answer.json().await.map_err(|error| self.unreachable(&error.to_string()))?;
        Ok(found["id"].as_i64().and_then(|id| i32::try_from(id).ok()))
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
