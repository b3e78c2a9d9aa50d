//! Who may do what: every route of the inbox, as its own document lists them, with every kind of caller. A route that is
//! not in the table here fails; so does one that a stranger learns anything from, or changes anything with (I12).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

mod routes;

use clivy::access::{ApiKey, KEY_BYTES, KeyName, Lifetime, NewKey, OwnerId, Role, Secret};
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tests::api::{OWNER, Reply};
use tests::bubbles::{bot, bubble};
use tests::faults::{ROLE, Role as Function};
use tests::outside::Model;
use tests::world::TestWorld;

use routes::{ADMIN_KEY, Least, ROUTES};

const BOT: &str = "toko";
const CONTACT: &str = "6281100020001";
/// Somewhere in everything that is the owner's.
const MARK: &str = "rahasia-ani";
const STRANGER: &str = "lain";
const ADMIN_SECRET: &str = "an-admin-secret-that-is-for-tests";

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    NoKey,
    Garbage,
    Expired,
    Revoked,
    /// Another owner's owner.
    Stranger,
    Viewer,
    Agent,
    Owner,
    /// An owner's session, on the inbox's own page.
    OwnPage,
    /// An owner's session, on somebody else's page.
    OtherPage,
    Admin,
}

const EVERYBODY: [Who; 11] = [
    Who::NoKey,
    Who::Garbage,
    Who::Expired,
    Who::Revoked,
    Who::Stranger,
    Who::Viewer,
    Who::Agent,
    Who::Owner,
    Who::OwnPage,
    Who::OtherPage,
    Who::Admin,
];

/// What must come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// The route does its work.
    Served,
    /// This status, and nothing happens.
    Refused(u16),
}

/// The rules in short.
fn answer(method: &str, path: &str, least: Least, who: Who) -> Answer {
    let reads = method == "GET";
    let concerns_somebody = path.contains('{');
    let role = match who {
        Who::Viewer => Some(Role::Viewer),
        Who::Agent => Some(Role::Agent),
        Who::Owner | Who::OwnPage | Who::OtherPage | Who::Stranger => Some(Role::Owner),
        Who::NoKey | Who::Garbage | Who::Expired | Who::Revoked | Who::Admin => None,
    };
    match (least, role) {
        (_, _) if who == Who::OtherPage && !reads && least != Least::Admin => Answer::Refused(403),
        (Least::Nobody, _) => Answer::Served,
        (Least::Admin, _) if who == Who::Admin => Answer::Served,
        (Least::Admin, _) | (Least::Key(_), None) => Answer::Refused(401),
        (Least::Key(_), _) if who == Who::Stranger && concerns_somebody => Answer::Refused(404),
        (Least::Key(least), Some(role)) if role < least => Answer::Refused(403),
        (Least::Key(_), Some(_)) => Answer::Served,
    }
}

/// A world with everything that the routes can be about, and everybody's keys.
struct Town {
    world: TestWorld,
    /// For `{…}` of paths and `<…>` of bodies.
    filled: Vec<(&'static str, String)>,
    keys: Vec<(Who, Secret)>,
}

impl Town {
    async fn new() -> Self {
        let mut ours = bot(BOT);
        ours.name = format!("Toko {MARK}");
        ours.system_prompt = format!("Anda melayani {MARK}.");
        let document = json!({"title": format!("Harga {MARK}"), "kind": "harga", "content": MARK});
        ours.documents = vec![serde_json::from_value(document).unwrap()];
        let mut theirs = bot("warung");
        theirs.owner = OwnerId::new(STRANGER).unwrap();
        let settings = [("ADMIN_SECRET", ADMIN_SECRET)];
        let world = TestWorld::with(&[ours, theirs], &settings).await;
        let mut town = Self {
            world,
            filled: Vec::new(),
            keys: Vec::new(),
        };
        town.make_keys().await;
        town.fail_a_turn().await;
        town.fill().await;
        town
    }

    async fn make_keys(&mut self) {
        let now = self.world.world.clock.now();
        let holders = [
            (Who::Expired, OWNER, Role::Owner, Lifetime::Ms(0)),
            (Who::Revoked, OWNER, Role::Owner, Lifetime::Unlimited),
            (Who::Stranger, STRANGER, Role::Owner, Lifetime::Unlimited),
            (Who::Viewer, OWNER, Role::Viewer, Lifetime::Unlimited),
            (Who::Agent, OWNER, Role::Agent, Lifetime::Unlimited),
            (Who::Owner, OWNER, Role::Owner, Lifetime::Unlimited),
        ];
        for (number, (who, owner, role, lifetime)) in (1..).zip(holders) {
            let name = if owner == OWNER { MARK } else { "lain" };
            let new = NewKey {
                owner: OwnerId::new(owner).unwrap(),
                role,
                name: KeyName::new(name).unwrap(),
                lifetime,
            };
            let (secret, mut key): (Secret, ApiKey) = new.make(&[number; KEY_BYTES], now);
            if who == Who::Revoked {
                key.revoked_at = Some(now);
            }
            self.world.world.table.put_api_key(&key).await.unwrap();
            self.keys.push((who, secret));
        }
    }

    /// A conversation whose first turn can be retried.
    async fn fail_a_turn(&self) {
        let down = || Model::Http(503, json!({"error": {"code": 503, "message": "down"}}));
        self.world.outside.model_does([down(), down(), down()]);
        self.world.start();
        let halo = bubble(BOT, CONTACT, "A", 0, &format!("Halo, {MARK}?"));
        assert_eq!(self.world.post(&halo).await.0, 200);
        self.world.settle().await;
        self.world.outside.model_is_well();
    }

    /// Asks for the real names of things where there are routes for that, after a change that leaves a version behind.
    async fn fill(&mut self) {
        let key = self.secret(Who::Owner).expose().to_owned();
        let settings = format!("/api/bots/{BOT}");
        let got = self.ask("GET", &settings, &key, None).await;
        let mut bot = match got.status.as_u16() {
            200 => got.json()["bot"].clone(),
            _ => json!({}),
        };
        bot["name"] = json!(format!("Toko baru {MARK}"));
        self.ask("PUT", &settings, &key, Some(&bot)).await;
        let documents = format!("{settings}/documents");
        let document = self.first(&documents, "id", "0000").await;
        let of_document = format!("{documents}/{document}");
        let content = json!({"title": "Harga", "kind": "harga", "content": MARK});
        self.ask("PUT", &of_document, &key, Some(&content)).await;
        let version = self
            .first(&format!("{settings}/versions"), "version", "1")
            .await;
        let of_document = format!("{of_document}/versions");
        let document_version = self.first(&of_document, "version", "1").await;
        let expired = self.secret(Who::Expired).hash().id();
        self.filled = vec![
            ("bot", BOT.to_owned()),
            ("contact", CONTACT.to_owned()),
            ("turn", format!("{CONTACT}.1")),
            ("key", expired),
            ("document", document),
            ("version", version),
            ("document_version", document_version),
            ("<bot>", bot.to_string()),
            ("<key>", key),
        ];
    }

    async fn first(&self, list: &str, name: &str, otherwise: &str) -> String {
        let key = self.secret(Who::Owner).expose().to_owned();
        let got = self.ask("GET", list, &key, None).await;
        let first = match got.status.as_u16() {
            200 => got.json()["items"][0][name].clone(),
            _ => json!(otherwise),
        };
        first
            .as_str()
            .map_or_else(|| first.to_string(), str::to_owned)
    }

    async fn ask(&self, method: &str, path: &str, key: &str, body: Option<&Value>) -> Reply {
        let api = self.world.api_with(key);
        api.send(method, path, body.cloned(), &[]).await
    }

    fn secret(&self, who: Who) -> &Secret {
        &self.keys.iter().find(|(other, _)| *other == who).unwrap().1
    }

    fn filled(&self, name: &str) -> &str {
        let found = self.filled.iter().find(|(other, _)| *other == name);
        &found.unwrap_or_else(|| panic!("no value for {name}")).1
    }

    fn path(&self, template: &str) -> String {
        let mut path = template.to_owned();
        if template.contains("/documents/") {
            path = path.replace("{version}", self.filled("document_version"));
        }
        for name in ["bot", "contact", "turn", "key", "document", "version"] {
            path = path.replace(&format!("{{{name}}}"), self.filled(name));
        }
        if path.starts_with("/api/admin/") {
            path = format!("{path}?owner={OWNER}");
        }
        assert!(
            !path.contains('{'),
            "{template} has a parameter that is not filled in"
        );
        path
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        body: &str,
        who: Who,
    ) -> Request<Full<bytes::Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(self.path(path))
            .header("host", "inbox.example");
        let owner = self.secret(Who::Owner).expose();
        let session = format!("__Host-clivy={owner}");
        let never_made = Secret::of(&[99; KEY_BYTES]);
        let bearer = match who {
            Who::NoKey => None,
            Who::OwnPage | Who::OtherPage => {
                let site = if who == Who::OwnPage {
                    "same-origin"
                } else {
                    "cross-site"
                };
                request = request
                    .header("cookie", session)
                    .header("sec-fetch-site", site);
                None
            }
            Who::Garbage => Some(never_made.expose()),
            Who::Admin => Some(ADMIN_SECRET),
            _ => Some(self.secret(who).expose()),
        };
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let mut body = body.to_owned();
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
            for name in ["<bot>", "<key>"] {
                body = body.replace(name, self.filled(name));
            }
        }
        request.body(Full::new(body.into())).unwrap()
    }

    /// Everything that the table and the queue hold.
    async fn everything(&self) -> (Vec<String>, usize, usize) {
        let scan = json!({"TableName": "clivy"});
        let answer = self.world.dynamodb("Scan", scan).await;
        assert!(answer.get("LastEvaluatedKey").is_none());
        let items = answer["Items"].as_array().unwrap();
        let mut items: Vec<String> = items.iter().map(Value::to_string).collect();
        items.sort();
        let queue = self.world.queue();
        let queued = queue.visible + queue.in_flight + queue.delayed;
        (
            items,
            queued,
            self.world.outside.calls().len() + self.world.outside.sends().len(),
        )
    }
}

/// The routes of the document, each with its row of the table.
async fn documented(world: &TestWorld) -> Vec<(&'static str, &'static str, Least, &'static str)> {
    let document = world
        .api_without_key()
        .get("/api/openapi.json")
        .await
        .expect(200);
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            if method == "parameters" {
                continue;
            }
            let method = method.to_uppercase();
            let row = ROUTES.iter().find(|row| row.0 == method && row.1 == path);
            routes
                .push(*row.unwrap_or_else(|| panic!("who may {method} {path}? Say so in ROUTES")));
        }
    }
    assert_eq!(routes.len(), ROUTES.len(), "a row without a route");
    routes
}

#[tokio::test(start_paused = true)]
async fn whoever_may_not_learns_nothing_and_changes_nothing() {
    let town = Town::new().await;
    let before = town.everything().await;
    let mut refusals = 0;
    for (method, path, least, body) in documented(&town.world).await {
        for who in EVERYBODY {
            let Answer::Refused(status) = answer(method, path, least, who) else {
                continue;
            };
            let so_far = town.world.faults.effects(Function::Inbox).len();
            let request = town.request(method, path, body, who);
            let asked = ROLE.scope(Function::Inbox, town.world.ask_inbox(request));
            let reply = asked.await;
            let what = format!("{method} {path} as {who:?}");
            assert_eq!(reply.status.as_u16(), status, "{what}");
            assert_eq!(
                reply.headers["content-type"], "application/problem+json",
                "{what}"
            );
            assert_eq!(reply.headers["cache-control"], "no-store", "{what}");
            let text = String::from_utf8_lossy(&reply.body);
            assert!(
                !text.contains(MARK) && !text.contains(CONTACT),
                "{what}: {text}"
            );
            assert!(!reply.headers.contains_key("set-cookie"), "{what}");
            // The key that was presented, whether the bot is its owner's, or the owner's own list of keys: no more is read.
            let effects = town.world.faults.effects(Function::Inbox);
            let read = &effects[so_far..];
            assert!(read.len() <= 2, "{what}: {read:?}");
            let reads = ["GetItem", "Query"];
            assert!(
                read.iter()
                    .all(|name| reads.iter().any(|read| name.ends_with(read))),
                "{what}: {read:?}"
            );
            refusals += 1;
        }
    }
    assert!(refusals >= 60, "{refusals}");
    assert!(town.everything().await == before, "something has changed");
}

#[tokio::test(start_paused = true)]
async fn whoever_may_is_served_and_nobody_else_appears_in_the_answer() {
    let shared = Town::new().await;
    let mut marked = 0;
    for (method, path, least, body) in documented(&shared.world).await {
        for who in EVERYBODY {
            if answer(method, path, least, who) != Answer::Served {
                continue;
            }
            let what = format!("{method} {path} as {who:?}");
            // What changes something gets a town of its own.
            let own;
            let town = match method {
                "GET" => &shared,
                _ => {
                    own = Town::new().await;
                    &own
                }
            };
            let reply = town
                .world
                .ask_inbox(town.request(method, path, body, who))
                .await;
            let text = String::from_utf8_lossy(&reply.body);
            assert!(reply.status.is_success(), "{what}: {} {text}", reply.status);
            for header in ["x-content-type-options", "referrer-policy", "cache-control"] {
                assert!(reply.headers.contains_key(header), "{what}: {header}");
            }
            let is_marked = text.contains(MARK) || text.contains(CONTACT);
            let is_ours = !matches!(
                who,
                Who::Stranger | Who::NoKey | Who::Garbage | Who::Expired | Who::Revoked
            );
            assert!(is_ours || !is_marked, "{what}: {text}");
            marked += usize::from(is_marked);
        }
    }
    assert!(
        marked > 0,
        "the mark is in no answer: the other half of this test shows nothing"
    );
    assert_eq!(shared.world.faults.refused(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn without_an_admin_secret_there_are_no_admin_routes() {
    let world = TestWorld::new(&[]).await;
    for key in ["", ADMIN_SECRET] {
        let api = world.api_with(key);
        let made = api.post("/api/admin/keys", serde_json::from_str(ADMIN_KEY).unwrap());
        made.await.expect(404);
        api.get("/api/admin/keys?owner=siapa").await.expect(404);
        api.delete("/api/admin/keys/0?owner=siapa")
            .await
            .expect(404);
    }
}
