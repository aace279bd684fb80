//! The few HTTP calls this crate needs: a GET, and a POST of JSON, each with a deadline.
//!
//! It must never retry by itself: whoever waits for readiness decides how often to ask.

use std::time::Duration;

/// Deadline of a GET: beyond what a machine stalls whose processors others take.
const GET_WITHIN: Duration = Duration::from_secs(10);
/// Deadline of a POST, longer than the API's own of 6 s: the API knows better what became of a request.
const POST_WITHIN: Duration = Duration::from_secs(10);

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body, as text.
    pub body: String,
}

/// GETs a plain-HTTP address within ten seconds.
///
/// # Errors
/// One line that says why there is no answer.
pub fn get(url: &str) -> Result<Answer, String> {
    get_within(url, GET_WITHIN)
}

/// As [`get`], within another time: for a program that has only just started.
///
/// # Errors
/// As [`get`].
pub fn get_within(url: &str, within: Duration) -> Result<Answer, String> {
    read(agent(within).get(url).call())
}

/// As [`get`], with a bearer token.
///
/// # Errors
/// As [`get`].
pub fn get_as(url: &str, token: &str) -> Result<Answer, String> {
    read(agent(GET_WITHIN).get(url).header("Authorization", format!("Bearer {token}")).call())
}

/// POSTs JSON with a bearer token within ten seconds.
///
/// # Errors
/// As [`get`].
pub fn post(url: &str, token: &str, json: &str) -> Result<Answer, String> {
    let request = agent(POST_WITHIN).post(url).header("Content-Type", "application/json");
    read(request.header("Authorization", format!("Bearer {token}")).send(json))
}

fn agent(within: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(within))
        .http_status_as_error(false)
        // A proxy of the environment must not stand between us and 127.0.0.1.
        .proxy(None)
        .build()
        .into()
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Answer, String> {
    let mut response = answer.map_err(|error| error.to_string())?;
    Ok(Answer {
        status: response.status().as_u16(),
        body: response.body_mut().read_to_string().map_err(|error| error.to_string())?,
    })
}
