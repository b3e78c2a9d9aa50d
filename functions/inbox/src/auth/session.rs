//! The page's session: the API key in a cookie that scripts cannot read and other sites cannot make a browser send.

use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::header::{COOKIE, HOST, HeaderName, ORIGIN};
use axum::http::request::Parts;
use clivy::access::Secret;

use crate::problem::Problem;

/// The cookie's name. The `__Host-` prefix: a browser takes it only when it is Secure, from this host, for the whole of it.
pub const NAME: &str = "__Host-clivy";
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
    if parts.method.is_safe() || origin(parts) == Origin::Own {
        return Ok(secret);
    }
    Err(not_from_here())
}

fn not_from_here() -> Problem {
    Problem::forbidden("a session can be used from its own page only")
}

/// A request that no other site's page has made a browser send: a login from there would put its victim into somebody
/// else's inbox, a logout would be a nuisance. Programs, which say nothing about pages, may ask.
#[derive(Clone, Copy, Debug)]
pub struct SameSite;

impl<S: Send + Sync> FromRequestParts<S> for SameSite {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        match origin(parts) {
            Origin::Own | Origin::Unsaid => Ok(Self),
            Origin::Foreign => Err(not_from_here()),
        }
    }
}

/// Which page has made a browser send a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// One of this host.
    Own,
    /// Another one, or none: somebody has typed the address.
    Foreign,
    /// The request does not say: it comes from no browser's page.
    Unsaid,
}

/// Browsers tell where a request comes from, in one of these two headers or both.
fn origin(parts: &Parts) -> Origin {
    let header = |name: &HeaderName| parts.headers.get(name);
    let own = |is_own: bool| {
        if is_own { Origin::Own } else { Origin::Foreign }
    };
    if let Some(site) = header(&SEC_FETCH_SITE) {
        return own(site == "same-origin");
    }
    let Some(origin) = header(&ORIGIN) else {
        return Origin::Unsaid;
    };
    let text = |value: Option<&HeaderValue>| value?.to_str().ok().map(str::to_owned);
    match (text(Some(origin)), text(header(&HOST))) {
        (Some(origin), Some(host)) => own(origin
            .split_once("://")
            .is_some_and(|(_, origin)| origin.eq_ignore_ascii_case(&host))),
        _ => Origin::Foreign,
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
            assert_eq!(origin(&parts("POST", &[header])), Origin::Foreign);
        }
        assert!(secret(&parts("DELETE", &[])).is_err());
        assert_eq!(origin(&parts("POST", &[])), Origin::Unsaid);
    }

    #[test]
    fn what_the_browser_says_of_the_site_counts_more_than_the_origin() {
        let both = [
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://inbox.example"),
        ];
        assert_eq!(origin(&parts("POST", &both)), Origin::Foreign);
    }

    #[test]
    fn a_cookie_can_be_read_by_no_script_and_is_sent_to_nobody_else() {
        let cookie = cookie(&Secret::of(&[7; KEY_BYTES]));
        for part in ["__Host-", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(part), "{part}");
        }
    }
}
