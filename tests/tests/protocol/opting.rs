//! A contact that wants no answers gets none until it wants them again.

use std::time::Duration;

use clivy::conversation::opt::Opt;
use clivy::conversation::outcome::TurnStatus;
use tests::bubbles::{bot, bubble, from_the_phone, written_at};
use tests::faults::{Fault, Role, When};
use tests::outside::{Gateway, Model};
use tests::world::TestWorld;

const RINA: &str = "6281100095001";

/// Bubbles of one burst, and whatever follows from them.
async fn say(world: &TestWorld, burst: &str, texts: &[&str]) {
    for (n, text) in texts.iter().enumerate() {
        let now = world.world.clock.now();
        let body = written_at(bubble("demo", RINA, &format!("{burst}{n}"), 0, text), now);
        assert!(world.post_until_accepted(&body).await);
    }
    world.settle().await;
}

fn texts(world: &TestWorld) -> Vec<String> {
    let delivered = world.outside.delivered().into_iter();
    delivered.map(|send| send.text).collect()
}

async fn statuses(world: &TestWorld) -> Vec<TurnStatus> {
    let mut statuses = Vec::new();
    for burst in 1..=world.head("demo", RINA).await.bursts {
        statuses.push(world.turn("demo", RINA, burst).await.status);
    }
    statuses
}

async fn is_out(world: &TestWorld) -> bool {
    world.head("demo", RINA).await.opted_out_at.is_some()
}

#[tokio::test(start_paused = true)]
async fn who_opts_out_is_never_answered_until_opting_in_again() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    say(&world, "A", &["Halo", "STOP!", "ya"]).await;
    assert!(is_out(&world).await);
    // Neither an answer, nor a second confirmation, nor the fallback text, nor read ticks.
    world.outside.model_does((0..9).map(|_| Model::Breaks));
    say(&world, "B", &["ada kopi?"]).await;
    say(&world, "C", &["/stop"]).await;
    assert_eq!(
        world.outside.others().len(),
        1,
        "the end of typing, after the confirmation"
    );
    say(&world, "D", &["Mulai"]).await;
    assert!(!is_out(&world).await);
    world.outside.model_is_well();
    say(&world, "E", &["ada kopi?"]).await;
    let bot = bot("demo");
    assert_eq!(
        texts(&world),
        [
            bot.opt_text(Opt::Out),
            bot.opt_text(Opt::In),
            "Jawaban atas: ada kopi?".to_owned()
        ]
    );
    use TurnStatus::{Answered, OptedIn, OptedOut};
    assert_eq!(
        statuses(&world).await,
        [OptedOut, OptedOut, OptedOut, OptedIn, Answered]
    );
    assert_eq!(world.outside.asked().len(), 1);
    assert_eq!(
        world.history("demo", RINA).await.len(),
        7 + 3,
        "what was written is there"
    );
    let id = world.id("demo", RINA);
    let now = world.world.clock.now();
    let day = world
        .world
        .table
        .usage_of_day(&id.bot_id, now)
        .await
        .unwrap();
    let ended = |status| -> u64 { day.iter().map(|hour| hour.counts.ended(status)).sum() };
    assert_eq!(
        (ended(OptedOut), ended(OptedIn), ended(Answered)),
        (3, 1, 1)
    );
    assert_eq!(world.dead_letters(), Vec::<String>::new());
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn the_words_and_the_texts_are_the_bots_own() {
    let mut own = bot("demo");
    own.opt_out_words = vec!["UNSUB".to_owned()];
    own.opt_out_text = "Oke, kami diam.".to_owned();
    let world = TestWorld::new(&[own]).await;
    world.start();
    say(&world, "A", &["stop"]).await;
    say(&world, "B", &["unsub"]).await;
    assert_eq!(texts(&world), ["Jawaban atas: stop", "Oke, kami diam."]);
    let mut off = bot("demo");
    off.opt_out_words = Vec::new();
    let world = TestWorld::new(&[off]).await;
    world.start();
    say(&world, "A", &["stop"]).await;
    assert_eq!(texts(&world), ["Jawaban atas: stop"]);
    assert!(!is_out(&world).await);
}

#[tokio::test(start_paused = true)]
async fn one_contact_opts_out_for_itself_alone() {
    let world = TestWorld::new(&[bot("demo"), bot("lain")]).await;
    world.start();
    say(&world, "A", &["stop"]).await;
    world.post(&bubble("lain", RINA, "B", 0, "Halo")).await;
    world
        .post(&bubble("demo", "6281100095002", "C", 0, "Halo"))
        .await;
    world.settle().await;
    assert_eq!(
        texts(&world)
            .iter()
            .filter(|text| *text == "Jawaban atas: Halo")
            .count(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn a_flood_does_not_hold_an_opt_out_back() {
    let world = TestWorld::with(&[bot("demo")], &[("RATE_LIMIT_MAX_MESSAGES", "1")]).await;
    world.start();
    for n in 0..2 {
        let now = world.world.clock.now();
        let text = ["Halo", "stop"][n];
        world
            .post(&written_at(
                bubble("demo", RINA, &format!("A{n}"), 0, text),
                now,
            ))
            .await;
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    assert!(is_out(&world).await);
    assert_eq!(texts(&world).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_opt_out_counts_although_its_confirmation_never_arrives() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    world.outside.gateway_does([Gateway::Http(400)]);
    say(&world, "A", &["stop"]).await;
    assert_eq!(statuses(&world).await, [TurnStatus::Undelivered]);
    assert!(is_out(&world).await);
    world.redrive().await;
    world.settle().await;
    say(&world, "B", &["Halo"]).await;
    assert_eq!(texts(&world), Vec::<String>::new());
    assert_eq!(statuses(&world).await[1..], [TurnStatus::OptedOut; 2]);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_opt_out_that_a_person_has_seen_counts_too() {
    let world = TestWorld::new(&[bot("demo")]).await;
    world.start();
    let now = world.world.clock.now();
    world
        .post(&written_at(bubble("demo", RINA, "A", 0, "stop"), now))
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let now = world.world.clock.now();
    world
        .post(&from_the_phone("demo", RINA, "P", now, "Baik kak"))
        .await;
    world.settle().await;
    assert!(is_out(&world).await);
    assert_eq!(statuses(&world).await, [TurnStatus::OptedOut]);
    world.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_opt_out_that_could_not_be_read_is_not_met_with_the_fallback_text() {
    let world = TestWorld::with(&[bot("demo")], &[("OUTCOME_DEADLINE_SECONDS", "10")]).await;
    world.start();
    say(&world, "A", &["stop"]).await;
    // The claim's query fails, again and again.
    for index in 0..12 {
        world
            .faults
            .arm(Role::Worker, 1 + 4 * index, Fault::Error(When::Before));
    }
    world
        .faults
        .always("DynamoDB_20120810.Query", Fault::Error(When::Before));
    say(&world, "B", &["ada kopi?"]).await;
    assert_eq!(texts(&world).len(), 1, "the confirmation");
    assert_eq!(statuses(&world).await, [TurnStatus::OptedOut; 2]);
}

/// Out, silence, and in again.
async fn run(fault: Option<(Role, usize, Fault)>) -> TestWorld {
    let world = TestWorld::new(&[bot("demo")]).await;
    if let Some((role, index, fault)) = fault {
        world.faults.arm(role, index, fault);
    }
    world.start();
    world.start_sweeper();
    say(&world, "A", &["stop", "ya"]).await;
    say(&world, "B", &["ada kopi?"]).await;
    say(&world, "C", &["mulai"]).await;
    let bot = bot("demo");
    assert_eq!(
        texts(&world),
        [bot.opt_text(Opt::Out), bot.opt_text(Opt::In)],
        "once each"
    );
    let mut statuses = statuses(&world).await;
    assert_eq!(statuses.pop(), Some(TurnStatus::OptedIn));
    // A webhook that dies makes one burst two.
    assert!((2..=3).contains(&statuses.len()), "{statuses:?}");
    assert!(
        statuses
            .iter()
            .all(|status| *status == TurnStatus::OptedOut)
    );
    assert!(!is_out(&world).await);
    assert!(world.outside.asked().is_empty());
    world.assert_quiet().await;
    world
}

async fn every_fault_at_every_effect(role: Role) {
    let effects = run(None).await.faults.effects(role);
    assert!(effects.len() >= 6, "{effects:?}");
    for (index, effect) in effects.iter().enumerate() {
        for fault in [
            Fault::Crash(When::Before),
            Fault::Crash(When::After),
            Fault::Error(When::Before),
            Fault::Error(When::After),
        ] {
            println!("{fault:?} at effect {index} of the {role:?}: {effect}");
            let world = run(Some((role, index, fault))).await;
            assert!(!world.faults.is_armed(), "the fault happened");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_worker_may_die_anywhere_around_an_opt_out() {
    every_fault_at_every_effect(Role::Worker).await;
}

#[tokio::test(start_paused = true)]
async fn the_webhook_may_die_anywhere_around_an_opt_out() {
    every_fault_at_every_effect(Role::Webhook).await;
}
