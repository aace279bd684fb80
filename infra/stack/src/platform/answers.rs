//! What the partner answers to whom.

use super::exchange::{Answer, Exchange, Request};
use super::ledger::BadKey;
use super::{Mode, Shared};
use serde_json::{Value, json};
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// Where a redirection leads.
const ELSEWHERE: &str = "/elsewhere";
/// What is no HTTP.
const GARBAGE: &[u8] = b"\x16\x03\x01\x00\xff this is no HTTP \x00\xde\xad\xbe\xef\r\n\r\n";

/// What becomes of the connection.
enum Reply {
    /// The answer, and then the next request.
    Whole(Answer),
    /// These bytes, and then the end.
    Broken(Vec<u8>),
}

/// Answers one request after the other until the caller is done.
///
/// # Errors
/// The connection broke, or what came was no HTTP.
pub(super) fn serve(stream: &TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    let mut exchange = Exchange::on(stream)?;
    while let Some(request) = exchange.next()? {
        match answer(&request, shared) {
            Reply::Whole(answer) => exchange.send(&answer.bytes())?,
            Reply::Broken(bytes) => return exchange.send(&bytes),
        }
    }
    Ok(())
}

fn answer(request: &Request, shared: &Arc<Shared>) -> Reply {
    let answer = match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/orders") => return order(request, shared),
        ("POST", ELSEWHERE) => {
            shared.lock().ledger.followed();
            Answer::json(200, json!({"followed": true}))
        }
        ("PUT", "/control") => control(request, shared),
        ("GET", "/effects") => Answer::json(200, json!(shared.lock().ledger.totals())),
        ("GET", "/health") => Answer::json(200, json!({"status": "ok"})),
        _ => Answer::json(404, json!({"error": "not found"})),
    };
    Reply::Whole(answer)
}

fn control(request: &Request, shared: &Arc<Shared>) -> Answer {
    let mode: Mode = match serde_json::from_slice(&request.body) {
        Ok(mode) => mode,
        Err(error) => return Answer::json(400, json!({"error": error.to_string()})),
    };
    match shared.set_mode(mode) {
        Ok(()) => Answer::json(200, json!(mode)),
        Err(error) => Answer::json(500, json!({"error": error.to_string()})),
    }
}

fn order(request: &Request, shared: &Shared) -> Reply {
    let (mode, generation, effect) = {
        let mut state = shared.lock();
        let number = state.ledger.called();
        let mode = state.mode.of_call(number);
        if let Err(bad) = state.ledger.enter(&request.key) {
            return Reply::Whole(refused(bad));
        }
        let happens = !matches!(
            mode,
            Mode::RateLimited { .. } | Mode::Unavailable | Mode::Refusal { .. } | Mode::Redirect
        );
        (mode, state.generation, happens && state.ledger.take_effect(&request.key, &order_of(request)))
    };
    let accepted = Answer::json(200, json!({"accepted": true, "repeated": !effect}));
    let error = |status| Answer::json(status, json!({"error": "by request"}));
    Reply::Whole(match mode {
        Mode::Slow { ms } => {
            shared.hold_back(Duration::from_millis(ms), generation);
            accepted
        }
        Mode::RateLimited { retry_after_s } => error(429).with("Retry-After", retry_after_s),
        Mode::ErrorAfterEffect => error(500),
        Mode::Unavailable => error(503),
        Mode::Refusal { status } => error(status),
        Mode::Redirect => error(307).with("Location", format!("{}{ELSEWHERE}", shared.orders.url())),
        Mode::Garbage => return Reply::Broken(GARBAGE.to_vec()),
        Mode::HalfAnswer => {
            let mut bytes = accepted.bytes();
            bytes.truncate(bytes.len() / 2);
            return Reply::Broken(bytes);
        }
        // What is read while the door closes is answered to nobody.
        Mode::Fast | Mode::Refusing | Mode::Flaky { .. } => accepted,
    })
}

/// The order that a call is about: what its body says, else its key.
fn order_of(request: &Request) -> String {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    match &body["orderId"] {
        Value::Null => request.key.clone(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn refused(bad: BadKey) -> Answer {
    let (status, why) = match bad {
        BadKey::Missing => (400, "no Idempotency-Key"),
        BadKey::TooLong => (400, "the Idempotency-Key is too long"),
        BadKey::Full => (507, "no more keys are remembered"),
    };
    Answer::json(status, json!({"error": why}))
}
