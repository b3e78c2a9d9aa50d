//! The page's session: the API key in a cookie that scripts cannot read and other sites cannot make a browser send.

use axum::http::header::{COOKIE, HOST, HeaderName, ORIGIN};
use axum::http::request::Parts;
use clivy::access::Secret;

use crate::problem::Problem;

/// The `__Host-` prefix: a browser takes it only when it is Secure, from this host, for the whole of it.
const NAME: &str = "__Host-clivy";
/// How long a session lasts without a new login, in seconds: a working day.
const MAX_AGE_SECONDS: u32 = 12 * 3600;
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The `Set-Cookie` of a login.
#[must_use]
pub fn cookie(secret: &Secret) -> String {
    format!(
        "{NAME}={}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={MAX_AGE_SECONDS}",
        secret.expose()
    )
}

/// The `Set-Cookie` of a logout.
#[must_use]
pub fn expired_cookie() -> String {
    format!("{NAME}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
}

/// The key of the session's cookie. A request that changes something must come from a page of this host: SameSite alone
/// trusts every other host of the same site.
///
/// # Errors
/// 401: there is no session. 403: another site's page has made the browser ask.
pub fn secret(parts: &Parts) -> Result<Secret, Problem> {
    let secret = parts
        .headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| *name == NAME)
        .and_then(|(_, value)| Secret::presented(value))
        .ok_or_else(Problem::unauthorized)?;
    if parts.method.is_safe() || is_same_origin(parts) {
        return Ok(secret);
    }
    Err(Problem::forbidden(
        "a session can be used from its own page only",
    ))
}

/// Browsers tell where a request comes from, in one of these two headers or both; a request that tells nothing is not
/// from a browser's page.
fn is_same_origin(parts: &Parts) -> bool {
    let header = |name: HeaderName| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    if let Some(site) = header(SEC_FETCH_SITE) {
        return site == "same-origin";
    }
    match (header(ORIGIN), header(HOST)) {
        (Some(origin), Some(host)) => origin
            .split_once("://")
            .is_some_and(|(_, origin)| origin.eq_ignore_ascii_case(host)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use clivy::access::KEY_BYTES;

    use super::*;

    fn parts(method: &str, headers: &[(&str, &str)]) -> Parts {
        let secret = Secret::of(&[7; KEY_BYTES]);
        let mut request = Request::builder()
            .method(method)
            .header("host", "inbox.example")
            .header("cookie", format!("a=b; {NAME}={}", secret.expose()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_session_changes_something_only_from_its_own_page() {
        let same = [
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://inbox.example"),
        ];
        for header in same {
            assert!(secret(&parts("POST", &[header])).is_ok(), "{header:?}");
        }
        let others = [
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "none"),
            ("origin", "https://evil.inbox.example"),
            ("origin", "null"),
        ];
        for header in others {
            let refused = secret(&parts("POST", &[header])).unwrap_err();
            assert_eq!(refused.status.as_u16(), 403, "{header:?}");
            assert!(secret(&parts("GET", &[header])).is_ok());
        }
        assert!(secret(&parts("DELETE", &[])).is_err());
    }

    #[test]
    fn a_cookie_can_be_read_by_no_script_and_is_sent_to_nobody_else() {
        let cookie = cookie(&Secret::of(&[7; KEY_BYTES]));
        for part in ["__Host-", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(part), "{part}");
        }
    }
}
