//! A whole request to the webhook, through the function's own way in: whoever is let in had what the bot demands.
//!
//! A byte of what is done for the stranger, the path, the content type and the signature on a line each, then the body.

use std::collections::BTreeMap;
use std::sync::Arc;

use clivy::channel::wuzapi::sign;
use clivy::clock::Clock;
use clivy::conversation::ids::EpochMs;
use lambda_http::{Body, Request, RequestExt};
use local::engines::Through;
use local::world::{Parts, World, memory};
use webhook::{Answer, admit};

use super::webhook_body::{WORDS, holds};
use super::{Answers, gateway_bodies, response};
use crate::Target;
use crate::input::{Input, prints_nothing, wait};

/// The target.
pub const TARGET: Target = Target {
    name: "webhook_request",
    run,
    seeds,
    words: WORDS,
};

/// The bots, by what they demand.
const SIGNED: &str = "signed";
const SECRET: &str = "secret";
const BOTH: &str = "both";
const KEY: &str = "a-signing-key";
const PATH: &str = "s3cret-path";

/// Bits of the first byte.
const SIGN: u8 = 1;
const SIGN_WITH_ANOTHER_KEY: u8 = 2;
const GET: u8 = 4;
const BINARY: u8 = 8;

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> EpochMs {
        EpochMs(1_763_604_905_000)
    }
}

fn world() -> World {
    let bot = |id: &str, more: &str| {
        format!(
            "[[bot]]\nid = \"{id}\"\nowner = \"o\"\n[bot.gateway]\nkind = \"wuzapi\"\nurl = \"demo\"\ntoken = \"t-{id}\"\n{more}\n"
        )
    };
    let (key, path) = (
        format!("hmac_key = \"{KEY}\""),
        format!("secret_path = \"{PATH}\""),
    );
    let bots = [
        bot(SIGNED, &key),
        bot(SECRET, &path),
        bot(BOTH, &format!("{key}\n{path}")),
        bot("open", ""),
    ];
    let settings = [
        ("PSEUDONYM_KEY", "a-key-for-tests-only"),
        ("OPENROUTER_API_KEY", "sk-or-v1-test"),
        ("OPENROUTER_MODEL", "test/model"),
    ];
    let parts = Parts {
        dynamodb: memory().unwrap(),
        base_url: "http://127.0.0.1".to_owned(),
        settings: BTreeMap::from(settings.map(|(name, value)| (name.to_owned(), value.to_owned()))),
        http: Arc::new(Answers(response(200, Vec::new()))),
        clock: Arc::new(Still),
        intercept: Arc::new(Through),
    };
    wait(async {
        // Boxed: opening a world holds all of its parts at once.
        let mut world = Box::pin(World::open(parts)).await.unwrap();
        let bots = local::args::parse_bots(&bots.concat()).unwrap();
        world.put_bots(&bots).await.unwrap();
        // As on AWS: a bot that demands nothing is not served.
        Arc::get_mut(&mut world.webhook).unwrap().allow_open_bots = false;
        world
    })
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (index, (kind, body)) in gateway_bodies().into_iter().enumerate() {
        let bot = [SIGNED, SECRET, BOTH, "open"][index % 4];
        let text = String::from_utf8_lossy(&body);
        let body = ["warung-teh-lestari", "toko-bunga"]
            .iter()
            .fold(text.into_owned(), |text, name| text.replace(name, bot));
        let line = format!("/webhook/ai/{PATH}\n{kind}\n\n");
        seeds.push([&[SIGN][..], line.as_bytes(), body.as_bytes()].concat());
    }
    seeds
}

fn run(bytes: &[u8]) {
    thread_local! {
        static WORLD: World = world();
    }
    let mut input = Input::new(bytes);
    let how = input.byte();
    let (path, kind, given) = (input.line(), input.line(), input.line());
    let body = input.rest();
    let signature = match how & (SIGN | SIGN_WITH_ANOTHER_KEY) {
        0 => given,
        SIGN_WITH_ANOTHER_KEY => sign("another key", &body),
        _ => sign(KEY, &body),
    };
    let Some(request) = request(how, &kind, &signature, &body) else {
        return;
    };
    let request = request.with_raw_http_path(&path);
    let admitted = WORLD.with(|world| wait(admit(&world.webhook, request)));
    let admitted = match admitted {
        Ok(admitted) => admitted,
        Err(refused) => {
            assert_ne!(
                refused,
                Answer::Unavailable,
                "our own trouble, with nothing wrong"
            );
            return prints_nothing(&refused);
        }
    };
    holds(&admitted.event);
    assert_eq!(how & GET, 0, "let in by another method than POST");
    let has_path = path
        .trim_end_matches('/')
        .ends_with(&format!("/webhook/ai/{PATH}"));
    let is_multipart = kind
        .trim_start()
        .to_ascii_lowercase()
        .starts_with("multipart/form-data");
    // Of multipart bodies the fields are signed: the target `signature` has that.
    let is_signed = is_multipart || signature.trim().eq_ignore_ascii_case(&sign(KEY, &body));
    match admitted.bot.bot_id.as_str() {
        SIGNED => assert!(is_signed, "let in without the signature"),
        SECRET => assert!(has_path || path.contains('%'), "let in without the path"),
        BOTH => assert!(
            is_signed && (has_path || path.contains('%')),
            "let in without signature and path"
        ),
        other => panic!("{other} demands nothing and was served"),
    }
}

/// The request as the Lambda runtime hands it over; none when no server would have let it through.
fn request(how: u8, kind: &str, signature: &str, body: &[u8]) -> Option<Request> {
    let body = match std::str::from_utf8(body) {
        Ok(text) if how & BINARY == 0 => Body::Text(text.to_owned()),
        _ => Body::Binary(body.to_vec()),
    };
    let mut request = http::Request::builder()
        .method(if how & GET == 0 { "POST" } else { "GET" })
        .uri("https://api.test/");
    for (name, value) in [("content-type", kind), ("x-hmac-signature", signature)] {
        if !value.is_empty() {
            request = request.header(name, value);
        }
    }
    request.body(body).ok()
}
