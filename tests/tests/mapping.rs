//! The event source mapping, on a paused clock: no test here waits.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test ends at the first surprise"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use local::mapping::{Invoke, InvokeError, Mapping};
use local::sqs::{PeekState, QueueSettings, Redrive, Sqs};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

type Outcome = Result<SqsBatchResponse, InvokeError>;

/// A function made of a closure, which tells each batch that it gets.
struct Function<F> {
    run: F,
    seen: mpsc::UnboundedSender<Vec<SqsMessage>>,
}

impl<F> Invoke for Function<F>
where
    F: Fn(SqsEvent) -> BoxFuture<'static, Outcome> + Send + Sync,
{
    fn invoke(&self, event: SqsEvent) -> BoxFuture<'_, Outcome> {
        self.seen.send(event.records.clone()).unwrap();
        (self.run)(event)
    }
}

struct World {
    sqs: Sqs,
    batches: mpsc::UnboundedReceiver<Vec<SqsMessage>>,
    stop: Option<oneshot::Sender<()>>,
    mapping: JoinHandle<()>,
}

/// How the mapping of a test is set.
struct Setting {
    batch_size: usize,
    batch_window: Duration,
    max_concurrency: usize,
}

const PLAIN: Setting = Setting {
    batch_size: 10,
    batch_window: Duration::ZERO,
    max_concurrency: 10,
};

/// `main` hides a received message for 30 s and gives it up after three receives.
fn queues() -> Sqs {
    let started = Instant::now();
    let clock = move || 1_700_000_000_000 + i64::try_from(started.elapsed().as_millis()).unwrap();
    let sqs = Sqs::new("http://127.0.0.1:1", Arc::new(clock));
    sqs.create_queue("dead", QueueSettings::default());
    let redrive = Some(Redrive {
        dead_letter_queue: "dead".to_owned(),
        max_receive_count: 3,
    });
    sqs.create_queue(
        "main",
        QueueSettings {
            redrive,
            ..QueueSettings::default()
        },
    );
    sqs
}

#[expect(
    clippy::disallowed_methods,
    reason = "the mapping runs beside the test, as it runs beside the program"
)]
fn start<F>(sqs: &Sqs, setting: &Setting, run: F) -> World
where
    F: Fn(SqsEvent) -> BoxFuture<'static, Outcome> + Send + Sync + 'static,
{
    let (seen, batches) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let mapping = Mapping {
        sqs: sqs.clone(),
        queue: "main".to_owned(),
        batch_size: setting.batch_size,
        batch_window: setting.batch_window,
        max_concurrency: setting.max_concurrency,
        invoke: Arc::new(Function { run, seen }),
    };
    let mapping = tokio::spawn(mapping.run(stopped.map(|_| ())));
    World {
        sqs: sqs.clone(),
        batches,
        stop: Some(stop),
        mapping,
    }
}

impl World {
    /// The bodies of the next batch.
    async fn batch(&mut self) -> Vec<String> {
        let batch = timeout(Duration::from_secs(3_600), self.batches.recv()).await;
        let batch = batch
            .expect("no batch in an hour")
            .expect("the mapping is gone");
        batch
            .into_iter()
            .map(|record| record.body.unwrap())
            .collect()
    }

    async fn no_batch_for(&mut self, time: Duration) {
        let batch = timeout(time, self.batches.recv()).await;
        assert!(
            batch.is_err(),
            "a batch of {} came",
            batch.unwrap().unwrap().len()
        );
    }

    async fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        timeout(Duration::from_secs(3_600), &mut self.mapping)
            .await
            .expect("it does not stop")
            .unwrap();
    }

    /// Visible, in flight, delayed.
    fn counts(&self, queue: &str) -> (usize, usize, usize) {
        let stats = self.sqs.stats(queue).unwrap();
        (stats.visible, stats.in_flight, stats.delayed)
    }
}

async fn send_with(sqs: &Sqs, mut request: serde_json::Value) {
    request["QueueUrl"] = sqs.queue_url("main").into();
    let answer = sqs
        .call("SendMessage", request.to_string().as_bytes())
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn send(sqs: &Sqs, body: &str) {
    send_with(sqs, serde_json::json!({ "MessageBody": body })).await;
}

async fn send_numbered(sqs: &Sqs, count: usize) {
    for number in 0..count {
        send(sqs, &number.to_string()).await;
    }
}

fn done() -> BoxFuture<'static, Outcome> {
    async { Ok(SqsBatchResponse::default()) }.boxed()
}

/// Fails the records that `fails` says.
fn failing(event: &SqsEvent, fails: impl Fn(&str) -> bool) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for record in &event.records {
        if fails(record.body.as_deref().unwrap()) {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = record.message_id.clone().unwrap();
            response.batch_item_failures.push(failure);
        }
    }
    response
}

#[tokio::test(start_paused = true)]
async fn a_record_carries_what_lambda_gives_a_function() {
    let sqs = queues();
    let mut world = start(&sqs, &PLAIN, |_| done());
    let request = serde_json::json!({
        "MessageBody": "hello",
        "MessageGroupId": "demo",
        "MessageAttributes": {
            "kind": { "DataType": "String", "StringValue": "test" },
            "raw": { "DataType": "Binary", "BinaryValue": "AAH/" },
        },
    });
    send_with(&sqs, request).await;
    let record = world.batches.recv().await.unwrap().remove(0);
    assert_eq!(record.message_id.as_ref().map(String::len), Some(36));
    assert!(
        record
            .receipt_handle
            .is_some_and(|handle| !handle.is_empty())
    );
    assert_eq!(record.body.as_deref(), Some("hello"));
    assert_eq!(
        record.md5_of_body.as_deref(),
        Some("5d41402abc4b2a76b9719d911017c592")
    );
    assert_eq!(
        record.md5_of_message_attributes.map(|md5| md5.len()),
        Some(32)
    );
    assert_eq!(record.attributes["ApproximateReceiveCount"], "1");
    assert_eq!(record.attributes["SentTimestamp"], "1700000000000");
    assert_eq!(
        record.attributes["ApproximateFirstReceiveTimestamp"],
        "1700000000000"
    );
    assert_eq!(record.attributes["MessageGroupId"], "demo");
    assert_eq!(
        record.message_attributes["kind"].string_value.as_deref(),
        Some("test")
    );
    assert_eq!(
        record.message_attributes["raw"]
            .binary_value
            .as_ref()
            .unwrap()
            .0,
        [0, 1, 255]
    );
    assert_eq!(record.event_source.as_deref(), Some("aws:sqs"));
    assert_eq!(
        record.event_source_arn.as_deref(),
        Some("arn:aws:sqs:us-east-1:000000000000:main")
    );
    assert_eq!(record.aws_region.as_deref(), Some("us-east-1"));
}

#[tokio::test(start_paused = true)]
async fn what_succeeded_is_deleted_and_what_failed_returns_after_its_visibility_timeout() {
    let sqs = queues();
    send_numbered(&sqs, 4).await;
    let started = Instant::now();
    let mut world = start(&sqs, &PLAIN, |event| {
        async move {
            let first = event.records[0].attributes["ApproximateReceiveCount"] == "1";
            Ok(failing(&event, |body| first && body == "2"))
        }
        .boxed()
    });
    assert_eq!(world.batch().await, ["0", "1", "2", "3"]);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(
        world.counts("main"),
        (0, 1, 0),
        "only the failed one is left, hidden"
    );
    assert_eq!(world.batch().await, ["2"]);
    assert_eq!(started.elapsed().as_secs(), 30);
    world.stop().await;
    assert_eq!(world.counts("main"), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_identifier_fails_the_whole_batch() {
    for identifier in ["nobody", ""] {
        let sqs = queues();
        send_numbered(&sqs, 3).await;
        let mut world = start(&sqs, &PLAIN, move |_| {
            async move {
                let mut response = SqsBatchResponse::default();
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = identifier.to_owned();
                response.batch_item_failures.push(failure);
                Ok(response)
            }
            .boxed()
        });
        world.batch().await;
        world.stop().await;
        assert_eq!(world.counts("main"), (0, 3, 0), "identifier {identifier:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_fails_the_whole_batch_and_a_later_success_ends_it() {
    let sqs = queues();
    send_numbered(&sqs, 3).await;
    let mut world = start(&sqs, &PLAIN, |event| {
        async move {
            match event.records[0].attributes["ApproximateReceiveCount"].as_str() {
                "1" => Err(InvokeError::TimedOut {
                    after: Duration::from_secs(1),
                }),
                _ => Ok(SqsBatchResponse::default()),
            }
        }
        .boxed()
    });
    assert_eq!(world.batch().await.len(), 3);
    assert_eq!(world.batch().await.len(), 3);
    world.stop().await;
    assert_eq!(world.counts("main"), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_its_own_invocation_and_frees_its_place() {
    let sqs = queues();
    let setting = Setting {
        batch_size: 1,
        max_concurrency: 1,
        ..PLAIN
    };
    let mut world = start(&sqs, &setting, |event| {
        assert_ne!(event.records[0].body.as_deref(), Some("panic at once"));
        async move {
            assert_ne!(event.records[0].body.as_deref(), Some("panic later"));
            Ok(SqsBatchResponse::default())
        }
        .boxed()
    });
    for body in ["panic at once", "panic later", "good"] {
        send(&sqs, body).await;
        assert_eq!(world.batch().await, [body]);
    }
    world.stop().await;
    assert_eq!(world.counts("main"), (0, 2, 0), "the panicked two stay");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_always_fails_is_tried_max_receive_count_times_and_then_in_the_dead_letter_queue()
 {
    let sqs = queues();
    send_numbered(&sqs, 10).await;
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let mut world = start(&sqs, &PLAIN, move |event| {
        let response = failing(&event, |body| body == "5");
        counted.fetch_add(response.batch_item_failures.len(), Ordering::SeqCst);
        async { Ok(response) }.boxed()
    });
    assert_eq!(
        world.batch().await.len(),
        10,
        "I10: it does not block its batch"
    );
    sleep(Duration::from_secs(300)).await;
    assert_eq!(tries.load(Ordering::SeqCst), 3);
    assert_eq!(world.counts("main"), (0, 0, 0));
    let dead = world.sqs.peek("dead");
    assert_eq!(dead.len(), 1);
    assert_eq!(
        (dead[0].body.as_str(), dead[0].state),
        ("5", PeekState::Visible)
    );
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn at_most_max_concurrency_invocations_run_and_no_record_waits_in_flight_for_a_place() {
    let sqs = queues();
    send_numbered(&sqs, 20).await;
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let setting = Setting {
        batch_size: 2,
        max_concurrency: 3,
        ..PLAIN
    };
    let (inside, highest) = (Arc::clone(&running), Arc::clone(&most));
    let mut world = start(&sqs, &setting, move |_| {
        let (inside, highest) = (Arc::clone(&inside), Arc::clone(&highest));
        async move {
            let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
            highest.fetch_max(now, Ordering::SeqCst);
            sleep(Duration::from_secs(10)).await;
            inside.fetch_sub(1, Ordering::SeqCst);
            Ok(SqsBatchResponse::default())
        }
        .boxed()
    });
    sleep(Duration::from_secs(1)).await;
    assert_eq!(
        world.counts("main"),
        (14, 6, 0),
        "three batches of two are out, the others are not"
    );
    sleep(Duration::from_secs(60)).await;
    assert_eq!(most.load(Ordering::SeqCst), 3);
    world.stop().await;
    assert_eq!(world.counts("main"), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_batch_waits_for_more_until_its_window_ends() {
    let sqs = queues();
    let setting = Setting {
        batch_window: Duration::from_secs(2),
        ..PLAIN
    };
    let mut world = start(&sqs, &setting, |_| done());
    sleep(Duration::from_secs(100)).await;
    let started = Instant::now();
    send(&sqs, "first").await;
    sleep(Duration::from_millis(1_900)).await;
    send(&sqs, "second").await;
    assert_eq!(world.batch().await, ["first", "second"]);
    let waited = started.elapsed();
    assert!((2_000..2_010).contains(&waited.as_millis()), "{waited:?}");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_does_not_wait_for_its_window() {
    let sqs = queues();
    let setting = Setting {
        batch_size: 25,
        batch_window: Duration::from_secs(20),
        ..PLAIN
    };
    let mut world = start(&sqs, &setting, |_| done());
    let started = Instant::now();
    send_numbered(&sqs, 30).await;
    assert_eq!(world.batch().await.len(), 25);
    assert!(
        started.elapsed() < Duration::from_millis(10),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(
        world.batch().await.len(),
        5,
        "the rest when its window ends"
    );
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_delayed_message_is_invoked_when_it_is_due() {
    let sqs = queues();
    let mut world = start(&sqs, &PLAIN, |_| done());
    sleep(Duration::from_secs(7_200)).await;
    let started = Instant::now();
    send_with(
        &sqs,
        serde_json::json!({ "MessageBody": "later", "DelaySeconds": 3 }),
    )
    .await;
    assert_eq!(world.batch().await, ["later"]);
    let waited = started.elapsed();
    assert!((3_000..3_005).contains(&waited.as_millis()), "{waited:?}");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_what_is_in_flight_and_takes_nothing_new() {
    let sqs = queues();
    send(&sqs, "running").await;
    let mut world = start(&sqs, &PLAIN, |_| {
        async {
            sleep(Duration::from_secs(20)).await;
            Ok(SqsBatchResponse::default())
        }
        .boxed()
    });
    assert_eq!(world.batch().await, ["running"]);
    let started = Instant::now();
    let stop = world.stop.take().unwrap();
    stop.send(()).unwrap();
    sleep(Duration::from_secs(1)).await;
    send(&sqs, "too late").await;
    (&mut world.mapping).await.unwrap();
    assert_eq!(started.elapsed().as_secs(), 20);
    assert_eq!(
        world.counts("main"),
        (1, 0, 0),
        "the running one is deleted, the late one untouched"
    );
    assert_eq!(world.sqs.peek("main")[0].receive_count, 0);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_inside_a_window_invokes_with_what_is_received() {
    let sqs = queues();
    let setting = Setting {
        batch_window: Duration::from_secs(60),
        ..PLAIN
    };
    let mut world = start(&sqs, &setting, |_| done());
    send(&sqs, "received").await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.counts("main"), (0, 1, 0));
    let started = Instant::now();
    world.stop().await;
    assert!(started.elapsed() < Duration::from_millis(10));
    assert_eq!(world.batch().await, ["received"]);
    assert_eq!(world.counts("main"), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_idle_mapping_stops_at_once() {
    let sqs = queues();
    let mut world = start(&sqs, &PLAIN, |_| done());
    world.no_batch_for(Duration::from_secs(100)).await;
    let started = Instant::now();
    world.stop().await;
    assert!(started.elapsed() < Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_dies_loses_no_record() {
    let sqs = queues();
    send(&sqs, "survivor").await;
    let mut dying = start(&sqs, &PLAIN, |_| std::future::pending().boxed());
    assert_eq!(dying.batch().await, ["survivor"]);
    dying.mapping.abort();
    let mut next = start(&sqs, &PLAIN, |_| done());
    next.no_batch_for(Duration::from_secs(29)).await;
    assert_eq!(next.batch().await, ["survivor"]);
    next.stop().await;
    assert_eq!(next.counts("main"), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_mapping_finds_a_queue_that_is_made_after_it() {
    let sqs = Sqs::new("http://127.0.0.1:1", Arc::new(|| 0));
    let mut world = start(&sqs, &PLAIN, |_| done());
    sleep(Duration::from_secs(60)).await;
    sqs.create_queue("main", QueueSettings::default());
    send(&sqs, "hello").await;
    assert_eq!(world.batch().await, ["hello"]);
    world.stop().await;
}

/// On the real clock and one core: 0.3 s in a debug build when written; the bound leaves room for other work on the cores.
#[tokio::test]
async fn more_than_a_thousand_records_a_second_pass_on_one_core() {
    const RECORDS: usize = 5_000;
    let sqs = queues();
    let started = Instant::now();
    let mut world = start(&sqs, &PLAIN, |_| done());
    let mut passed = 0;
    let pass = async {
        while passed < RECORDS {
            passed += world.batch().await.len();
        }
    };
    let all = async { tokio::join!(send_numbered(&sqs, RECORDS), pass) };
    // This test's clock is real: a record that is lost must not keep it for the hour that `batch` allows.
    timeout(Duration::from_secs(30), all)
        .await
        .expect("not all passed");
    world.stop().await;
    let took = started.elapsed();
    println!("{RECORDS} records in {took:?}");
    assert_eq!(world.counts("main"), (0, 0, 0));
    assert!(
        took < Duration::from_secs(5),
        "{RECORDS} records took {took:?}"
    );
}
