//! The partner's side of the wire: one call for one order. It never follows a redirection, never believes a body, and
//! never waits longer than it must.

use crate::limits;
use chrono::{DateTime, SecondsFormat, Utc};
use migrations::entity::external_dispatches::Model;
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{DATE, HeaderMap, RETRY_AFTER},
    redirect::Policy,
};
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
        let retry_after = retry_after(answer.headers(), Utc::now());
        // Only so that the connection can be used again; the status has said all.
        drain(answer).await;
        let said = Said::by(status);
        if said == Said::Taken {
            return Ok(());
        }
        Err(Refusal {
            reason: format!("HTTP {}", status.as_u16()),
            answered: said == Said::Refused,
            retry_after: retry_after.filter(|_| said == Said::Overloaded),
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

/// What a status says of the order and of the host. No status stops anything: whatever is not [`Said::Taken`] is tried
/// again by the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// It has the order.
    Taken,
    /// The host is well, and does not take this one.
    Refused,
    /// The host asks for fewer calls.
    Overloaded,
    /// The host is not well.
    Failed,
}

impl Said {
    fn by(status: StatusCode) -> Self {
        if status.is_success() {
            Self::Taken
        } else if status == StatusCode::TOO_MANY_REQUESTS {
            Self::Overloaded
        } else if status.is_server_error() {
            Self::Failed
        } else {
            Self::Refused
        }
    }
}

/// Seconds, or an HTTP date (RFC 9110, 10.2.3). A date is compared with the answer's own `Date`, where it has one: the
/// partner's clock need not be ours.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let date = |text: &str| DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc());
    let wish = text(RETRY_AFTER)?;
    if let Ok(seconds) = wish.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let said = text(DATE).and_then(date).unwrap_or(now);
    // A date that has gone by means now.
    Some((date(wish)? - said).to_std().unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is waited for by an answer with these headers, in seconds, at 08:49:37.
    fn waits(retry_after: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().expect("a header"));
        date.map(|date| headers.insert(DATE, date.parse().expect("a header")));
        let now = DateTime::parse_from_rfc3339("1994-11-06T08:49:37Z").expect("a time").to_utc();
        super::retry_after(&headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn every_status_means_what_was_written_down_for_it() {
        let written = [
            (100..=199, Said::Refused),
            (200..=299, Said::Taken),
            (300..=428, Said::Refused),
            (429..=429, Said::Overloaded),
            (430..=499, Said::Refused),
            (500..=599, Said::Failed),
            (600..=999, Said::Refused),
        ];
        let mut seen = 0;
        for (statuses, expected) in written {
            for status in statuses {
                let status = StatusCode::from_u16(status).expect("a status");
                assert_eq!(Said::by(status), expected, "{status}");
                seen += 1;
            }
        }
        assert_eq!(seen, 900, "all that HTTP can say");
    }

    #[test]
    fn the_partners_wish_is_heard_in_seconds_and_as_a_date() {
        let date = "Sun, 06 Nov 1994 08:50:07 GMT";
        assert_eq!(waits("120", None), Some(120));
        assert_eq!(waits(" 0 ", None), Some(0));
        assert_eq!(waits(date, None), Some(30), "by our clock");
        assert_eq!(waits(date, Some("Sun, 06 Nov 1994 08:50:00 GMT")), Some(7), "by the partner's");
        assert_eq!(waits(date, Some("Sun, 06 Nov 1994 09:00:00 GMT")), Some(0), "it has gone by");
        assert_eq!(waits(date, Some("nonsense")), Some(30));
        for bad in ["", "soon", "-5", "1.5", "Sun, 06 Nov 1994", "99999999999999999999999"] {
            assert_eq!(waits(bad, None), None, "{bad}");
        }
    }
}
