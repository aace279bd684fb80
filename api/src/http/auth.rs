//! Sign-up of guests, login and logout.

use super::{
    ApiError, Code, Shared,
    body::{JsonBody, canonical},
    caller::{Caller, Keyless},
    coupons::{Empty, replayed},
    wire::WireId,
};
use crate::{
    log::cell::Answer,
    request::{Principal, RetryKey},
    session::Session,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header::SET_COOKIE},
    response::{IntoResponse, Response},
};
use domain::{Verdict, accounts::AccountOutcome};
use schemas::{
    Record, Topic, Uuid, partition,
    records::{Mode, SessionRevoked, SignedUp},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Body of sign-up and login.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Credentials {
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    user_id: Option<WireId>,
}

/// `POST /api/auth/signup`: a guest.
pub async fn sign_up(
    State(app): State<Shared>,
    caller: Caller,
    JsonBody(body): JsonBody<Credentials>,
) -> Result<Response, ApiError> {
    if body.email.is_some() || body.password.is_some() || body.user_id.is_some() {
        return Err(ApiError::invalid(
            "accounts with e-mail and password are not offered yet; send an empty body",
        ));
    }
    let key = guest_key(caller.key())?;
    let envelope = app.identity.envelope(Principal::Anonymous, caller.target(), &key, b"{}");
    let (event_id, fingerprint) = envelope;
    let home = partition::of_event_id(event_id);
    let record = SignedUp { event_id, fingerprint, email_hmac: None, account: None };
    let answer = app.ingress.submit(&app.ingress.accounts, home, &Record::from(record)).await?;
    signed_up(&app, &answer)
}

/// A guest's key opens a session of the account that it made, so it must not be guessable: any 128-bit hex.
fn guest_key(key: &RetryKey) -> Result<RetryKey, ApiError> {
    match key {
        RetryKey::Client(text) if is_128_bit_hex(text) => {
            let uuid = Uuid::try_parse(text).unwrap_or_default();
            Ok(RetryKey::Client(uuid.simple().to_string()))
        }
        RetryKey::Client(_) => {
            Err(ApiError::invalid("for a sign-up, Idempotency-Key must be 128 bits in hex, such as a UUID"))
        }
        // nginx' request id is 128 random bits in hex; whatever a client made up itself is not used.
        RetryKey::Proxy(text) if is_128_bit_hex(text) => Ok(key.clone()),
        RetryKey::Proxy(_) | RetryKey::None => Ok(RetryKey::None),
    }
}

fn is_128_bit_hex(text: &str) -> bool {
    (text.len() == 32 || text.len() == 36) && Uuid::try_parse(text).is_ok()
}

/// The HTTP answer of a sign-up, with a fresh session.
fn signed_up(app: &super::App, answer: &Answer<AccountOutcome>) -> Result<Response, ApiError> {
    let user_id = match &answer.verdict {
        Verdict::Decided(AccountOutcome::Registered { user_id, .. }) => *user_id,
        Verdict::KeyReused => return Err(Code::KeyReused.into()),
        other => {
            tracing::error!(?other, "a sign-up was judged as no sign-up of ours can be");
            return Err(Code::Internal.into());
        }
    };
    let body = json!({"userId": user_id.get(), "balance": app.opening_balance});
    let session = app.sessions.open(user_id);
    Ok(replayed(
        with_session(app, &session, (StatusCode::CREATED, Json(body)).into_response()),
        answer.replayed,
    ))
}

fn with_session(app: &super::App, session: &Session, response: Response) -> Response {
    set_cookie(response, &app.sessions.set_cookie(session))
}

fn set_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(SET_COOKIE, value);
    }
    response
}

/// `POST /api/auth/login`: in stage mode by `userId`. There are no accounts with e-mail yet, so none can log in.
pub async fn log_in(
    State(app): State<Shared>,
    _: Keyless,
    JsonBody(body): JsonBody<Credentials>,
) -> Result<Response, ApiError> {
    let user_id = match (app.mode, &body) {
        (Mode::Stage, Credentials { user_id: Some(id), email: None, .. }) => id.user(),
        (_, Credentials { user_id: None, email: None, .. }) => {
            return Err(ApiError::invalid("email and password are missing"));
        }
        _ => None,
    };
    let user_id = user_id.ok_or(Code::U004)?;
    let response = Json(json!({"success": true, "userId": user_id.get()})).into_response();
    Ok(with_session(&app, &app.sessions.open(user_id), response))
}

/// `POST /api/auth/logout`: the session is dead on every process once the log holds it.
pub async fn log_out(
    State(app): State<Shared>,
    caller: Caller,
    JsonBody(body): JsonBody<Empty>,
) -> Result<Response, ApiError> {
    if let Some(session) = caller.session(&app).await? {
        let principal = Principal::User(session.user_id);
        let envelope = app.identity.envelope(principal, caller.target(), caller.key(), &canonical(&body));
        let (event_id, fingerprint) = envelope;
        let home = partition::of_id(session.user_id.to_wire(), Topic::Signup);
        let record = SessionRevoked {
            event_id,
            fingerprint,
            user_id: session.user_id.to_wire(),
            session_id: session.session_id,
            expires_at_ms: session.expires_at_ms,
        };
        let answer = app.ingress.submit(&app.ingress.accounts, home, &record.into()).await?;
        match answer.verdict {
            Verdict::Decided(AccountOutcome::SessionRevoked { .. }) => {}
            Verdict::KeyReused => return Err(Code::KeyReused.into()),
            other => {
                // Such as brokers' clocks that are hours behind ours: the session lives, so nobody is told otherwise.
                tracing::error!(?other, "a session could not be ended");
                return Err(Code::Internal.into());
            }
        }
    }
    let response = Json(json!({"success": true})).into_response();
    Ok(set_cookie(response, &app.sessions.clear_cookie()))
}
