//! The partner's side of the wire: one call for one order. It never follows a redirection, never believes a body, and
//! never waits longer than it must.

use crate::limits;
use chrono::{DateTime, SecondsFormat};
use migrations::entity::external_dispatches::Model;
use reqwest::{Client, Response, StatusCode, Url, header::RETRY_AFTER, redirect::Policy};
use serde::Serialize;
use std::time::Duration;

/// What the partner is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Also the key under which it is told.
    pub order_id: u64,
    /// Who paid.
    pub user_id: u64,
    /// Minor units before the discount.
    pub total_amount: u64,
    /// Minor units.
    pub discount_amount: u64,
    /// Minor units.
    pub paid_amount: u64,
    /// RFC 3339, UTC.
    pub paid_at: String,
}

impl Order {
    /// From its row; `None` where what was asked is not known.
    #[must_use]
    pub fn of(row: &Model) -> Option<Self> {
        let paid_at = DateTime::from_timestamp_millis(row.paid_at_ms?)?;
        Some(Self {
            order_id: row.order_id,
            user_id: row.user_id?,
            total_amount: row.total?,
            discount_amount: row.discount?,
            paid_amount: row.paid?,
            paid_at: paid_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        })
    }
}

/// Why an order was not taken, or nobody knows whether it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For people; nothing of the partner's own words is in it.
    pub reason: String,
    /// Whether the host could be talked to at all.
    pub answered: bool,
    /// When it wishes to be called again.
    pub retry_after: Option<Duration>,
}

/// Why the partner's address is none.
#[derive(Debug, thiserror::Error)]
#[error("TIDEMARK_PLATFORM_URL must be http://HOST[:PORT][/PATH]: {0}")]
pub struct BadAddress(String);

/// See the module.
#[derive(Clone, Debug)]
pub struct Partner {
    client: Client,
    orders: Url,
    timeout: Duration,
}

impl Partner {
    /// At this address.
    ///
    /// # Errors
    /// An address that is none.
    pub fn at(url: &str, timeout: Duration) -> Result<Self, BadAddress> {
        let bad = |reason: &dyn std::fmt::Display| BadAddress(reason.to_string());
        let orders = Url::parse(&format!("{}/orders", url.trim_end_matches('/')));
        let orders = orders.map_err(|error| bad(&error))?;
        if orders.scheme() != "http" {
            return Err(bad(&"TLS is a proxy's work; put one between"));
        }
        let client = Client::builder().no_proxy().redirect(Policy::none()).timeout(timeout);
        let client = client.pool_max_idle_per_host(limits::PLATFORM_IDLE_CONNECTIONS);
        Ok(Self { client: client.build().map_err(|error| bad(&error))?, orders, timeout })
    }

    /// Tells of an order. `Ok` means that the partner has it.
    ///
    /// # Errors
    /// It did not take it, or it is not known.
    pub async fn tell(&self, order: &Order) -> Result<(), Refusal> {
        let request = self.client.post(self.orders.clone());
        let request = request.header("Idempotency-Key", order.order_id.to_string()).json(order);
        let answer = request.send().await.map_err(|error| self.silence(&error))?;
        let status = answer.status();
        let retry_after = seconds(&answer);
        // Only so that the connection can be used again; the status has said all.
        drain(answer).await;
        if status.is_success() {
            return Ok(());
        }
        let overloaded = status == StatusCode::TOO_MANY_REQUESTS;
        Err(Refusal {
            reason: format!("HTTP {}", status.as_u16()),
            answered: !overloaded && !status.is_server_error(),
            retry_after: retry_after.filter(|_| overloaded),
        })
    }

    fn silence(&self, error: &reqwest::Error) -> Refusal {
        let reason = if error.is_timeout() {
            format!("no answer within {} ms", self.timeout.as_millis())
        } else if error.is_connect() {
            "no connection".to_owned()
        } else {
            "no HTTP answer".to_owned()
        };
        Refusal { reason, answered: false, retry_after: None }
    }
}

/// A date is not understood here, only seconds.
fn seconds(answer: &Response) -> Option<Duration> {
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

async fn drain(mut answer: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = answer.chunk().await {
        read += chunk.len();
        if read > limits::PLATFORM_ANSWER_BYTES {
            return;
        }
    }
}
