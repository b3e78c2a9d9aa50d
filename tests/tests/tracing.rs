//! One trace from the webhook through the queue to the model and the gateway, as X-Ray's daemon is told of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lambda_http::{Context, RequestExt};
use serde_json::{Value, json};
use tests::bubbles::{bot, bubble, post};
use tests::log::Log;
use tests::outside::Model;
use tests::world::TestWorld;

const RINA: &str = "6281100030001";
const BUDI: &str = "6281100030002";
const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
const OTHER: &str = "1-691e9a11-000000000000000000000001";
const PARENT: &str = "53995c3f42cd8ad8";

fn header(root: &str, sampled: &str) -> String {
    format!("Root={root};Parent={PARENT};Sampled={sampled}")
}

/// One test after another: whether a line is logged at all is decided once for all threads, by whoever comes first.
static ONE: Mutex<()> = Mutex::new(());

/// X-Ray's daemon.
struct Daemon(
    UdpSocket,
    #[expect(dead_code, reason = "it is held, not read")] MutexGuard<'static, ()>,
);

impl Daemon {
    fn new() -> Self {
        let alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self(socket, alone)
    }

    /// The datagrams so far, as texts. On loopback a datagram has arrived when it was sent.
    fn datagrams(&self) -> Vec<String> {
        let mut buffer = [0; 65_536];
        std::iter::from_fn(|| {
            let length = self.0.recv(&mut buffer).ok()?;
            Some(std::str::from_utf8(&buffer[..length]).unwrap().to_owned())
        })
        .collect()
    }

    /// The segments so far.
    fn segments(&self) -> Vec<Value> {
        let document = |text: String| {
            let (_, document) = text.split_once('\n').unwrap();
            serde_json::from_str(document).unwrap()
        };
        self.datagrams().into_iter().map(document).collect()
    }

    /// A world whose worker tells this daemon.
    async fn world(&self, tracing: &str) -> TestWorld {
        let address = self.0.local_addr().unwrap().to_string();
        let settings = [
            ("TRACING", tracing),
            ("AWS_XRAY_DAEMON_ADDRESS", address.as_str()),
        ];
        Box::pin(TestWorld::with(&[bot("demo")], &settings)).await
    }
}

/// A customer writes, in a trace if there is one.
async fn says(day: &TestWorld, who: &str, mid: &str, text: &str, header: Option<&str>) {
    let mut context = Context::default();
    context.xray_trace_id = header.map(str::to_owned);
    let request = post(&bubble("demo", who, mid, 0, text)).with_lambda_context(context);
    assert_eq!(day.request(request).await.0, 200);
}

fn names(segment: &Value) -> Vec<&str> {
    let calls = segment["subsegments"].as_array().into_iter().flatten();
    calls.map(|call| call["name"].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_message_its_answer_and_its_sending_are_one_trace() {
    let (daemon, (log, _guard)) = (Daemon::new(), Log::begin());
    let day = daemon.world("Active").await;
    says(
        &day,
        RINA,
        "A",
        "Halo kak, jam buka?",
        Some(&header(ROOT, "1")),
    )
    .await;
    day.start();
    day.settle().await;
    let datagrams = daemon.datagrams();
    let [datagram] = datagrams.as_slice() else {
        panic!("{datagrams:?}")
    };
    let (_, document) = datagram.split_once('\n').unwrap();
    let segment: Value = serde_json::from_str(document).unwrap();
    assert_eq!(
        (&segment["trace_id"], &segment["parent_id"]),
        (&json!(ROOT), &json!(PARENT))
    );
    assert_eq!(names(&segment), ["openrouter", "gateway"]);
    let time = |part: &Value, name: &str| part[name].as_f64().unwrap();
    let mut last = time(&segment, "start_time");
    for call in segment["subsegments"].as_array().unwrap() {
        assert!(call["fault"].is_null());
        for name in ["start_time", "end_time"] {
            assert!(time(call, name) >= last, "{segment}");
            last = time(call, name);
        }
    }
    assert!(time(&segment, "end_time") >= last);
    let model = &segment["subsegments"][0];
    let took = time(model, "end_time") - time(model, "start_time");
    assert!(
        (0.79..0.9).contains(&took),
        "the model takes 0.8 s here: {took}"
    );
    // I11. The bytes of a turn are in docs/OPERATIONS.md.
    for secret in [RINA, "Halo", "Jawaban", "sk-or", "token-demo", "demo"] {
        assert!(!datagram.contains(secret), "{secret} in {datagram}");
    }
    assert!(datagram.len() < 700, "{}", datagram.len());
    // The log's lines of this turn have the trace's id.
    for step in ["trigger_sent", "stored", "claimed", "sent", "committed"] {
        let lines = log.steps(step);
        assert_eq!(lines.len(), 1, "{step}");
        assert!(
            lines[0].contains(&format!("\"trace_id\":\"{ROOT}\"")),
            "{}",
            lines[0]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_sampled_or_switched_off_is_told_to_nobody_and_answered_all_the_same() {
    for (tracing, header, is_in_log) in [
        ("Active", Some(header(ROOT, "0")), true),
        ("Active", None, false),
        ("Active", Some("Root=7;Sampled=1".to_owned()), false),
        ("PassThrough", Some(header(ROOT, "1")), true),
    ] {
        let (daemon, (log, _guard)) = (Daemon::new(), Log::begin());
        let day = daemon.world(tracing).await;
        says(&day, RINA, "A", "Halo", header.as_deref()).await;
        day.start();
        day.settle().await;
        assert_eq!(day.outside.delivered().len(), 1);
        assert_eq!(
            daemon.datagrams(),
            Vec::<String>::new(),
            "{tracing} {header:?}"
        );
        let line = log.steps("committed").remove(0);
        assert_eq!(line.contains(ROOT), is_in_log, "{line}");
        assert_eq!(line.contains("trace_id"), is_in_log, "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn records_of_one_batch_stay_in_their_own_traces() {
    let daemon = Daemon::new();
    let day = daemon.world("Active").await;
    says(&day, RINA, "A", "Halo", Some(&header(ROOT, "1"))).await;
    says(&day, BUDI, "B", "Halo", Some(&header(OTHER, "1"))).await;
    says(&day, "6281100030003", "C", "Halo", None).await;
    day.start();
    day.settle().await;
    let segments = daemon.segments();
    let mut traces: Vec<&str> = segments
        .iter()
        .map(|segment| segment["trace_id"].as_str().unwrap())
        .collect();
    traces.sort_unstable();
    assert_eq!(traces, [ROOT, OTHER]);
    for segment in &segments {
        assert_eq!(names(segment), ["openrouter", "gateway"]);
    }
    // No two segments have one id.
    let parts = segments.iter().flat_map(|segment| {
        let calls = segment["subsegments"].as_array().unwrap().iter();
        calls.chain([segment]).map(|part| part["id"].to_string())
    });
    let ids: std::collections::BTreeSet<String> = parts.collect();
    assert_eq!(ids.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_trace_goes_on_through_retries_dead_letters_and_a_redrive() {
    let daemon = Daemon::new();
    let day = daemon.world("Active").await;
    day.outside
        .model_does([Model::Breaks, Model::Breaks, Model::Breaks]);
    says(&day, RINA, "A", "Halo", Some(&header(ROOT, "1"))).await;
    day.start();
    day.settle().await;
    let failed = daemon.segments();
    let calls: Vec<&str> = failed.iter().flat_map(|segment| names(segment)).collect();
    assert_eq!(calls, ["openrouter", "openrouter", "openrouter", "gateway"]);
    assert_eq!(failed[0]["subsegments"][0]["fault"], true);
    assert_eq!(failed[0]["fault"], true, "the record came again");
    assert!(
        failed.last().unwrap()["fault"].is_null(),
        "the fallback text was sent"
    );

    day.redrive().await;
    day.settle().await;
    let redriven = daemon.segments();
    assert_eq!(names(redriven.last().unwrap()), ["openrouter", "gateway"]);
    for segment in failed.iter().chain(&redriven) {
        assert_eq!(segment["trace_id"], ROOT);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_daemon_customers_are_answered() {
    let daemon = Daemon::new();
    let day = daemon.world("Active").await;
    drop(daemon.0);
    says(&day, RINA, "A", "Halo", Some(&header(ROOT, "1"))).await;
    day.start();
    day.settle().await;
    assert_eq!(day.outside.delivered().len(), 1);
    day.assert_quiet().await;
}
