//! The ledger: every call is counted once, whatever became of it (I8).

use std::time::Duration;

use clivy::conversation::outcome::TurnStatus;
use clivy::usage::UsageCounts;
use serde_json::json;
use tests::bubbles::{bot, bubble};
use tests::faults::{Fault, Role, When};
use tests::outside::Model;
use tests::world::TestWorld;

const RINA: &str = "6281100080001";

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// The whole day's usage of a bot.
async fn usage(world: &TestWorld, bot: &str) -> UsageCounts {
    world.usage(bot, world.world.clock.now()).await
}

/// An answer without a text, billed all the same.
fn billed_and_empty() -> Model {
    Model::Http(
        200,
        json!({"model": "test/model", "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": ""}}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 7, "cost": 0.001}}),
    )
}

#[tokio::test(start_paused = true)]
async fn failed_calls_that_were_billed_are_in_the_turn_and_in_the_hour() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world
        .outside
        .model_does([billed_and_empty(), Model::Breaks, billed_and_empty()]);
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    world.settle().await;
    let turn = world.turn("demo", RINA, 1).await;
    assert_eq!(turn.status, TurnStatus::Failed);
    assert_eq!(
        (turn.llm_calls, turn.tokens_in, turn.tokens_out),
        (3, 200, 14)
    );
    assert_eq!(turn.wasted, 2);
    assert!((turn.cost_usd - 0.002).abs() < 1e-12);
    let day = usage(&world, "demo").await;
    assert_eq!((day.turns, day.llm_calls, day.wasted), (1, 3, 2));
    let errors = [("connection_broken", 1), ("empty_answer", 2)];
    let errors = errors.map(|(class, count)| (class.to_owned(), count));
    assert_eq!((day.errors, day.llm_times.count()), (errors.into(), 3));
    assert_eq!(day.by_status, [("failed", 1)].into());
    // The fallback text is an outcome too: the customer has waited for it.
    let waited_ms = turn.ended_at.unwrap().since_ms(turn.began_at.unwrap());
    assert_eq!(day.response_ms, waited_ms.unsigned_abs());
    assert_eq!(day.response_times.count(), 1);
    assert!((day.cost_usd - 0.002).abs() < 1e-12);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn nonsense_in_the_usage_of_an_answer_does_not_cost_the_customer_the_answer() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let said = |usage: serde_json::Value| {
        let message = json!({"role": "assistant", "content": "Buka jam 8"});
        Model::Http(
            200,
            json!({"model": "m".repeat(500_000), "choices": [{"finish_reason": "stop", "message": message}], "usage": usage}),
        )
    };
    world.outside.model_does([
        said(json!({"prompt_tokens": 1e300, "completion_tokens": -5, "cost": 1e300})),
        said(json!({"prompt_tokens": "many", "completion_tokens": null, "cost": "free"})),
        said(json!([])),
        said(json!({"prompt_tokens": u64::MAX, "completion_tokens": u64::MAX, "cost": 1e-300})),
    ]);
    world.start();
    for n in 0..4 {
        let body = bubble("demo", RINA, &format!("A{n}"), n * 30, &format!("Halo {n}"));
        world.post(&body).await;
        sleep(30).await;
    }
    world.settle().await;
    assert_eq!(world.outside.sends().len(), 4);
    let day = usage(&world, "demo").await;
    assert_eq!((day.turns, day.llm_calls), (4, 4));
    for burst in 1..=4 {
        let turn = world.turn("demo", RINA, burst).await;
        assert_eq!(turn.status, TurnStatus::Answered);
        assert!(turn.model.unwrap().len() <= 200);
    }
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_a_person_has_overtaken_is_counted_as_wasted() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let answer = Model::Says("Terlambat".to_owned());
    world
        .outside
        .model_does([Model::Slow(Duration::from_secs(10), Box::new(answer))]);
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    sleep(8).await;
    let until = world.world.clock.now().plus_ms(60_000);
    world.pause("demo", RINA, until).await;
    sleep(20).await;
    assert_eq!(world.outside.sends().len(), 0);
    world.settle().await;
    assert_eq!(world.outside.sends().len(), 1);
    let turn = world.turn("demo", RINA, 1).await;
    assert_eq!((turn.status, turn.tries), (TurnStatus::Answered, 1));
    assert_eq!((turn.llm_calls, turn.wasted), (2, 1));
    let day = usage(&world, "demo").await;
    assert_eq!((day.llm_calls, day.wasted, day.tokens_in), (2, 1, 240));
    assert_eq!((day.failed_calls(), day.llm_times.count()), (0, 2));
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_was_fenced_out_counts_what_it_spent_once() {
    let world = TestWorld::new(&[bot("demo")]).await;
    // Its claim is taken over by hand while the model thinks.
    let answer = Model::Says("Terlambat".to_owned());
    world
        .outside
        .model_does([Model::Slow(Duration::from_secs(10), Box::new(answer))]);
    world.start();
    world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
    sleep(8).await;
    world
        .update_head(
            "demo",
            RINA,
            "SET c_fence = c_fence + :one, fence = fence + :one, c_owner = :o, c_until = :u",
            json!({":one": {"N": "1"}, ":o": {"S": "somebody"}, ":u": {"N": "1"}}),
        )
        .await;
    // The count itself loses its answer: it is repeated and still counts once.
    world.settle().await;
    assert_eq!(world.outside.sends().len(), 1);
    assert_eq!(world.outside.sends()[0].text, "Jawaban atas: Halo");
    let day = usage(&world, "demo").await;
    assert_eq!((day.turns, day.llm_calls, day.wasted), (1, 2, 1));
    assert_eq!((day.tokens_in, day.llm_times.count()), (240, 2));
    assert_eq!((day.conversations, day.new_contacts), (1, 1));
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn usage_equals_the_calls_made_whatever_call_of_the_table_loses_its_answer() {
    for index in 0..12 {
        let world = TestWorld::new(&[bot("demo")]).await;
        world.outside.model_does([billed_and_empty()]);
        world
            .faults
            .arm(Role::Worker, index, Fault::Error(When::After));
        world.start();
        world.post(&bubble("demo", RINA, "A", 0, "Halo")).await;
        world.settle().await;
        let day = usage(&world, "demo").await;
        let calls = world.outside.calls().len() as u64;
        assert_eq!((day.turns, day.llm_calls), (1, calls), "effect {index}");
        let once = (
            day.conversations,
            day.new_contacts,
            day.response_times.count(),
        );
        assert_eq!(once, (1, 1, 1), "effect {index}");
        assert_eq!(
            (day.failed_calls(), day.llm_times.count()),
            (calls - 1, calls),
            "effect {index}"
        );
        world.assert_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_first_question_of_two_customers_is_asked_once_where_the_bot_keeps_answers() {
    let mut keeps = bot("demo");
    keeps.response_cache = true;
    let world = TestWorld::new(&[keeps.clone(), bot("lain")]).await;
    world.start();
    let phones = ["6281100080011", "6281100080012", "6281100080013"];
    for (n, text) in ["Jam buka?", "  jam BUKA ?", "Jam buka??"]
        .iter()
        .enumerate()
    {
        let second = n as i64 * 10;
        world
            .post(&bubble("demo", phones[n], &format!("A{n}"), second, text))
            .await;
        sleep(10).await;
    }
    assert_eq!(world.outside.calls().len(), 1);
    let sends = world.outside.sends();
    assert_eq!(sends.len(), 3);
    assert!(sends.iter().all(|send| send.text == sends[0].text));
    let day = usage(&world, "demo").await;
    assert_eq!(
        (day.cache_hits, day.tokens_saved, day.llm_calls),
        (2, 300, 1)
    );
    let hit = world.turn("demo", phones[1], 1).await;
    assert_eq!(
        (hit.status, hit.tokens_saved, hit.llm_calls),
        (TurnStatus::Answered, Some(150), 0)
    );

    // Somebody with whom something was said a moment ago is asked about by the model, with the history.
    world
        .post(&bubble("demo", phones[1], "A4", 40, "Jam buka?"))
        .await;
    sleep(10).await;
    assert_eq!(world.outside.calls().len(), 2);
    assert!(
        world.outside.asked()[1]["messages"]
            .as_array()
            .unwrap()
            .len()
            > 2
    );

    // Another prompt misses.
    keeps.system_prompt.push_str(" Jawab pendek.");
    world.world.put_bots(&[keeps]).await.unwrap();
    sleep(31).await;
    world
        .post(&bubble("demo", "6281100080014", "A5", 80, "Jam buka?"))
        .await;
    // Another bot keeps nothing and shares nothing.
    world
        .post(&bubble("lain", phones[0], "A6", 80, "Jam buka?"))
        .await;
    sleep(10).await;
    assert_eq!(world.outside.calls().len(), 4);

    // A day later the answer is old.
    sleep(24 * 3_600 + 1).await;
    world
        .post(&bubble("demo", "6281100080015", "A7", 100, "Jam buka?"))
        .await;
    sleep(10).await;
    assert_eq!(world.outside.calls().len(), 5);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_kept_answer_never_knows_another_contacts_history() {
    let mut keeps = bot("demo");
    keeps.response_cache = true;
    let world = TestWorld::new(&[keeps]).await;
    world.start();
    world
        .post(&bubble(
            "demo",
            RINA,
            "A",
            0,
            "Nama saya Rina dan alamat saya rahasia",
        ))
        .await;
    sleep(3_600).await;
    world
        .post(&bubble("demo", RINA, "B", 3_600, "Jam buka?"))
        .await;
    sleep(10).await;
    let asked = world.outside.asked();
    assert!(!asked[1].to_string().contains("rahasia"), "I12");
    world
        .post(&bubble("demo", "6281100080099", "C", 3_700, "Jam buka?"))
        .await;
    sleep(10).await;
    assert_eq!(world.outside.calls().len(), 2);
    assert_eq!(world.outside.sends().len(), 3);
}
