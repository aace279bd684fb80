//! The one parser of what a request is aimed at. Two spellings of one target would be two requests to the log, and a
//! repetition under the same key would count twice; so each target has one spelling, and every other one is refused.

use super::{ApiError, Code};
use axum::{
    extract::FromRequestParts,
    http::{Uri, request::Parts},
};
use std::{borrow::Cow, fmt::Write, sync::Arc};

/// The parameters that a route's query may have. A route that does not stand here has none.
const TAKEN: [(&str, &[&str]); 6] = [
    ("/coupon/apply", &["userId"]),
    ("/api/products", &["category", "sortBy", "page", "size"]),
    ("/api/products/top", &["count", "dateRangeDays"]),
    ("/api/users/{id}/coupons", &["status"]),
    ("/api/users/{id}/orders", &["status"]),
    ("/api/users/{id}/balance/logs", &["from", "to", "code", "refId", "page", "size"]),
];

/// What a request is aimed at, read once by the edge; handlers and keys find it among the request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim {
    /// Path and query in their one spelling.
    target: String,
    parameters: Arc<[Parameter]>,
}

#[derive(Debug, PartialEq, Eq)]
struct Parameter {
    name: String,
    value: String,
}

/// The query's parameters.
pub struct Parameters(Arc<[Parameter]>);

impl Parameters {
    /// One of them, where it is there.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|parameter| parameter.name == name);
        found.map(|parameter| parameter.value.as_str())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let aim = parts.extensions.get::<Aim>().ok_or(Code::Internal)?;
        Ok(Self(aim.parameters.clone()))
    }
}

impl Aim {
    /// Reads the target of a request that met `route`.
    ///
    /// # Errors
    /// Another spelling than the one, a parameter that the route does not take, or one that comes twice.
    pub fn read(route: &str, uri: &Uri) -> Result<Self, ApiError> {
        let mut target = path(route, uri.path())?.into_owned();
        // A question mark or an ampersand that nothing follows says nothing.
        let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pairs: Vec<&str> = pairs.collect();
        let parameters = parameters(route, &pairs)?;
        if !pairs.is_empty() {
            target.push('?');
            target.push_str(&pairs.join("&"));
        }
        Ok(Self { target, parameters: parameters.into() })
    }

    /// Path and query, under which the log knows a request.
    pub fn target(&self) -> &str {
        &self.target
    }
}

/// Digits without a zero before them: how a number is written in a path, a query or a string.
#[must_use]
pub fn is_number(text: &str) -> bool {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits && (text.len() == 1 || !text.starts_with('0'))
}

fn path<'a>(route: &str, path: &'a str) -> Result<Cow<'a, str>, ApiError> {
    // Only a campaign has a name of its own, which may be of any digits.
    let has_names = route.contains("{name}");
    let is_id = |segment: &str| !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    if !has_names && path.split('/').any(|segment| is_id(segment) && !is_number(segment)) {
        return Err(ApiError::invalid("an id in a path is written without zeros before it"));
    }
    if path.bytes().all(|byte| byte == b'/' || is_plain(byte)) {
        return Ok(Cow::Borrowed(path));
    }
    let mut written = String::with_capacity(path.len());
    for (at, segment) in path.split('/').enumerate() {
        if at > 0 {
            written.push('/');
        }
        encode(&decode(segment)?, &mut written);
    }
    Ok(Cow::Owned(written))
}

fn parameters(route: &str, pairs: &[&str]) -> Result<Vec<Parameter>, ApiError> {
    let taken = TAKEN.iter().find(|(known, _)| *known == route).map_or(&[][..], |(_, names)| *names);
    let mut found: Vec<Parameter> = Vec::new();
    for pair in pairs {
        let (name, value) = pair.split_once('=').unwrap_or((*pair, ""));
        let (name, value) = (decode(&name.replace('+', " "))?, decode(&value.replace('+', " "))?);
        if !taken.contains(&name.as_str()) {
            let takes = if taken.is_empty() { "none".to_owned() } else { taken.join(", ") };
            let name: String = name.chars().take(MAX_SHOWN_CHARS).collect();
            return Err(ApiError::invalid(format!(
                "there is no parameter {name:?} here; this path takes {takes}"
            )));
        }
        if found.iter().any(|parameter| parameter.name == name) {
            return Err(ApiError::invalid(format!("the parameter {name} stands there twice; send it once")));
        }
        found.push(Parameter { name, value });
    }
    Ok(found)
}

/// Of a parameter that is not known, in characters.
const MAX_SHOWN_CHARS: usize = 64;

/// Characters that mean themselves everywhere in a URI (RFC 3986, 2.3) and are never encoded.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Characters that stand in a path as they are (RFC 3986, 3.3).
const fn is_plain(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@'
        )
}

fn decode(text: &str) -> Result<String, ApiError> {
    let unreadable = || ApiError::invalid("path or query cannot be read");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = digit().zip(digit()).ok_or_else(unreadable)?;
        let byte = u8::try_from(high * 16 + low).map_err(|_| unreadable())?;
        if is_unreserved(byte) {
            let plain = char::from(byte);
            return Err(ApiError::invalid(format!(
                "write {plain:?} in path and query as it is, not percent-encoded"
            )));
        }
        bytes.push(byte);
    }
    String::from_utf8(bytes).map_err(|_| unreadable())
}

fn encode(text: &str, written: &mut String) {
    for byte in text.bytes() {
        if is_plain(byte) {
            written.push(char::from(byte));
        } else {
            let _ = write!(written, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(route: &str, uri: &str) -> Result<String, String> {
        let uri = uri.parse().expect("a URI");
        let refused = |error: ApiError| error.detail.unwrap_or_default();
        Aim::read(route, &uri).map(|aim| aim.target().to_owned()).map_err(refused)
    }

    const BALANCE: &str = "/api/users/{id}/balance";
    const RESET: &str = "/admin/campaigns/{name}/reset";

    #[test]
    fn one_target_has_one_spelling() {
        for (route, uri, target) in [
            (BALANCE, "/api/users/6/balance", "/api/users/6/balance"),
            (BALANCE, "/api/users/6/balance?", "/api/users/6/balance"),
            (BALANCE, "http://other/api/users/6/balance", "/api/users/6/balance"),
            (BALANCE, "/api/users/0/balance", "/api/users/0/balance"),
            (BALANCE, "/api/users/6/balance?&", "/api/users/6/balance"),
            ("/coupon/apply", "/coupon/apply?userId=5", "/coupon/apply?userId=5"),
            ("/coupon/apply", "/coupon/apply?&userId=5&&", "/coupon/apply?userId=5"),
            (RESET, "/admin/campaigns/007/reset", "/admin/campaigns/007/reset"),
            (RESET, "/admin/campaigns/%EC%97%AC/reset", "/admin/campaigns/%EC%97%AC/reset"),
            (RESET, "/admin/campaigns/%ec%97%ac/reset", "/admin/campaigns/%EC%97%AC/reset"),
            (RESET, "/admin/campaigns/a%26b/reset", "/admin/campaigns/a&b/reset"),
            (RESET, "/admin/campaigns/a%2Fb/reset", "/admin/campaigns/a%2Fb/reset"),
            (RESET, "/admin/campaigns/a|b/reset", "/admin/campaigns/a%7Cb/reset"),
            (RESET, "/admin/campaigns/a%20b/reset", "/admin/campaigns/a%20b/reset"),
        ] {
            assert_eq!(read(route, uri), Ok(target.to_owned()), "{uri}");
        }
        for (route, uri, says) in [
            (BALANCE, "/api/users/06/balance", "without zeros"),
            (BALANCE, "/api/users/00/balance", "without zeros"),
            (BALANCE, "/api/users/%36/balance", "not percent-encoded"),
            (BALANCE, "/api/%75sers/6/balance", "not percent-encoded"),
            (BALANCE, "/api/users/6/balance?x", "takes none"),
            (BALANCE, "/api/users/6/balance?x=1", "takes none"),
            (BALANCE, "/api/users/%zz/balance", "cannot be read"),
            (BALANCE, "/api/users/%f/balance", "cannot be read"),
            (BALANCE, "/api/users/%ff/balance", "cannot be read"),
            ("/coupon/apply", "/coupon/apply?userId=5&userId=4", "twice"),
            ("/coupon/apply", "/coupon/apply?userId=5&userId=5", "twice"),
            ("/coupon/apply", "/coupon/apply?userId=%35", "not percent-encoded"),
            ("/coupon/apply", "/coupon/apply?user%49d=5", "not percent-encoded"),
            ("/coupon/apply", "/coupon/apply?userid=5", "takes userId"),
            ("/api/users/{id}/orders", "/api/users/1/orders?state=PAID", "takes status"),
        ] {
            let said = read(route, uri).expect_err(uri);
            assert!(said.contains(says), "{uri}: {said}");
        }
    }

    #[test]
    fn parameters_are_decoded_once() {
        let uri = "/api/products?category=%EC%8B%A0%EB%B0%9C+a%2Bb&page=2".parse().expect("a URI");
        let aim = Aim::read("/api/products", &uri).expect("readable");
        let parameters = Parameters(aim.parameters);
        assert_eq!(parameters.get("category"), Some("신발 a+b"));
        assert_eq!((parameters.get("page"), parameters.get("size")), (Some("2"), None));
    }

    #[test]
    fn a_number_has_no_zero_before_it() {
        for good in ["0", "7", "10", "99999999999999999999999999"] {
            assert!(is_number(good), "{good}");
        }
        for bad in ["", "00", "06", "+5", "-1", " 5", "5 ", "1.5", "1e3", "\u{661}", "x"] {
            assert!(!is_number(bad), "{bad}");
        }
    }
}
