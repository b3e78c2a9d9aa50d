//! The way from the phone page into the inbox, by one click: a key that lasts a working day, in the inbox's own cookie.
//! Whoever can ask this is an owner, so only this machine may, and no other site's page in its browser.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use clivy::access::{KEY_BYTES, KeyName, Lifetime, NewKey, OwnerId, Role, Secret};
use clivy::clock::Clock;
use clivy::conversation::ids::BotId;
use clivy::random;
use clivy::table::Table;
use serde::Deserialize;

use crate::host;

/// Where the click goes.
pub const PATH: &str = "/demo/inbox";
/// How long the key lasts, in milliseconds: as long as the cookie it is in.
const LASTS_MS: i64 = 12 * 3_600_000;

/// What the click needs.
#[derive(Clone)]
pub struct Login {
    inbox_port: u16,
    owners: Vec<(BotId, OwnerId)>,
    table: Table,
    clock: Arc<dyn Clock>,
}

impl Login {
    /// None where other machines reach the run, and where the inbox is on another host, which gets no cookie of this one.
    pub fn new(
        run: SocketAddr,
        inbox: SocketAddr,
        owners: Vec<(BotId, OwnerId)>,
        table: Table,
        clock: Arc<dyn Clock>,
    ) -> Option<Self> {
        (run.ip().is_loopback() && run.ip() == inbox.ip()).then(|| Self {
            inbox_port: inbox.port(),
            owners,
            table,
            clock,
        })
    }

    /// The one route.
    pub fn router(self) -> Router {
        Router::new().route(PATH, get(log_in)).with_state(self)
    }

    /// The owner of the bot asked for, or of the first one.
    fn owner(&self, bot: Option<&str>) -> Option<&OwnerId> {
        self.owners
            .iter()
            .find(|(id, _)| bot.is_none_or(|bot| id.as_str() == bot))
            .map(|(_, owner)| owner)
    }

    async fn key(&self, owner: &OwnerId) -> anyhow::Result<Secret> {
        let new = NewKey {
            owner: owner.clone(),
            role: Role::Owner,
            name: KeyName::new("phone page")?,
            lifetime: Lifetime::Ms(LASTS_MS),
        };
        let (secret, key) = new.make(&random::bytes::<KEY_BYTES>()?, self.clock.now());
        self.table.put_api_key(&key).await?;
        Ok(secret)
    }
}

/// The route where there is no such way.
pub fn closed() -> Router {
    const HOW: &str = "The inbox wants an API key here: cargo run -p local -- key create --help\n";
    Router::new().route(PATH, get(|| async { (StatusCode::NOT_FOUND, HOW) }))
}

#[derive(Deserialize)]
struct Wanted {
    bot: Option<String>,
}

async fn log_in(
    State(login): State<Login>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Response {
    let Some(host) = host::of_this_machine(&headers) else {
        return host::refusal();
    };
    if !is_own_page(&headers) {
        let refusal = "Open the inbox from the phone page.\n";
        return (StatusCode::FORBIDDEN, refusal).into_response();
    }
    let Some(owner) = login.owner(wanted.bot.as_deref()) else {
        return (StatusCode::NOT_FOUND, "There is no such bot.\n").into_response();
    };
    match login.key(owner).await {
        Ok(secret) => {
            let inbox = format!("http://{host}:{}/", login.inbox_port);
            let headers = [
                (LOCATION, inbox),
                // Cookies know hosts, not ports: the inbox gets it too.
                (SET_COOKIE, inbox::auth::cookie(&secret)),
                (CACHE_CONTROL, "no-store".to_owned()),
            ];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the inbox could not be opened from the phone page");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A click on the phone page, an address that was typed, or no browser at all. Other ports of this machine are the same
/// site, but other people's pages.
fn is_own_page(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_none_or(|site| site == "same-origin" || site == "none")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use clivy::access::Role;
    use clivy::conversation::ids::EpochMs;
    use tower::ServiceExt;

    use super::*;
    use crate::clock::WorldClock;
    use crate::data::Data;

    async fn login() -> Login {
        let clock: Arc<dyn Clock> = Arc::new(WorldClock::starting_at(EpochMs(1_000)));
        let table = Data::Memory.table(Arc::clone(&clock)).await;
        let bots = [("one", "ani"), ("two", "budi")];
        let owners =
            bots.map(|(bot, owner)| (BotId::new(bot).unwrap(), OwnerId::new(owner).unwrap()));
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        Login::new(at(8070), at(8071), owners.into(), table.unwrap(), clock).unwrap()
    }

    async fn click(login: &Login, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        login.clone().router().oneshot(request).await.unwrap()
    }

    const HERE: (&str, &str) = ("host", "127.0.0.1:8070");

    #[tokio::test]
    async fn a_click_makes_an_owner_of_the_bots_owner_for_twelve_hours() {
        let login = login().await;
        for (path, owner) in [(PATH, "ani"), ("/demo/inbox?bot=two", "budi")] {
            for host in ["127.0.0.1", "localhost", "[::1]"] {
                let asked = format!("{host}:8070");
                let answer = click(&login, path, &[("host", &asked)]).await;
                assert_eq!(answer.status(), 303);
                let to = answer.headers()["location"].to_str().unwrap();
                assert_eq!(to, format!("http://{host}:8071/"));
                let cookie = answer.headers()["set-cookie"].to_str().unwrap();
                let key = cookie.split(['=', ';']).nth(1).unwrap();
                let hash = Secret::presented(key).unwrap().hash();
                let key = login.table.api_key(&hash).await.unwrap().unwrap();
                assert_eq!((key.owner.as_str(), key.role), (owner, Role::Owner));
                let ends_at = key.expires_at.unwrap();
                assert_eq!(ends_at.since_ms(key.created_at), 12 * 3_600_000);
            }
        }
        let answer = click(&login, "/demo/inbox?bot=three", &[HERE]).await;
        assert_eq!(answer.status(), 404);
    }

    #[tokio::test]
    async fn other_pages_and_other_hosts_get_no_key() {
        let login = login().await;
        for site in ["cross-site", "same-site"] {
            let answer = click(&login, PATH, &[HERE, ("sec-fetch-site", site)]).await;
            assert_eq!(answer.status(), 403, "{site}");
            assert!(!answer.headers().contains_key("set-cookie"));
        }
        for host in [
            "evil.example:8070",
            "10.0.0.7:8070",
            "",
            "localhost.evil.example",
        ] {
            let answer = click(&login, PATH, &[("host", host)]).await;
            assert_eq!(answer.status(), 403, "{host}");
        }
        assert_eq!(click(&login, PATH, &[]).await.status(), 403);
        for site in ["same-origin", "none"] {
            let answer = click(&login, PATH, &[HERE, ("sec-fetch-site", site)]).await;
            assert_eq!(answer.status(), 303, "{site}");
        }
        let owner = OwnerId::new("ani").unwrap();
        assert_eq!(login.table.api_keys(&owner).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_run_that_other_machines_reach_has_no_such_way() {
        let login = login().await;
        for (run, inbox) in [
            ("0.0.0.0:1", "0.0.0.0:2"),
            ("10.0.0.7:1", "10.0.0.7:2"),
            ("127.0.0.1:1", "127.0.0.2:2"),
        ] {
            let (run, inbox) = (run.parse().unwrap(), inbox.parse().unwrap());
            let (table, clock) = (login.table.clone(), Arc::clone(&login.clock));
            assert!(Login::new(run, inbox, Vec::new(), table, clock).is_none());
        }
    }
}
