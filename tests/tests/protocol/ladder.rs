//! The ladder of models: who is asked when somebody is of no use, and whose trouble it is.

use std::time::Duration;

use clivy::conversation::bot::{Bot, MaxPrice, ModelEntry, SimpleRule};
use clivy::conversation::outcome::TurnStatus;
use serde_json::{Value, json};
use tests::bubbles::{bot, bubble};
use tests::outside::{Asked, Model};
use tests::world::TestWorld;

const RINA: &str = "6281100060001";
const FALLBACK: &str = "Maaf Kak, tim kami akan membalas.";
const SECOND: [(&str, &str); 3] = [
    ("SECOND_PROVIDER_BASE_URL", "http://second.test/v1"),
    ("SECOND_PROVIDER_API_KEY", "second-key"),
    ("SECOND_PROVIDER_MODEL", "small-one"),
];

fn with_models(id: &str, models: &[&str]) -> Bot {
    Bot {
        models: models.iter().map(|name| ModelEntry::named(name)).collect(),
        ..bot(id)
    }
}

fn error(status: u16, message: &str) -> Model {
    Model::Http(
        status,
        json!({"error": {"code": status, "message": message}}),
    )
}

fn models(world: &TestWorld) -> Vec<String> {
    let calls = world.outside.calls();
    calls.iter().map(|asked| asked.model().to_owned()).collect()
}

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn say(world: &TestWorld, bot: &str, mid: &str, second: i64, text: &str) {
    world.post(&bubble(bot, RINA, mid, second, text)).await;
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_gone_or_refuses_the_request_is_skipped_in_the_same_try() {
    let world = TestWorld::new(&[with_models("demo", &["a/gone", "b/picky", "c/good"])]).await;
    world.outside.model_follows(|asked| match asked.model() {
        "a/gone" => Some(error(404, "No endpoints found for a/gone.")),
        "b/picky" => Some(error(400, "Provider returned error")),
        _ => None,
    });
    world.start();
    say(&world, "demo", "A", 0, "Halo").await;
    world.settle().await;
    assert_eq!(models(&world), ["a/gone", "b/picky", "c/good"]);
    assert_eq!(world.outside.sends()[0].text, "Jawaban atas: Halo");
    let turn = world.turn("demo", RINA, 1).await;
    assert_eq!((turn.status, turn.tries), (TurnStatus::Answered, 1));
    assert_eq!(turn.model.as_deref(), Some("c/good"));
    let classes: Vec<_> = turn.attempts.iter().map(|a| a.class.as_str()).collect();
    assert_eq!(classes, ["model_unavailable", "bad_request", "ok"]);
    assert_eq!(turn.llm_calls, 3, "refused calls are calls too");
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_free_model_whose_day_is_used_up_is_parked_until_midnight_in_utc() {
    let world = TestWorld::new(&[with_models("demo", &["a/small:free", "b/paid"])]).await;
    world.outside.model_follows(|asked| {
        (asked.model() == "a/small:free")
            .then(|| error(429, "Rate limit exceeded: free-models-per-day"))
    });
    world.start();
    for n in 0..3 {
        say(&world, "demo", &format!("A{n}"), n * 20, "Halo").await;
        sleep(20).await;
    }
    // Only the first question meets it.
    assert_eq!(
        models(&world),
        ["a/small:free", "b/paid", "b/paid", "b/paid"]
    );
    world.outside.model_is_well();
    let midnight = tests::world::START.next_utc_midnight();
    let left_ms = midnight.since_ms(world.world.clock.now());
    sleep(u64::try_from(left_ms / 1000 + 10).unwrap()).await;
    say(&world, "demo", "B", 100, "Pagi").await;
    world.settle().await;
    assert_eq!(models(&world).last().unwrap(), "a/small:free");
    let today = world.usage("demo", world.world.clock.now()).await;
    assert_eq!(today.free_model_ratio(), Some(1.0));
    let yesterday = world.usage("demo", tests::world::START).await;
    assert_eq!(yesterday.free_model_ratio(), Some(0.0));
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_ladder_that_is_parked_whole_ends_in_the_fallback_text_without_a_call() {
    let world = TestWorld::new(&[with_models("demo", &["a/small:free"])]).await;
    world
        .outside
        .model_does([error(429, "Rate limit exceeded: free-models-per-day")]);
    world.start();
    for n in 0..2 {
        say(&world, "demo", &format!("A{n}"), n * 20, "Halo").await;
        sleep(20).await;
    }
    assert_eq!(world.outside.calls().len(), 1);
    let sends = world.outside.sends();
    assert_eq!(sends.len(), 2);
    assert!(sends.iter().all(|send| send.text == FALLBACK));
}

#[tokio::test(start_paused = true)]
async fn a_second_provider_answers_at_once_when_openrouter_is_down_and_has_its_own_breaker() {
    let world = TestWorld::with(&[with_models("demo", &["a/one", "b/two"])], &SECOND).await;
    world
        .outside
        .model_follows(|asked| (asked.host == "model.test").then(|| error(503, "down")));
    world.start();
    for n in 0..12 {
        say(
            &world,
            "demo",
            &format!("A{n}"),
            n * 10,
            &format!("Halo {n}"),
        )
        .await;
        sleep(10).await;
    }
    let calls = world.outside.calls();
    let of = |host: &str| -> Vec<&Asked> { calls.iter().filter(|c| c.host == host).collect() };
    // One model of a provider that is down is enough; after five failures nobody asks it at all.
    assert_eq!(
        of("model.test").len(),
        5 + 1,
        "and one probe after the cooldown"
    );
    assert_eq!(of("second.test").len(), 12);
    let second = of("second.test")[0];
    assert_eq!(
        (second.model(), second.key.as_str()),
        ("small-one", "second-key")
    );
    for foreign in ["session_id", "provider"] {
        assert_eq!(
            second.body[foreign],
            Value::Null,
            "{foreign} is OpenRouter's"
        );
    }
    assert_eq!(world.outside.sends().len(), 12);
    let turn = world.turn("demo", RINA, 1).await;
    assert_eq!((turn.status, turn.tries), (TurnStatus::Answered, 1));
    assert_eq!(turn.model.as_deref(), Some("small-one"));
    let table = &world.world.table;
    assert!(
        table
            .provider("openrouter")
            .await
            .unwrap()
            .breaker
            .open_until
            .is_some()
    );
    assert!(table.provider("second").await.unwrap().breaker.is_healthy());
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn one_bots_bad_key_opens_nobody_elses_breaker() {
    let own = Bot {
        openrouter_key: Some("sk-or-v1-bad".to_owned()),
        ..bot("sendiri")
    };
    let world = TestWorld::new(&[own, bot("demo")]).await;
    world.outside.model_follows(|asked| {
        (asked.key == "sk-or-v1-bad").then(|| error(401, "User not found."))
    });
    world.start();
    for n in 0..7 {
        for id in ["sendiri", "demo"] {
            say(&world, id, &format!("{id}{n}"), n * 8, &format!("Halo {n}")).await;
        }
        sleep(8).await;
    }
    world.settle().await;
    let calls = world.outside.calls();
    let with = |key: &str| calls.iter().filter(|asked| asked.key == key).count();
    assert!(with("sk-or-v1-bad") <= 12, "open: a probe a minute");
    assert_eq!(with("sk-or-v1-test"), 7, "the others are answered at once");
    let table = &world.world.table;
    assert!(
        table
            .provider("openrouter")
            .await
            .unwrap()
            .breaker
            .is_healthy()
    );
    let bad = table.provider("openrouter#sendiri").await.unwrap();
    assert_eq!(bad.reason.as_deref(), Some("invalid_key"));
}

#[tokio::test(start_paused = true)]
async fn an_empty_account_stops_the_calls_at_the_first_refusal_and_heals_by_a_probe() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world
        .outside
        .model_follows(|_| Some(error(402, "Insufficient credits")));
    world.start();
    say(&world, "demo", "A", 0, "Halo").await;
    sleep(6).await;
    assert_eq!(world.outside.sends()[0].text, FALLBACK);
    let provider = world.provider("openrouter").await;
    assert_eq!(provider.reason.as_deref(), Some("no_credits"));
    for n in 0..20 {
        let phone = format!("62811000700{n:02}");
        world
            .post(&bubble("demo", &phone, &format!("B{n}"), 10, "Halo"))
            .await;
    }
    sleep(50).await;
    assert_eq!(world.outside.calls().len(), 1);
    // The account is filled.
    world.outside.model_is_well();
    world.settle().await;
    assert_eq!(world.outside.calls().len(), 21);
    let answered = world.outside.sends();
    assert_eq!(
        answered.iter().filter(|send| send.text != FALLBACK).count(),
        20
    );
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_short_question_may_go_to_a_simple_model_and_a_price_never_does() {
    let simple = Bot {
        simple: Some(SimpleRule {
            model: ModelEntry::named("s/simple"),
            max_characters: 40,
        }),
        max_price: Some(MaxPrice {
            prompt: Some(1.5),
            completion: Some(4.0),
        }),
        ..with_models("demo", &["a/good"])
    };
    let world = TestWorld::new(&[simple]).await;
    world.start();
    for (n, text) in ["Jam buka?", "Harga kopi berapa?"].iter().enumerate() {
        say(&world, "demo", &format!("A{n}"), n as i64 * 20, text).await;
        sleep(20).await;
    }
    assert_eq!(models(&world), ["s/simple", "a/good"]);
    let price = &world.outside.asked()[1]["provider"]["max_price"];
    assert_eq!(*price, json!({"prompt": 1.5, "completion": 4.0}));
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_is_known_not_to_fit_is_cut_before_it_is_sent() {
    let small = Bot {
        models: vec![ModelEntry {
            name: "a/4k".to_owned(),
            context_tokens: Some(4_096),
        }],
        ..bot("demo")
    };
    let world = TestWorld::new(&[small]).await;
    world.outside.model_follows(four_thousand_tokens);
    world.start();
    let long = format!("{} berapa?", "Kopi susu gula aren ".repeat(200));
    assert_eq!(long.chars().count(), 4_008);
    say(&world, "demo", "A", 0, &long).await;
    world.settle().await;
    assert_eq!(world.outside.calls().len(), 1);
    assert!(world.outside.sends()[0].text.starts_with("Jawaban atas:"));
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_does_not_fit_is_cut_once_where_the_refusal_tells_the_numbers() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.outside.model_follows(four_thousand_tokens);
    world.start();
    let long = format!("{}berapa?", "Ongkir 🚚 ke Bandung ".repeat(600));
    say(&world, "demo", "A", 0, &long).await;
    world.settle().await;
    let calls = world.outside.calls();
    assert_eq!(calls.len(), 2, "refused once, cut once");
    let turn = world.turn("demo", RINA, 1).await;
    assert_eq!(
        (turn.status, turn.attempts.len()),
        (TurnStatus::Answered, 1)
    );
    assert!(
        world.outside.questions()[1].ends_with("berapa?"),
        "the newest part is kept"
    );
    world.assert_quiet().await;
}

/// A model of 4,096 tokens that counts two characters as one.
fn four_thousand_tokens(asked: &Asked) -> Option<Model> {
    let messages = asked.body["messages"].as_array().unwrap();
    let characters: usize = messages
        .iter()
        .map(|message| message["content"].as_str().unwrap().chars().count())
        .sum();
    let answer = asked.body["max_tokens"].as_u64().unwrap();
    let requested = characters as u64 / 2 + answer;
    (requested > 4_096).then(|| {
        error(
            400,
            &format!(
                "This endpoint's maximum context length is 4096 tokens. However, you requested about {requested} \
                 tokens ({} of text input, {answer} in the output). Please reduce the length of either one.",
                characters / 2
            ),
        )
    })
}
