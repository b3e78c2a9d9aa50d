//! The customers, and the gateway's webhooks for them: posted again until they are answered with 200, to whatever address
//! the system has by then.

use std::sync::Arc;
use std::time::Duration;

use clivy::clock::{Clock, SystemClock};
use clivy::http::Network;
use serde_json::{Value, json};
use tests::bubbles::bubble;
use tests::measure::{Latency, Random};
use tests::process::wire;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::outside::Outside;
use crate::token::{Customer, Token};

/// How customers write.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// Between two bubbles of a burst.
    pub typing: Latency,
    /// Between two bursts; after an answer, from its arrival on.
    pub pause: Latency,
    /// Every which burst waits for the answer to all before it: 1 for each. The others are written into the
    /// answering of those before.
    pub patient_every: u64,
    /// Nobody who has waited for an answer writes sooner after it.
    pub reading_least: Duration,
    /// Of 100 webhooks that got their 200 this many are posted once more, as if the 200 had been lost.
    pub repeated_percent: u64,
    /// The first burst comes within this time.
    pub ramp: Duration,
}

/// Webhooks that the gateway posts at once at most: it has a pool of connections, not one for each customer.
const CONNECTIONS: usize = 256;
/// Bubbles of one burst at most.
const BURST_MAX: u64 = 4;
/// How long the gateway waits for an answer to its webhook.
const WEBHOOK_PATIENCE: Duration = Duration::from_secs(10);
/// The first pause before a webhook is posted again; it doubles.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MOST: Duration = Duration::from_secs(2);

const PHRASES: [&str; 6] = [
    "Halo kak",
    "hari minggu jam buka sampai jam berapa?",
    "ongkir ke Bandung berapa ya",
    "kalau pesan sekarang sampainya kapan? soalnya mau dipakai hari Jumat untuk acara kantor",
    "oke",
    "bisa bayar di tempat? 🙏",
];

/// All customers of a run. Clones share the way in.
#[derive(Clone)]
pub struct Customers {
    /// What is outside.
    pub outside: Outside,
    /// Where the system is.
    pub address: watch::Receiver<String>,
    /// How they write.
    pub habits: Habits,
    /// What everything random comes from.
    pub seed: u64,
    client: Network,
    connections: Arc<Semaphore>,
}

impl Customers {
    /// Nobody writes yet.
    #[must_use]
    pub fn new(
        outside: &Outside,
        address: watch::Receiver<String>,
        habits: Habits,
        seed: u64,
    ) -> Self {
        Self {
            outside: outside.clone(),
            address,
            habits,
            seed,
            client: wire::client(),
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
        }
    }

    /// `count` customers of `bots` bots write until `stop` says true; what they have begun to post is posted to the end.
    #[must_use]
    pub fn start(&self, count: u32, bots: u32, stop: &watch::Receiver<bool>) -> JoinSet<()> {
        let mut writers = JoinSet::new();
        for n in 0..count {
            let (customers, stop) = (self.clone(), stop.clone());
            let customer = Customer::nth(n, bots);
            let random = Random::stream(self.seed, u64::from(n));
            writers.spawn(async move { customers.writes(customer, random, stop).await });
        }
        writers
    }

    async fn writes(&self, customer: Customer, mut random: Random, stop: watch::Receiver<bool>) {
        let mut answers = self.outside.answers_to(customer);
        let mut number = 0;
        let ramp = self.habits.ramp.mul_f64(random.uniform());
        rest(ramp, &stop).await;
        for burst in 1_u64.. {
            let bubbles = 1 + random.below(BURST_MAX);
            for nth in 1..=bubbles {
                if *stop.borrow() {
                    return;
                }
                number += 1;
                self.deliver(Token { customer, number }, &mut random).await;
                if nth < bubbles {
                    rest(self.habits.typing.draw(&mut random), &stop).await;
                }
            }
            let mut pause = self.habits.pause.draw(&mut random);
            if burst.is_multiple_of(self.habits.patient_every.max(1)) {
                pause = pause.max(self.habits.reading_least);
                let answered = answers.wait_for(|answered| *answered >= number);
                // An error means that the run is over.
                until_stopped(answered, &stop).await;
            }
            rest(pause, &stop).await;
        }
    }

    /// One bubble's webhook, until it is answered with 200.
    async fn deliver(&self, token: Token, random: &mut Random) {
        let body = self.body(token, random);
        let mut retry_after = RETRY_FIRST;
        while !self.posts(token, &body).await {
            tokio::time::sleep(retry_after).await;
            retry_after = (retry_after * 2).min(RETRY_MOST);
        }
        if random.below(100) < self.habits.repeated_percent {
            // Whatever it is answered with: the first 200 counts.
            self.posts(token, &body).await;
        }
    }

    /// False when it must be posted again.
    async fn posts(&self, token: Token, body: &Value) -> bool {
        let outside = &self.outside;
        // The wait for a connection counts as the webhook's.
        outside.ledger(|ledger| ledger.posted(token, outside.now()));
        // It is never closed.
        let _connection = self.connections.acquire().await;
        let url = format!("{}/webhook/ai", *self.address.borrow());
        let answer = wire::post(&self.client, &url, &[], body, WEBHOOK_PATIENCE).await;
        let is_accepted = matches!(answer, Ok((200, _)));
        if is_accepted {
            outside.ledger(|ledger| ledger.accepted(token, outside.now()));
        }
        is_accepted
    }

    fn body(&self, token: Token, random: &mut Random) -> Value {
        let phrase = PHRASES.get(random.below(PHRASES.len() as u64) as usize);
        let text = format!("{} {token}", phrase.copied().unwrap_or_default());
        let bot = token.customer.bot_id();
        let mut body = bubble(&bot, &token.customer.phone(), &token.mid(), 0, &text);
        if let Some(at) = body.pointer_mut("/event/Info/Timestamp") {
            *at = json!(whole_second());
        }
        body
    }
}

/// Now, as WhatsApp tells it.
fn whole_second() -> String {
    let second = SystemClock.now().0.div_euclid(1_000);
    // Out of range only for a clock that is set to another age.
    jiff::Timestamp::from_second(second)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_string()
}

async fn rest(pause: Duration, stop: &watch::Receiver<bool>) {
    until_stopped(tokio::time::sleep(pause), stop).await;
}

async fn until_stopped<T>(done: impl Future<Output = T>, stop: &watch::Receiver<bool>) {
    let mut stop = stop.clone();
    tokio::select! {
        _ = done => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}
