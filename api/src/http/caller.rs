//! Who asks, and by which key: taken from cookie, headers and mode, once per request.

use super::{ApiError, App, Code, Shared, edge::IDEMPOTENCY_KEY, headers::one, spelling::Aim};
use crate::{
    limits,
    request::{Principal, RetryKey, Target},
    session::{Session, wall_clock_ms},
};
use axum::{
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, Method, header, request::Parts},
};
use chassis::{admin::has_token, serve::Peer};
use schemas::{Topic, UserId, partition, records::Mode};

/// The header by which a proxy marks its own attempts of one request.
const RETRY_KEY: HeaderName = HeaderName::from_static("x-retry-key");

/// What a request says of itself.
pub struct Caller {
    method: Method,
    aim: Aim,
    /// None where nothing is appended.
    key: RetryKey,
    session: Option<Session>,
    /// Whether the admin token came along.
    admin: bool,
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, ApiError> {
        // Keys are for what appends a record, and no other method ever does.
        let key = match parts.method {
            Method::POST | Method::PATCH => retry_key(parts, app)?,
            _ => RetryKey::None,
        };
        Self::read(parts, app, key)
    }
}

/// Whoever sends a POST that appends no record: the key is not looked at.
pub struct Keyless(pub Caller);

impl FromRequestParts<Shared> for Keyless {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, ApiError> {
        Caller::read(parts, app, RetryKey::None).map(Self)
    }
}

impl Caller {
    fn read(parts: &Parts, app: &App, key: RetryKey) -> Result<Self, ApiError> {
        let aim = parts.extensions.get::<Aim>().ok_or(Code::Internal)?.clone();
        // A header may come in several lines, and a cookie of ours beside others' in any encoding.
        let cookies = parts.headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
        let session = app.sessions.read(cookies, wall_clock_ms());
        let admin = has_token(&parts.headers, &app.admin_token);
        Ok(Self { method: parts.method.clone(), aim, key, session, admin })
    }
}

fn retry_key(parts: &Parts, app: &App) -> Result<RetryKey, ApiError> {
    if let Some(key) = one(&parts.headers, &IDEMPOTENCY_KEY)? {
        let (key, limit) = (key.to_str().unwrap_or_default(), limits::MAX_KEY_CHARS);
        if key.is_empty() || key.chars().count() > limit {
            return Err(ApiError::invalid(format!(
                "Idempotency-Key must have 1 to {limit} visible ASCII characters"
            )));
        }
        return Ok(RetryKey::Client(key.to_owned()));
    }
    let peer = parts.extensions.get::<Peer>();
    if !peer.is_some_and(|Peer(address)| app.trusted_proxies.trust(*address)) {
        return Ok(RetryKey::None);
    }
    match one(&parts.headers, &RETRY_KEY)?.map(|key| key.to_str().unwrap_or_default()) {
        Some(key) if !key.is_empty() && key.len() <= limits::MAX_KEY_CHARS => {
            Ok(RetryKey::Proxy(key.to_owned()))
        }
        _ => Ok(RetryKey::None),
    }
}

impl Caller {
    /// Where the request is aimed.
    pub fn target(&self) -> Target<'_> {
        Target { method: self.method.as_str(), path: self.aim.target() }
    }

    /// By which key.
    pub const fn key(&self) -> &RetryKey {
        &self.key
    }

    /// The session, if the log says that it is alive.
    ///
    /// # Errors
    /// The log cannot say right now.
    pub async fn session(&self, app: &App) -> Result<Option<Session>, ApiError> {
        let Some(session) = self.session else { return Ok(None) };
        let home = partition::of_id(session.user_id.to_wire(), Topic::Signup);
        let log = &app.ingress.accounts;
        app.ingress.fresh(log, home, limits::SESSION_FRESHNESS).await?;
        let dead = log.cell(home).look(|fold| fold.state().is_dead(session.user_id, session.session_id));
        Ok((!dead).then_some(session))
    }

    /// The only user that the caller may act for; none in stage mode, where that is anybody.
    ///
    /// # Errors
    /// 401 without a session; never in stage mode.
    pub async fn stands_for(&self, app: &App) -> Result<Option<UserId>, ApiError> {
        if app.mode == Mode::Stage {
            return Ok(None);
        }
        let session = self.session(app).await?.ok_or(Code::Unauthenticated)?;
        Ok(Some(session.user_id))
    }

    /// Makes sure that the caller may act for `user`.
    ///
    /// # Errors
    /// 401 without a session, 403 with somebody else's; never in stage mode.
    pub async fn act_for(&self, app: &App, user: UserId) -> Result<Principal, ApiError> {
        match self.stands_for(app).await? {
            Some(own) if own != user => Err(Code::U002.into()),
            _ => Ok(Principal::User(user)),
        }
    }

    /// Makes sure that the caller may do what only administrators do on the public listener.
    ///
    /// # Errors
    /// 401 without the admin token; never in stage mode.
    pub fn administrate(&self, app: &App) -> Result<Principal, ApiError> {
        if self.admin || app.mode == Mode::Stage {
            Ok(Principal::Admin)
        } else {
            Err(Code::Unauthenticated.into())
        }
    }
}
