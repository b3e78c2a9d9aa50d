//! Random schedules: a few customers type, and the functions, the model and the gateway fail at random places.
//! One seed is one schedule; a failure prints its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clivy::conversation::bot::{Bot, ModelEntry};
use clivy::conversation::ids::MessageKey;
use clivy::conversation::outcome::TurnStatus;
use clivy::table::{Turn, keys};
use clivy::usage::{Day, Times, UsageCounts};
use serde_json::json;
use tests::bubbles::{bot, bubble};
use tests::faults::{Fault, Role, When};
use tests::outside::{Gateway, Model};
use tests::world::TestWorld;

/// Seeds of one run of the tests; `RANDOM_SEEDS=5000` runs more, `RANDOM_SEED=7` one.
const SEEDS: u64 = 80;

/// A small generator: the same seed gives the same schedule.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    fn fault(&mut self) -> Fault {
        match self.below(5) {
            0 => Fault::Crash(When::Before),
            1 => Fault::Crash(When::After),
            2 => Fault::Error(When::Before),
            3 => Fault::Error(When::After),
            _ => Fault::Late(Duration::from_millis(self.below(9_000))),
        }
    }

    fn model(&mut self) -> Model {
        let says = Model::Says(format!("Jawaban {}", self.below(1_000_000)));
        let error = |status: u16, message: &str| {
            Model::Http(
                status,
                json!({"error": {"code": status, "message": message}}),
            )
        };
        match self.below(16) {
            0 => Model::Breaks,
            1 => error(503, "down"),
            2 => error(401, "no"),
            3 => Model::Hangs,
            4 => error(402, "Insufficient credits"),
            5 => error(404, "No endpoints found"),
            6 => error(429, "Rate limit exceeded: free-models-per-day"),
            7 => error(
                400,
                "maximum context length is 4096 tokens. However, you requested 5000 tokens",
            ),
            8 => Model::HttpWith(
                429,
                vec![("retry-after", self.below(400).to_string())],
                json!({"error": {"code": 429, "message": "busy"}}),
            ),
            9 => Model::Http(
                402,
                json!({"error": {"code": 402, "metadata": {"limit_source": "openrouter_in_flight_budget"}}}),
            ),
            10..=12 => Model::Slow(Duration::from_millis(self.below(30_000)), Box::new(says)),
            _ => says,
        }
    }

    /// A world's settings: tight limits and a second provider, or not.
    fn settings(&mut self) -> Vec<(&'static str, &'static str)> {
        let mut settings = Vec::new();
        if self.below(2) == 0 {
            settings.push(("RATE_LIMIT_MAX_MESSAGES", "2"));
        }
        if self.below(3) == 0 {
            settings.push(("RATE_LIMIT_BOT_MAX_MESSAGES", "3"));
        }
        if self.below(2) == 0 {
            settings.push(("BREAKER_MAX_FAILURES", "2"));
        }
        if self.below(2) == 0 {
            settings.extend([
                ("SECOND_PROVIDER_BASE_URL", "http://second.test/v1"),
                ("SECOND_PROVIDER_API_KEY", "second-key"),
                ("SECOND_PROVIDER_MODEL", "small-one"),
            ]);
        }
        settings
    }

    fn gateway(&mut self) -> Gateway {
        match self.below(8) {
            0 => Gateway::SendsAndBreaks,
            1 => Gateway::SendsAndHangs,
            2 => Gateway::Http(500),
            3 => Gateway::Refuses,
            _ => Gateway::Sends,
        }
    }
}

/// The messages that were accepted, by contact.
type Accepted = BTreeMap<String, Vec<String>>;

async fn type_bubbles(world: &TestWorld, dice: &mut Dice) -> Accepted {
    let contacts = 1 + dice.below(3);
    let bubbles = 2 + dice.below(8);
    let mut accepted = Accepted::new();
    for n in 0..bubbles {
        let phone = format!("62811{:06}", dice.below(contacts));
        let mid = format!("B{n:02}");
        let body = bubble("demo", &phone, &mid, n as i64, &format!("kata {n}"));
        if world.post_until_accepted(&body).await {
            accepted.entry(phone).or_default().push(mid);
        }
        let pause = dice.below(5_000);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    accepted
}

async fn schedule(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let demo = Bot {
        response_cache: dice.below(2) == 0,
        models: (0..dice.below(3))
            .map(|n| ModelEntry::named(&format!("m/{n}:free")))
            .collect(),
        ..bot("demo")
    };
    let world = TestWorld::with(&[demo], &dice.settings()).await;
    world
        .outside
        .model_does((0..dice.below(6)).map(|_| dice.model()).collect::<Vec<_>>());
    world.outside.gateway_does(
        (0..dice.below(4))
            .map(|_| dice.gateway())
            .collect::<Vec<_>>(),
    );
    for _ in 0..dice.below(5) {
        let role = if dice.below(4) == 0 {
            Role::Webhook
        } else {
            Role::Worker
        };
        world
            .faults
            .arm(role, dice.below(30) as usize, dice.fault());
    }
    world.start();
    let accepted = type_bubbles(&world, &mut dice).await;
    world.settle().await;
    world.assert_quiet().await;
    let delivered = world.outside.delivered();
    for (phone, mids) in &accepted {
        check(&world, phone, mids).await;
    }
    let ids = delivered
        .iter()
        .map(|send| &send.id)
        .collect::<BTreeSet<_>>();
    assert_eq!(ids.len(), delivered.len(), "I5");
    check_usage(&world, &accepted).await;
}

/// I8: the ledger is the sum of the turns' own records, and of no more calls than were made.
async fn check_usage(world: &TestWorld, accepted: &Accepted) {
    let now = world.world.clock.now();
    let mut usage = UsageCounts::default();
    // A schedule may last beyond midnight.
    for day in [now.plus_ms(-86_400_000), now] {
        usage.add(&world.usage("demo", day).await);
    }
    let mut turns = Vec::new();
    let mut days = BTreeSet::new();
    for phone in accepted.keys() {
        for burst in 1..=world.head("demo", phone).await.bursts {
            let turn = world.turn("demo", phone, burst).await;
            days.insert((phone, Day::of(turn.ended_at.unwrap())));
            turns.push(turn);
        }
    }
    let contacts = turns.iter().filter(|turn| turn.burst == 1).count();
    let stored: usize = accepted.values().map(Vec::len).sum();
    assert_eq!(
        (usage.turns, usage.messages),
        (turns.len() as u64, stored as u64),
        "I8"
    );
    assert_eq!(
        (usage.conversations, usage.new_contacts),
        (days.len() as u64, contacts as u64),
        "I8"
    );
    for status in TurnStatus::ENDS {
        let ended = turns.iter().filter(|turn| turn.status == status).count();
        assert_eq!(usage.ended(status), ended as u64, "I8: {}", status.as_str());
    }
    check_waits(&usage, &turns);
    check_calls(world, &usage, &turns);
}

/// Every customer who got a text has waited for it once.
fn check_waits(usage: &UsageCounts, turns: &[Turn]) {
    let (mut waits, mut waited_ms, mut saved) = (Times::default(), 0, 0);
    for turn in turns {
        if matches!(turn.status, TurnStatus::Answered | TurnStatus::Failed) {
            let ms = turn.ended_at.unwrap().since_ms(turn.began_at.unwrap());
            waits.add_all(&Times::one(ms));
            waited_ms += ms.unsigned_abs();
        }
        if turn.status == TurnStatus::Answered {
            saved += turn.keys.len() as u64 - 1;
        }
    }
    assert_eq!(
        (&usage.response_times, usage.response_ms),
        (&waits, waited_ms),
        "I8"
    );
    assert_eq!(usage.saved_by_batching, saved, "I8");
}

/// A worker that died has told nobody of its calls; every other call is counted, and none twice.
fn check_calls(world: &TestWorld, usage: &UsageCounts, turns: &[Turn]) {
    let in_turns: u64 = turns.iter().map(|turn| u64::from(turn.llm_calls)).sum();
    // Those whose connection broke before they arrived are calls too.
    let effects = world.faults.effects(Role::Worker).into_iter();
    let made = effects
        .filter(|name| name.ends_with("/chat/completions"))
        .count() as u64;
    assert!((in_turns..=made).contains(&usage.llm_calls), "I8");
    if world.faults.crashes() == 0 {
        assert_eq!(usage.llm_calls, made, "I8");
    }
    assert_eq!(usage.llm_times.count(), usage.llm_calls, "I8");
    assert!(usage.failed_calls() <= usage.llm_calls);
    let mut recorded: BTreeMap<&str, u64> = BTreeMap::new();
    for attempt in turns.iter().flat_map(|turn| &turn.attempts) {
        if attempt.class != "ok" {
            *recorded.entry(&attempt.class).or_default() += 1;
        }
    }
    for (class, count) in recorded {
        // More where a burst has waited, or was asked again with less: those left no attempt.
        assert!(
            usage
                .errors
                .get(class)
                .is_some_and(|counted| *counted >= count),
            "{class}"
        );
    }
}

async fn check(world: &TestWorld, phone: &str, mids: &[String]) {
    let head = world.head("demo", phone).await;
    let mut answered: Vec<MessageKey> = Vec::new();
    let mut replies: Vec<String> = Vec::new();
    for burst in 1..=head.bursts {
        let turn = world.turn("demo", phone, burst).await;
        answered.extend(turn.keys);
        if matches!(turn.status, TurnStatus::Answered | TurnStatus::Failed) {
            replies.push(turn.reply_id.unwrap().as_str().to_owned());
        }
    }
    let mut stored: Vec<String> = answered
        .iter()
        .filter_map(|key| Some(key.as_str().rsplit_once('#')?.1.to_owned()))
        .collect();
    stored.sort();
    assert_eq!(
        stored, mids,
        "I1, I2: every accepted message in one turn, none in two"
    );
    assert!(answered.iter().all(|key| keys::platform_at(key).is_some()));
    // I4: what the customer saw is one reply per burst, in the order of the bursts. A reply that was parked as
    // undelivered may have got through all the same: its gateway never said so.
    let seen: Vec<String> = world
        .outside
        .delivered()
        .into_iter()
        .filter(|send| send.phone == phone && replies.contains(&send.id))
        .map(|send| send.id)
        .collect();
    assert_eq!(seen, replies, "I4");
}

fn number(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "a switch of this test alone")]
    let value = std::env::var(name).ok()?;
    value.parse().ok()
}

#[test]
fn random_schedules_lose_nothing_and_double_nothing() {
    let seeds = match number("RANDOM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("RANDOM_SEEDS").unwrap_or(SEEDS) + 1,
    };
    for seed in seeds {
        println!("replay with: RANDOM_SEED={seed} cargo test -p tests --test protocol random");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(schedule(seed));
    }
}
