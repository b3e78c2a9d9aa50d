//! The session's cookie and where a request says it comes from: a byte for the method, then `Cookie`, `Sec-Fetch-Site`,
//! `Origin` and `Host` on a line each.

use clivy::access::{KEY_BYTES, Secret};
use inbox::auth::session;

use super::headers;
use crate::Target;
use crate::input::{Input, prints_nothing};

/// The target.
pub const TARGET: Target = Target {
    name: "session",
    run,
    seeds,
    words: &[
        "__Host-clivy=",
        "KEY",
        "clivy_",
        ";",
        "same-origin",
        "same-site",
        "cross-site",
        "none",
        "https://",
        "toko.test",
        "null",
    ],
};

/// What stands for a key in an input.
const KEY: &str = "KEY";

fn seeds() -> Vec<Vec<u8>> {
    [
        "0__Host-clivy=KEY\nsame-origin\nhttps://toko.test\ntoko.test",
        "1a=b; __Host-clivy=KEY; c=d\n\nhttps://toko.test\nTOKO.test",
        "1__Host-clivy=KEY\ncross-site\nhttps://toko.test\ntoko.test",
        "1__Host-clivy=KEY\n\nhttps://evil.test\ntoko.test",
        "1__Host-clivy=KEY\n\n\ntoko.test",
        "0__Host-clivy=\u{1}\n\u{1}\n\u{1}\n\u{1}",
        "0clivy=KEY; __Host-clivy=KEY\n\n\n",
    ]
    .map(|lines| lines.as_bytes().to_vec())
    .to_vec()
}

fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let changes = input.byte() & 1 == 1;
    let key = Secret::of(&[7; KEY_BYTES]);
    let cookie = input.line().replace(KEY, key.expose());
    let (site, origin, host) = (input.line(), input.line(), input.line());
    let lines = [
        ("cookie", cookie.clone()),
        ("sec-fetch-site", site.clone()),
        ("origin", origin.clone()),
        ("host", host.clone()),
    ];
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = if changes {
        http::Method::POST
    } else {
        http::Method::GET
    };
    parts.headers = headers(lines.into_iter().filter(|(_, value)| !value.is_empty()));
    let secret = match session::secret(&parts) {
        Ok(secret) => secret,
        Err(problem) => return prints_nothing(&problem),
    };
    prints_nothing(&secret);
    assert!(
        !format!("{secret:?}").contains("0707"),
        "I11: a key is printed"
    );
    let wanted = format!("{}={}", session::NAME, secret.expose());
    assert!(
        cookie.split(';').any(|piece| piece.trim() == wanted),
        "a key that no cookie of ours holds"
    );
    assert_eq!(Secret::presented(secret.expose()), Some(secret.clone()));
    if !changes {
        return;
    }
    // Another site's page cannot change anything.
    let has = |name: &str| parts.headers.contains_key(name);
    match has("sec-fetch-site") {
        true => assert_eq!(site, "same-origin", "another site's page changes something"),
        false => {
            assert!(
                has("origin") && has("host"),
                "nobody said where it comes from"
            );
            let from = origin
                .split_once("://")
                .map(|(_, from)| from.to_ascii_lowercase());
            assert_eq!(
                from,
                Some(host.to_ascii_lowercase()),
                "another site's page changes something"
            );
        }
    }
}
