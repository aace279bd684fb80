//! One call and its answer, with what every answer of ours must look like.

use reqwest::{Client, Method, RequestBuilder, header::HeaderMap};
use serde_json::Value;
use std::{fmt, net::SocketAddr, sync::LazyLock, time::Duration};

/// Above every limit of the server, so that its own answer comes first.
const PATIENCE: Duration = Duration::from_secs(60);

static CLIENT: LazyLock<Client> =
    LazyLock::new(|| Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client"));

/// A request that was not sent yet.
pub(crate) struct Call {
    what: String,
    request: RequestBuilder,
}

impl Call {
    pub(crate) fn new(method: &str, address: SocketAddr, path: &str) -> Self {
        let url = format!("http://{address}{path}");
        let what = format!("{method} {}", path.get(..80).unwrap_or(path));
        Self { what, request: CLIENT.request(Method::from_bytes(method.as_bytes()).unwrap(), url) }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub(crate) fn cookie(self, cookie: &str) -> Self {
        self.header("cookie", cookie)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub(crate) fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let body: Vec<u8> = body.into();
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        self.what = format!("{} {content_type} {shown}", self.what);
        self.request = self.request.header("content-type", content_type).body(body);
        self
    }

    pub(crate) fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.request = self.request.body(body.into());
        self
    }

    pub(crate) async fn send(self) -> Answer {
        self.attempt().await.unwrap_or_else(|problem| panic!("{problem}"))
    }

    async fn attempt(self) -> Result<Answer, String> {
        let Self { what, request } = self;
        let said = async {
            let response = request.send().await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            Ok::<_, reqwest::Error>((status, headers, response.text().await?))
        };
        match said.await {
            Ok((status, headers, text)) => Ok(Answer { what, status, headers, text }),
            Err(error) => Err(format!("{what}: {error:?}")),
        }
    }

    /// For a look that is repeated: the answer if it has that status, else what came instead of it.
    pub(crate) async fn seen(self, status: u16) -> Result<Answer, String> {
        let answer = self.attempt().await?;
        if answer.status == status { Ok(answer) } else { Err(format!("{answer:?}")) }
    }

    /// Sends it and fails the test unless it is answered with that status.
    pub(crate) async fn expect(self, status: u16) -> Answer {
        let answer = self.send().await;
        assert_eq!(answer.status, status, "{answer:?}");
        answer
    }

    /// Sends it and fails the test unless it is refused with that status and code, in the form of every refusal.
    pub(crate) async fn refused(self, status: u16, code: &str) -> Answer {
        let answer = self.send().await;
        answer.assert_refused(status, code);
        answer
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) what: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was answered with {} {:?} {}", self.what, self.status, self.headers, self.text)
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn is_replayed(&self) -> bool {
        self.header("idempotent-replayed") == Some("true")
    }

    /// The session cookie as a client sends it back.
    #[track_caller]
    pub(crate) fn cookie(&self) -> String {
        let set = self.header("set-cookie").unwrap_or_else(|| panic!("no cookie: {self:?}"));
        set.split(';').next().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn assert_refused(&self, status: u16, code: &str) {
        if let Some(problem) = self.unlike_refusal(status, code) {
            panic!("{problem}: {self:?}");
        }
    }

    /// How it differs from a refusal with that status and code; `None` where it is one.
    pub(crate) fn unlike_refusal(&self, status: u16, code: &str) -> Option<String> {
        if self.status != status {
            return Some(format!("not {status}"));
        }
        if self.header("content-type") != Some("application/json") {
            return Some("no JSON".into());
        }
        let body: Value = serde_json::from_str(&self.text).unwrap_or_default();
        let fields: Vec<&String> = body.as_object().into_iter().flat_map(|body| body.keys()).collect();
        if fields != ["errorCode", "message", "timestamp"] {
            return Some("other fields".into());
        }
        let text = |field: &str| body[field].as_str().unwrap_or_default();
        let retry = self.header("retry-after").is_some();
        let checks = [
            (text("errorCode") == code, "another code"),
            (!text("message").is_empty(), "no message"),
            (chrono::DateTime::parse_from_rfc3339(text("timestamp")).is_ok(), "no time"),
            (retry == (status == 503), "Retry-After is for 503"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, problem)| problem.into())
    }
}
