//! The one HTTP call this crate needs: a GET with a deadline.
//!
//! It must never retry by itself: whoever waits for readiness decides how often to ask.

use std::time::Duration;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body, as text.
    pub body: String,
}

/// GETs a plain-HTTP address within two seconds.
///
/// # Errors
/// One line that says why there is no answer.
pub fn get(url: &str) -> Result<Answer, String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(2)))
        .http_status_as_error(false)
        // A proxy of the environment must not stand between us and 127.0.0.1.
        .proxy(None)
        .build()
        .into();
    let mut response = agent.get(url).call().map_err(|error| error.to_string())?;
    Ok(Answer {
        status: response.status().as_u16(),
        body: response.body_mut().read_to_string().map_err(|error| error.to_string())?,
    })
}
