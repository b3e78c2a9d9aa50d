//! The ways of a message, each played alone in a world that has been running for a while: the demo's bot with its six
//! documents, a customer with a history of forty messages, texts of usual length.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clivy::access::Role as KeyRole;
use clivy::conversation::bot::Bot;
use serde::Deserialize;
use serde_json::{Value, json};
use tests::bubbles::{bubble, written_at};
use tests::faults::{ROLE, Role};
use tests::meter::Meter;
use tests::outside::{GATEWAY_URL, Model};
use tests::world::TestWorld;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use crate::figures::Figures;

const RINA: &str = "6281100020001";
const OTHER: &str = "6281100020002";
/// 63 characters, of many questions to shops.
const QUESTION: &str = "kopi gayo yang 200 gram masih ada kak? harganya berapa sekarang";
/// 230 characters, as a model answers.
const ANSWER: &str = "Halo Kak! Gayo Arabika kemasan 200 g masih tersedia, harganya Rp 68.000. Kalau Kakak ambil \
    kemasan 500 g ada potongan 10%. Mau dikirim ke mana, Kak? Untuk Kota Bandung ongkirnya Rp 10.000 dan sampai \
    di hari yang sama.";
/// Longer than every cache of an instance, and than the window of the rate limit.
const LONG: u64 = 90;

/// The lines that the functions log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// How much of everything there was at a moment.
struct Mark {
    requests: usize,
    asked: usize,
    calls: usize,
    log: usize,
    metrics: usize,
}

/// The world, and what counts.
pub struct Bench {
    pub world: TestWorld,
    pub meter: Arc<Meter>,
    lines: Lines,
    mids: Mutex<u64>,
    _logging: tracing::subscriber::DefaultGuard,
}

fn demo_bot() -> Bot {
    #[derive(Deserialize)]
    struct File {
        bot: Vec<Bot>,
    }
    let File { bot: mut bots } = toml::from_str(include_str!("../../../local/demo.toml")).unwrap();
    let mut bot = bots.remove(0);
    bot.gateway.url = GATEWAY_URL.to_owned();
    bot
}

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn down() -> Model {
    let error = json!({"error": {"code": 503, "message": "Service unavailable"}});
    Model::Http(503, error)
}

/// How many metrics CloudWatch would make of these lines: one for each name and words of its dimensions.
fn series(lines: &[Value]) -> u64 {
    let mut all = BTreeSet::new();
    for line in lines {
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            for set in directive["Dimensions"].as_array().unwrap() {
                let names = set.as_array().unwrap().iter();
                let words: Vec<_> = names
                    .map(|name| line[name.as_str().unwrap()].to_string())
                    .collect();
                for metric in directive["Metrics"].as_array().unwrap() {
                    all.insert((metric["Name"].to_string(), words.clone()));
                }
            }
        }
    }
    all.len() as u64
}

impl Bench {
    /// A world that has just started.
    pub async fn new() -> Self {
        let lines = Lines::default();
        // As `telemetry::init_json` writes them, at the level of a deployment.
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_target(false)
            .with_current_span(false)
            .with_writer(lines.clone())
            .finish()
            .with(clivy::telemetry::filter("info"));
        let logging = tracing::subscriber::set_default(subscriber);
        let (world, meter) = TestWorld::metered(&[demo_bot()]).await;
        world.outside.model_follows(|_| {
            let says = Model::Says(ANSWER.to_owned());
            Some(Model::Slow(Duration::from_millis(1_500), Box::new(says)))
        });
        world.start();
        Self {
            world,
            meter,
            lines,
            mids: Mutex::default(),
            _logging: logging,
        }
    }

    /// A customer writes now.
    async fn write(&self, phone: &str) {
        let number = {
            let mut mids = self.mids.lock().unwrap();
            *mids += 1;
            *mids
        };
        // As long as WhatsApp's own ids, and never the same words twice.
        let mid = format!("3EB0C767D097B7C{number:05}");
        let text = format!("{QUESTION} {number:05}");
        self.post(bubble("demo", phone, &mid, 0, &text)).await;
    }

    async fn post(&self, body: Value) {
        let body = written_at(body, self.world.world.clock.now());
        let (status, _) = ROLE.scope(Role::Webhook, self.world.post(&body)).await;
        assert_eq!(status, 200);
    }

    /// So many questions of one bubble, each answered, and a long silence.
    pub async fn grow(&self, bursts: usize) {
        for _ in 0..bursts {
            self.write(RINA).await;
            self.world.settle().await;
            sleep(LONG).await;
        }
    }

    fn mark(&self) -> Mark {
        Mark {
            requests: self.meter.mark(),
            asked: self.world.outside.asked().len(),
            calls: self.calls(),
            log: self.lines.0.lock().unwrap().len(),
            metrics: self.world.world.metrics.lines().len(),
        }
    }

    fn calls(&self) -> usize {
        self.world.outside.sends().len() + self.world.outside.others().len()
    }

    fn since(&self, mark: &Mark) -> Figures {
        let log = self.lines.0.lock().unwrap().split_off(mark.log);
        let metrics = self.world.measured().split_off(mark.metrics);
        let lines = self.world.world.metrics.lines().split_off(mark.metrics);
        let asked = self.world.outside.asked().split_off(mark.asked);
        let told = |name: &'static str| -> Vec<f64> {
            let values = metrics.iter().filter_map(|line| line[name].as_f64());
            values.collect()
        };
        let sum = |name| told(name).iter().sum::<f64>() as u64;
        let characters = |body: &Value| -> u64 {
            let messages = body["messages"].as_array().unwrap().iter();
            let texts = messages.map(|message| message["content"].as_str().unwrap());
            texts
                .map(|text| text.chars().count().div_ceil(4) as u64)
                .sum()
        };
        Figures {
            invocations: told("worker_records_total").len() as u64,
            records: sum("worker_records_total"),
            records_again: sum("worker_records_again_total"),
            model_calls: asked.len() as u64,
            model_bytes: asked.iter().map(|body| body.to_string().len() as u64).sum(),
            prompt_tokens: asked.iter().map(characters).sum(),
            gateway_calls: (self.calls() - mark.calls) as u64,
            log_lines: log.iter().filter(|byte| **byte == b'\n').count() as u64,
            log_bytes: log.len() as u64,
            metric_lines: lines.len() as u64,
            metric_bytes: lines.iter().map(|line| line.len() as u64 + 1).sum(),
            metric_series: series(&metrics),
            ..Figures::of(&self.meter.since(mark.requests))
        }
    }

    /// A burst of so many bubbles, from the first one to the answer. With `warm` another customer has just been answered,
    /// so that the settings are at hand; else nobody has for a while.
    async fn burst(&self, bubbles: usize, warm: bool) -> Figures {
        if warm {
            self.write(OTHER).await;
            self.world.settle().await;
        }
        let mark = self.mark();
        let stored = self.stored().await;
        for _ in 0..bubbles {
            self.write(RINA).await;
            tokio::time::sleep(Duration::from_millis(900)).await;
        }
        self.world.settle().await;
        let mut figures = self.since(&mark);
        figures.stored_bytes = self.stored().await - stored;
        sleep(LONG).await;
        figures
    }

    /// What the table and its indexes hold, in bytes as AWS bills them: 100 more for each item and each entry.
    async fn stored(&self) -> i64 {
        let all = self
            .world
            .dynamodb("Scan", json!({"TableName": "clivy"}))
            .await;
        assert_eq!(all["LastEvaluatedKey"], Value::Null, "one page");
        self.meter.stored_bytes(all["Items"].as_array().unwrap())
    }

    /// The webhook's part of the first bubble of a burst and of the second, and the worker's part of the first one's
    /// trigger, which the second has superseded.
    async fn parts(&self) -> [Figures; 3] {
        self.write(OTHER).await;
        self.world.settle().await;
        let mark = self.mark();
        self.write(RINA).await;
        let first = self.since(&mark);
        sleep(1).await;
        let mark = self.mark();
        self.write(RINA).await;
        let second = self.since(&mark);
        let mark = self.mark();
        // The first trigger fires 3 s after the first bubble, the second one a second later.
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        let superseded = self.since(&mark);
        self.world.settle().await;
        sleep(LONG).await;
        [first, second, superseded]
    }

    /// A bubble that comes again: the gateway got no answer the first time.
    pub async fn duplicate(&self) -> Figures {
        let body = bubble("demo", RINA, "3EB0C767D097B7C99999", 0, QUESTION);
        let body = written_at(body, self.world.world.clock.now());
        self.world.post(&body).await;
        self.world.settle().await;
        let mark = self.mark();
        let (status, answer) = ROLE.scope(Role::Webhook, self.world.post(&body)).await;
        assert_eq!((status, &answer["status"]), (200, &json!("duplicate")));
        let figures = self.since(&mark);
        self.world.settle().await;
        sleep(LONG).await;
        figures
    }

    /// What the gateway posts besides messages: here that somebody has read one.
    async fn ignored(&self) -> Figures {
        self.write(OTHER).await;
        self.world.settle().await;
        let mut body = bubble("demo", RINA, "X", 0, "");
        body["type"] = json!("ReadReceipt");
        let mark = self.mark();
        self.post(body).await;
        let figures = self.since(&mark);
        sleep(LONG).await;
        figures
    }

    /// A burst of one bubble whose first try fails.
    async fn retry(&self) -> Figures {
        self.world.outside.model_does([down()]);
        self.burst(1, false).await
    }

    /// A burst of one bubble whose three tries fail: the fallback text, and a dead letter.
    pub async fn fall_back(&self) -> Figures {
        self.world.outside.model_does([down(), down(), down()]);
        self.burst(1, false).await
    }

    /// A run of the sweeper with nothing to do.
    async fn sweep(&self) -> Figures {
        let mark = self.mark();
        let deadline = self.world.world.clock.now().plus_ms(50_000);
        let sweep = self.world.world.sweeper.sweep(deadline);
        ROLE.scope(Role::Sweeper, sweep).await.unwrap();
        self.since(&mark)
    }

    /// An hourly run of the credits.
    async fn credits(&self) -> Figures {
        let mark = self.mark();
        self.world.check_credits().await.unwrap().unwrap();
        self.since(&mark)
    }

    /// One look of a page of the inbox that shows the list: nothing is new.
    async fn look(&self) -> Figures {
        let (key, _) = self.world.key("demo", KeyRole::Agent).await;
        let api = self.world.api_with(key.expose());
        let path = "/api/bots/demo/conversations";
        let first = ROLE.scope(Role::Inbox, api.get(path)).await;
        let tag = first.headers["etag"].to_str().unwrap().to_owned();
        let mark = self.mark();
        let headers = [("if-none-match", tag.as_str())];
        let look = api.send("GET", path, None, &headers);
        let reply = ROLE.scope(Role::Inbox, look).await;
        assert_eq!(reply.status.as_u16(), 304);
        self.since(&mark)
    }
}

/// All of them, in the order of a message's way.
pub async fn all() -> Vec<(&'static str, Figures)> {
    let bench = Bench::new().await;
    bench.write(OTHER).await;
    let mark = bench.mark();
    bench.write(RINA).await;
    let new_contact = bench.since(&mark);
    bench.world.settle().await;
    sleep(LONG).await;
    bench.grow(19).await;
    let [accepted, joining, superseded] = bench.parts().await;
    vec![
        ("message_of_a_new_contact", new_contact),
        ("accepted_message", accepted),
        ("joining_message", joining),
        ("duplicate_message", bench.duplicate().await),
        ("ignored_event", bench.ignored().await),
        ("superseded_trigger", superseded),
        ("burst_of_1", bench.burst(1, true).await),
        ("burst_of_3", bench.burst(3, true).await),
        ("burst_of_1_after_a_silence", bench.burst(1, false).await),
        ("burst_of_3_after_a_silence", bench.burst(3, false).await),
        ("burst_of_1_with_a_retry", bench.retry().await),
        ("burst_of_1_with_the_fallback", bench.fall_back().await),
        ("sweep_with_nothing_to_do", bench.sweep().await),
        ("credits_run", bench.credits().await),
        ("look_of_an_inbox_page", bench.look().await),
    ]
}
