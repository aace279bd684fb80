//! The admin API of several processes as one: a question goes from one to the next until somebody knows the answer, a
//! change goes to one that lives. A change that may have been taken must never be sent again by itself.

use crate::{failure::Failure, limits, moment};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{
    cell::RefCell,
    collections::BTreeSet,
    io,
    time::{Duration, Instant, SystemTime},
};
use ureq::{Agent, Timeout, http};

/// Messages in a language that these tables are written in.
const LANGUAGE: &str = "en";
/// Header of answers: the brokers' time, in ms since the epoch.
const BROKERS_TIME: &str = "x-brokers-time-ms";
/// Clocks that differ by less, in ms, are taken for the same.
const AGREEING_MS: u64 = 2_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct Admin {
    urls: Vec<String>,
    bearer: String,
    agent: Agent,
    /// Who did not answer a moment ago: asked last.
    away: RefCell<BTreeSet<String>>,
}

/// What a process said, where it did not refuse.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Who.
    pub(crate) url: String,
    /// When it was asked.
    pub(crate) asked: Instant,
    /// The brokers' time as it knows it, or else its own; in ms since the epoch.
    pub(crate) now_ms: i64,
    /// What.
    pub(crate) body: Value,
}

impl Answer {
    /// The body as what it is meant to be.
    ///
    /// # Errors
    /// A process of another version.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        T::deserialize(&self.body).map_err(|error| Failure::Failed {
            message: format!("{} answers something that this version does not understand: {error}", self.url),
            next: "use the `tidemark` of the same version as the processes, or --json".into(),
        })
    }
}

/// What is sent.
#[derive(Clone, Copy)]
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    body: Option<&'a Value>,
    within: Duration,
}

impl<'a> Request<'a> {
    const fn get(path: &'a str, within: Duration) -> Self {
        Self { method: "GET", path, body: None, within }
    }
}

/// Why one process has no answer.
enum Trouble {
    /// It heard nothing.
    Away(String),
    /// It may have heard it.
    Lost(String),
    /// It said no.
    Refused(Failure),
}

impl Admin {
    /// For these admin listeners.
    pub(crate) fn new(urls: Vec<String>, token: &str) -> Self {
        let agent = Agent::config_builder()
            .timeout_connect(Some(limits::CONNECT))
            .http_status_as_error(false)
            // A kept connection may be dead; a proxy of the environment does not lead to these listeners.
            .max_idle_connections(0)
            .proxy(None)
            .build();
        Self { urls, bearer: format!("Bearer {token}"), agent: agent.into(), away: RefCell::default() }
    }

    /// Asks one after the other.
    ///
    /// # Errors
    /// Nobody answers, or those who do refuse.
    pub(crate) fn get(&self, path: &str, within: Duration) -> Result<Answer, Failure> {
        let request = Request::get(path, within);
        self.first(|url| self.call(url, request).map_err(not_lost), path)
    }

    /// Asks everybody who lives: one that is frozen would keep the others' answers waiting.
    pub(crate) fn get_from_each(&self, path: &str) -> Vec<(String, Result<Answer, Failure>)> {
        let ask = |url: &String| {
            let asked = self.alive(url).and_then(|()| self.call(url, Request::get(path, limits::ASK)));
            let asked = asked.map_err(|trouble| match trouble {
                Trouble::Away(why) | Trouble::Lost(why) => Failure::Nobody(vec![why]),
                Trouble::Refused(failure) => failure,
            });
            (url.clone(), asked)
        };
        self.urls.iter().map(ask).collect()
    }

    /// Asks one after the other what takes a body to ask.
    ///
    /// # Errors
    /// As [`Admin::get`].
    pub(crate) fn ask(&self, path: &str, body: &Value, within: Duration) -> Result<Answer, Failure> {
        let request = Request { method: "POST", path, body: Some(body), within };
        self.first(|url| self.call(url, request).map_err(not_lost), path)
    }

    /// Has the first that lives change something.
    ///
    /// # Errors
    /// Nobody lives; it refused; or nobody knows whether it did it.
    pub(crate) fn change(&self, method: &str, path: &str, body: &Value) -> Result<Answer, Failure> {
        self.change_within(method, path, body, limits::CHANGE)
    }

    /// The same for what takes longer.
    ///
    /// # Errors
    /// As [`Admin::change`].
    pub(crate) fn change_within(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        within: Duration,
    ) -> Result<Answer, Failure> {
        let request = Request { method, path, body: Some(body), within };
        self.first(|url| self.call(url, request), path)
    }

    fn first(&self, ask: impl Fn(&str) -> Result<Answer, Trouble>, path: &str) -> Result<Answer, Failure> {
        let (mut away, mut refused) = (Vec::new(), None);
        let (last, mut urls): (Vec<_>, Vec<_>) =
            self.urls.iter().partition(|url| self.away.borrow().contains(*url));
        urls.extend(last);
        for url in urls {
            match self.alive(url).and_then(|()| ask(url)) {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Away(why)) => away.push(why),
                Err(Trouble::Lost(why)) => {
                    return Err(Failure::Unconfirmed {
                        message: format!("{why}; whether it took the request is not known"),
                        next: "`tidemark operations` shows whether it was recorded; asking again is safe"
                            .into(),
                    });
                }
                Err(Trouble::Refused(failure)) if may_know_elsewhere(&failure) => {
                    if refused.as_ref().is_none_or(|known| weight(&failure) > weight(known)) {
                        refused = Some(failure);
                    }
                }
                Err(Trouble::Refused(failure)) => return Err(failure),
            }
        }
        Err(match refused {
            Some(failure) if failure.is("NOT_SERVED") => {
                Failure::not_served(path.split('?').next().unwrap_or(path))
            }
            Some(failure) => failure,
            None => Failure::Nobody(away),
        })
    }

    /// Who is frozen still accepts connections, and would obey when it wakes.
    fn alive(&self, url: &str) -> Result<(), Trouble> {
        match self.call(url, Request::get("/health", limits::ALIVE)) {
            Err(Trouble::Away(why) | Trouble::Lost(why)) => {
                self.away.borrow_mut().insert(url.to_owned());
                Err(Trouble::Away(why))
            }
            // Whatever it says, it lives.
            Ok(_) | Err(Trouble::Refused(_)) => {
                self.away.borrow_mut().remove(url);
                Ok(())
            }
        }
    }

    fn call(&self, url: &str, request: Request<'_>) -> Result<Answer, Trouble> {
        let Request { method, path, body, within } = request;
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{url}{path}"))
            .header("Authorization", &self.bearer)
            .header("Accept-Language", LANGUAGE)
            .header("Content-Type", "application/json");
        let (text, asked) = (body.map(Value::to_string), Instant::now());
        let sent = match text {
            Some(text) => request.body(text).map_err(ureq::Error::from).and_then(|request| {
                self.agent.run(self.agent.configure_request(request).timeout_global(Some(within)).build())
            }),
            None => request.body(()).map_err(ureq::Error::from).and_then(|request| {
                self.agent.run(self.agent.configure_request(request).timeout_global(Some(within)).build())
            }),
        };
        let mut response = sent.map_err(|error| trouble(url, &error))?;
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        // By the brokers' clock, as every time in an answer; whoever does not tell it is asked for his own.
        let brokers = header(BROKERS_TIME).and_then(|ms| ms.parse().ok());
        let now_ms = brokers.unwrap_or_else(|| clock_of(header("date")));
        let text = response.body_mut().with_config().limit(limits::MAX_BODY_BYTES).read_to_string();
        let text = text.map_err(|error| Trouble::Lost(format!("{url} broke off: {error}")))?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        if (200..300).contains(&status) {
            return Ok(Answer { url: url.to_owned(), asked, now_ms, body });
        }
        Err(Trouble::Refused(refusal(url, status, &body)))
    }
}

fn not_lost(trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Lost(why) => Trouble::Away(why),
        other => other,
    }
}

fn trouble(url: &str, error: &ureq::Error) -> Trouble {
    let why = format!("{url}: {error}");
    let never_reached = match error {
        ureq::Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        ureq::Error::Timeout(which) => matches!(which, Timeout::Connect | Timeout::Resolve),
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => true,
        ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::TlsRequired => true,
        _ => false,
    };
    if never_reached { Trouble::Away(why) } else { Trouble::Lost(why) }
}

fn refusal(url: &str, status: u16, body: &Value) -> Failure {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    match (text("errorCode"), text("message")) {
        (Some(code), _) if code == "NO_SUCH_PATH" => Failure::not_served(url),
        (Some(code), message) => Failure::Refused { status, code, message: message.unwrap_or_default() },
        // No route of ours answers so.
        (None, _) if matches!(status, 404 | 405) => Failure::not_served(url),
        (None, _) => {
            let message = format!("{url} does not say why");
            Failure::Refused { status, code: "UNEXPLAINED".into(), message }
        }
    }
}

/// Whether it depends on which process was asked, and nothing was done.
fn may_know_elsewhere(failure: &Failure) -> bool {
    match failure {
        Failure::Refused { status: 404 | 405, code, .. } => {
            matches!(code.as_str(), "NOT_FOUND" | "METHOD_NOT_ALLOWED" | "NOT_SERVED")
        }
        Failure::Refused { status: 503, code, .. } => code != "OUTCOME_UNKNOWN",
        _ => false,
    }
}

/// Which of several refusals says most.
fn weight(failure: &Failure) -> u8 {
    match failure {
        Failure::Refused { code, .. } if code == "NOT_SERVED" => 0,
        Failure::Refused { status: 404 | 405, .. } => 1,
        _ => 2,
    }
}

/// The time at a process: as we know it, where both clocks agree, since the header has whole seconds only.
fn clock_of(header: Option<&str>) -> i64 {
    let own = own_clock();
    let theirs = header.and_then(moment::of_header).unwrap_or(own);
    if own.abs_diff(theirs) < AGREEING_MS { own } else { theirs }
}

fn own_clock() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_another_process_may_know_better_is_asked_again() {
        let elsewhere = |status, body: Value| may_know_elsewhere(&refusal("u", status, &body));
        assert!(elsewhere(404, Value::Null));
        assert!(elsewhere(404, json!({"errorCode": "NOT_FOUND", "message": "no such path"})));
        assert!(elsewhere(503, json!({"errorCode": "CONTROL_UNAVAILABLE"})));
        assert!(!elsewhere(503, json!({"errorCode": "OUTCOME_UNKNOWN"})));
        assert!(!elsewhere(404, json!({"errorCode": "UNKNOWN_GROUP"})));
        assert!(!elsewhere(401, json!({"errorCode": "UNAUTHENTICATED"})));
        assert!(!elsewhere(409, json!({"errorCode": "NOT_HELD"})));
    }

    #[test]
    fn the_refusal_that_says_most_is_kept() {
        let of = |status, body: Value| weight(&refusal("u", status, &body));
        let away = of(503, json!({"errorCode": "DATABASE_UNAVAILABLE"}));
        let unknown = of(404, json!({"errorCode": "NOT_FOUND"}));
        assert_eq!(of(404, json!({"errorCode": "NO_SUCH_PATH"})), 0);
        assert!(away > unknown && unknown > of(404, Value::Null));
    }

    #[test]
    fn clocks_that_agree_are_one_and_others_are_theirs() {
        assert!(clock_of(None).abs_diff(own_clock()) < 1_000);
        assert_eq!(clock_of(Some("Sat, 21 Nov 2020 16:20:01 GMT")), 1_605_975_601_000);
    }

    #[test]
    fn what_was_never_heard_is_told_from_what_may_have_been() {
        let refused = ureq::Error::Io(io::ErrorKind::ConnectionRefused.into());
        assert!(matches!(trouble("u", &refused), Trouble::Away(_)));
        assert!(matches!(trouble("u", &ureq::Error::Timeout(Timeout::Connect)), Trouble::Away(_)));
        assert!(matches!(trouble("u", &ureq::Error::Timeout(Timeout::Global)), Trouble::Lost(_)));
        let reset = ureq::Error::Io(io::ErrorKind::ConnectionReset.into());
        assert!(matches!(trouble("u", &reset), Trouble::Lost(_)));
    }
}
