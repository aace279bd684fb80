//! Headers of which a request has one: of two, whoever comes first would decide, and a proxy may see the other.

use super::ApiError;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The header, where it is there.
///
/// # Errors
/// It is there twice, also where both say the same.
pub fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, ApiError> {
    let mut found = headers.get_all(name).iter();
    match (found.next(), found.next()) {
        (found, None) => Ok(found),
        _ => Err(ApiError::invalid(format!("the header {name} stands there twice; send it once"))),
    }
}
