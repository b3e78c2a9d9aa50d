//! A person answers from the phone: the bot is quiet, says nothing to what was answered, and comes back.

use std::time::Duration;

use clivy::conversation::head::PausedBy;
use clivy::conversation::ids::EpochMs;
use clivy::conversation::outcome::TurnStatus;
use serde_json::{Value, json};
use tests::bubbles::{bot, bubble, from_the_phone, written_at};
use tests::outside::{Gateway, Model};
use tests::world::{START, TestWorld};

const RINA: &str = "6281100090001";
/// `TAKEOVER_PAUSE_MINUTES`, as it is unless set.
const PAUSE_MS: i64 = 30 * 60_000;

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// A customer's bubble, written now.
async fn write(world: &TestWorld, mid: &str, text: &str) {
    let now = world.world.clock.now();
    let body = written_at(bubble("demo", RINA, mid, 0, text), now);
    assert_eq!(world.post(&body).await.1["status"], "queued");
}

/// A person's message, written `ago_ms` ago and delivered now.
async fn answer_late(world: &TestWorld, mid: &str, ago_ms: i64) {
    let at = world.world.clock.now().plus_ms(-ago_ms);
    let body = from_the_phone("demo", RINA, mid, at, "Ada kak (admin)");
    let (status, answer) = world.post(&body).await;
    assert_eq!((status, &answer["reason"]), (200, &json!("own_message")));
}

async fn answer(world: &TestWorld, mid: &str) {
    answer_late(world, mid, 0).await;
}

async fn pause(world: &TestWorld) -> Option<EpochMs> {
    world.head("demo", RINA).await.paused_until
}

async fn ended(world: &TestWorld, status: TurnStatus) -> u64 {
    let id = world.id("demo", RINA);
    let now = world.world.clock.now();
    let day = world.world.table.usage_of_day(&id.bot_id, now).await;
    let day = day.unwrap();
    day.iter().map(|hour| hour.counts.ended(status)).sum()
}

/// The world's time, as the outside counts it.
fn since_start(at: EpochMs) -> Duration {
    Duration::from_millis(u64::try_from(at.since_ms(START)).unwrap())
}

#[tokio::test(start_paused = true)]
async fn what_a_person_has_answered_ends_visibly_when_the_pause_ends_and_costs_nothing() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    write(&world, "A", "ada kopi?").await;
    sleep(1).await;
    answer(&world, "P").await;
    let head = world.head("demo", RINA).await;
    assert_eq!(head.paused_by, Some(PausedBy::Person));
    sleep(1_500).await;
    let head = world.head("demo", RINA).await;
    assert_eq!(
        (head.bursts, head.pend.len()),
        (0, 1),
        "it waits, and is not dropped"
    );
    let deadline = world.world.clock.now().plus_ms(50_000);
    let swept = world.world.sweeper.sweep(deadline).await.unwrap();
    assert_eq!(
        (swept.hits, swept.turns_without_outcome),
        (0, 0),
        "a pause is no wait of ours"
    );
    world.settle().await;
    let turn = world.turn("demo", RINA, 1).await;
    assert_eq!(
        (turn.status, turn.keys.len()),
        (TurnStatus::LeftToPerson, 1)
    );
    assert!(turn.ended_at.unwrap() >= START.plus_ms(PAUSE_MS));
    assert_eq!((turn.llm_calls, turn.wasted), (0, 0));
    assert!(world.outside.asked().is_empty() && world.outside.sends().is_empty());
    assert_eq!(ended(&world, TurnStatus::LeftToPerson).await, 1);
    assert_eq!(world.dead_letters(), Vec::<String>::new());
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_the_persons_words_is_answered_when_the_pause_ends() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    write(&world, "A", "ada kopi?").await;
    sleep(1).await;
    answer(&world, "P").await;
    let until = pause(&world).await.unwrap();
    sleep(60).await;
    write(&world, "B", "ongkirnya?").await;
    world.settle().await;
    let sends = world.outside.sends();
    assert_eq!(sends.len(), 1);
    assert!(sends[0].at >= since_start(until));
    assert!(
        sends[0].at < since_start(until.plus_ms(10_000)),
        "{:?}",
        sends[0].at
    );
    assert_eq!(
        world.outside.questions(),
        ["ongkirnya?"],
        "the other one was answered"
    );
    let asked = &world.outside.asked()[0]["messages"];
    let said: Vec<&str> = asked
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["content"].as_str().unwrap())
        .collect();
    let place = |text: &str| said.iter().position(|said| said.contains(text)).unwrap();
    assert!(place("ada kopi?") < place("Ada kak (admin)"));
    let turn = world.turn("demo", RINA, 1).await;
    assert_eq!(
        (turn.status, turn.keys.len(), turn.tries),
        (TurnStatus::Answered, 2, 1)
    );
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn each_further_message_extends_the_pause_and_none_shortens_it() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    write(&world, "A", "ada kopi?").await;
    answer(&world, "P1").await;
    let first = pause(&world).await.unwrap();
    sleep(1_200).await;
    answer(&world, "P2").await;
    let second = pause(&world).await.unwrap();
    assert!((1_199_000..=1_201_000).contains(&second.since_ms(first)));
    // A message of before that comes late.
    answer_late(&world, "P0", 600_000).await;
    assert_eq!(pause(&world).await, Some(second));
    assert_eq!(world.history("demo", RINA).await.len(), 4);
    world.settle().await;
    let turn = world.turn("demo", RINA, 1).await;
    assert!(turn.ended_at.unwrap() >= second);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_counts_from_when_the_person_wrote() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    sleep(3_600).await;
    answer_late(&world, "P1", 2_400_000).await;
    assert_eq!(pause(&world).await, None, "forty minutes ago");
    answer_late(&world, "P2", 1_200_000).await;
    let left_ms = pause(&world)
        .await
        .unwrap()
        .since_ms(world.world.clock.now());
    assert!((598_000..=600_000).contains(&left_ms), "{left_ms}");
    // A platform whose clock is far ahead lengthens nothing, and what is written next is no older than that.
    answer_late(&world, "P3", -7_200_000).await;
    let left_ms = pause(&world)
        .await
        .unwrap()
        .since_ms(world.world.clock.now());
    assert_eq!(left_ms, PAUSE_MS);
    sleep(120).await;
    write(&world, "A", "ada kopi?").await;
    world.settle().await;
    assert_eq!(world.outside.sends().len(), 1);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn the_same_message_five_times_pauses_once() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let body = from_the_phone("demo", RINA, "P", world.world.clock.now(), "Siap");
    // Without a time of its own it would count from when it reached us.
    let mut untimed = from_the_phone("demo", RINA, "Q", world.world.clock.now(), "Siap");
    untimed["event"]["Info"]["Timestamp"] = Value::Null;
    world.post(&body).await;
    world.post(&untimed).await;
    let until = pause(&world).await;
    for _ in 0..4 {
        sleep(60).await;
        assert_eq!(world.post(&body).await.0, 200);
        assert_eq!(world.post(&untimed).await.0, 200);
    }
    assert_eq!(pause(&world).await, until);
    assert_eq!(world.history("demo", RINA).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_no_minutes_never_pauses() {
    let world = TestWorld::with(&[bot("demo")], &[("TAKEOVER_PAUSE_MINUTES", "0")]).await;
    world.start();
    write(&world, "A", "ada kopi?").await;
    sleep(1).await;
    answer(&world, "P").await;
    assert_eq!(pause(&world).await, None);
    world.settle().await;
    assert_eq!(
        world.turn("demo", RINA, 1).await.status,
        TurnStatus::Answered
    );
    assert_eq!(world.outside.sends().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn our_own_echo_never_pauses() {
    let world = TestWorld::new(&[bot("demo")]).await;
    let echo = async |burst: u64| {
        let mid = world.reply_id("demo", RINA, burst).await.to_uppercase();
        from_the_phone("demo", RINA, &mid, world.world.clock.now(), "Jawaban")
    };
    world.start();
    // Sent, but its commit is a while away: the gateway never answers.
    world.outside.gateway_does([Gateway::SendsAndHangs]);
    write(&world, "A", "ada kopi?").await;
    sleep(10).await;
    assert_eq!(world.outside.sends().len(), 1);
    assert_eq!(world.head("demo", RINA).await.bursts, 0);
    for _ in 0..5 {
        assert_eq!(world.post(&echo(1).await).await.1["reason"], "own_message");
    }
    assert_eq!(pause(&world).await, None);
    world.settle().await;
    assert_eq!(
        world.turn("demo", RINA, 1).await.status,
        TurnStatus::Answered
    );
    // A failed turn that is redriven is a new burst with a new id; the echo of its fallback text may come after that.
    world.outside.model_does((0..3).map(|_| Model::Breaks));
    write(&world, "B", "ongkirnya?").await;
    world.settle().await;
    assert_eq!(world.turn("demo", RINA, 2).await.status, TurnStatus::Failed);
    world.redrive().await;
    world.settle().await;
    assert_eq!(
        world.turn("demo", RINA, 3).await.status,
        TurnStatus::Answered
    );
    for burst in [1, 2, 3] {
        world.post(&echo(burst).await).await;
    }
    let head = world.head("demo", RINA).await;
    assert_eq!((head.paused_until, head.paused_by), (None, None));
    assert_eq!(world.history("demo", RINA).await.len(), 5);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_to_the_customer_does_not_pause() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    write(&world, "A", "ada kopi?").await;
    let phone = |mid: &str| from_the_phone("demo", RINA, mid, world.world.clock.now(), "Halo");
    let mut group = phone("G");
    group["event"]["Info"]["Chat"] = json!("120363000000000000@g.us");
    group["event"]["Info"]["IsGroup"] = json!(true);
    let mut status = phone("S");
    status["event"]["Info"]["Chat"] = json!("status@broadcast");
    let mut reaction = phone("R");
    reaction["event"]["Message"] = json!({"reactionMessage": {"key": {"ID": "A"}, "text": "👍"}});
    let mut receipt = phone("C");
    receipt["type"] = json!("ReadReceipt");
    let mut edit = phone("E");
    edit["event"]["IsEdit"] = json!(true);
    edit["event"]["Message"] = json!({"protocolMessage": {"type": 14, "key": {"ID": "X", "fromMe": true},
        "editedMessage": {"conversation": "2 botol"}}});
    for (body, reason) in [
        (group, "group"),
        (status, "status_broadcast"),
        (reaction, "reaction"),
        (receipt, "receipt"),
        (edit, "protocol"),
    ] {
        assert_eq!(world.post(&body).await.1["reason"], reason);
    }
    assert_eq!(pause(&world).await, None);
    world.settle().await;
    assert_eq!(world.outside.sends().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_draft_that_was_not_sent_yet_is_withheld() {
    for gateway in [Gateway::Refuses, Gateway::Http(500), Gateway::SendsAndHangs] {
        println!("{gateway:?}");
        let world = TestWorld::new(&[bot("demo")]).await;
        world.start();
        world.outside.gateway_does([gateway]);
        write(&world, "A", "ada kopi?").await;
        while world
            .faults
            .effects(tests::faults::Role::Worker)
            .iter()
            .all(|name| !name.ends_with("/chat/send/text"))
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // The gateway hangs, or is tried again later: only its own repetition at once may have been faster.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let begun = world.outside.sends().len();
        answer(&world, "P").await;
        world.settle().await;
        assert_eq!(
            world.outside.sends().len(),
            begun,
            "nothing was sent after the person was heard"
        );
        let turn = world.turn("demo", RINA, 1).await;
        if turn.status == TurnStatus::Answered {
            assert_eq!(
                gateway,
                Gateway::Http(500),
                "repeated at once, with success"
            );
            continue;
        }
        assert_eq!(turn.status, TurnStatus::LeftToPerson);
        assert_eq!((turn.llm_calls, turn.wasted), (1, 1));
        let history = world.history("demo", RINA).await;
        let withheld = history
            .iter()
            .find(|m| m.mid == turn.reply_id.clone().unwrap());
        assert!(
            !withheld.unwrap().delivered,
            "it is there to be seen, and never said"
        );
        let list = json!({"TableName": "clivy", "IndexName": "by_activity",
            "KeyConditionExpression": "list_pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "B#demo"}}});
        let list = world.dynamodb("Query", list).await;
        assert_eq!(list["Items"][0]["last_text"]["S"], "Ada kak (admin)");
        // The next question is answered when the pause is over, by another reply.
        write(&world, "B", "jam buka?").await;
        world.settle().await;
        let last = world.outside.sends().pop().unwrap();
        assert_eq!(last.id, world.reply_id("demo", RINA, 2).await);
        let asked = world.outside.asked().pop().unwrap()["messages"].to_string();
        assert!(!asked.contains("Jawaban atas: ada kopi?"), "{asked}");
        world.assert_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_turn_that_a_person_has_answered_is_not_answered_again_by_a_redrive() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world.outside.model_does((0..3).map(|_| Model::Breaks));
    write(&world, "A", "ada kopi?").await;
    world.settle().await;
    assert_eq!(world.outside.sends().len(), 1, "the fallback text");
    answer(&world, "P").await;
    sleep(3_000).await;
    world.redrive().await;
    world.settle().await;
    assert_eq!(world.outside.sends().len(), 1);
    assert_eq!(
        world.turn("demo", RINA, 1).await.status,
        TurnStatus::Retried
    );
    assert_eq!(
        world.turn("demo", RINA, 2).await.status,
        TurnStatus::LeftToPerson
    );
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn the_loop_brake_and_a_person_leave_the_longer_pause() {
    for (minutes, longer) in [("10", PausedBy::Person), ("90", PausedBy::LoopBrake)] {
        let settings = [
            ("LOOP_PAUSE_MINUTES", minutes),
            ("RATE_LIMIT_MAX_MESSAGES", "1000"),
        ];
        let world = TestWorld::with(&[bot("demo")], &settings).await;
        world.start();
        for n in 0..5 {
            write(&world, &format!("R{n}"), "Nomor ini tidak aktif").await;
            sleep(30).await;
        }
        assert_eq!(world.turn("demo", RINA, 5).await.status, TurnStatus::Braked);
        assert_eq!(
            world.head("demo", RINA).await.paused_by,
            Some(PausedBy::LoopBrake)
        );
        let braked = pause(&world).await.unwrap();
        answer(&world, "P").await;
        let both = pause(&world).await.unwrap();
        match longer {
            PausedBy::Person => assert!(both > braked),
            _ => assert_eq!(both, braked, "never shortened"),
        }
        assert_eq!(
            world.head("demo", RINA).await.paused_by,
            Some(PausedBy::Person)
        );
    }
}
