//! Answers that say no: a status, a code for programs, a sentence for people.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chassis::refusal;

/// See the module.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

/// What was sent makes no sense.
pub fn bad(message: String) -> Refusal {
    Refusal { status: StatusCode::BAD_REQUEST, code: "INVALID_REQUEST", message }
}

impl Refusal {
    /// For programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// Something is named that is not there.
    pub const fn unknown(code: &'static str, message: String) -> Self {
        Self { status: StatusCode::NOT_FOUND, code, message }
    }

    /// It does not fit what is.
    pub const fn conflict(code: &'static str, message: String) -> Self {
        Self { status: StatusCode::CONFLICT, code, message }
    }

    /// Allowed only with force.
    pub const fn beyond(message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "BEYOND_HEADROOM", message }
    }

    /// What was confirmed last is not read here yet.
    pub fn behind() -> Self {
        let message = "what was asked for last is not known here yet: ask again".to_owned();
        Self::unavailable("CONTROL_UNAVAILABLE", message)
    }

    /// Kafka, or what is read from it, is away.
    pub const fn unavailable(code: &'static str, message: String) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, code, message }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        refusal::response(self.status, self.code, &self.message)
    }
}
