//! The in-process SQS without a socket: its timing on a paused clock, its observers, its snapshot, and its raw wire.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends at the first surprise"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use local::sqs::{PeekState, QueueSettings, Redrive, SnapshotError, Sqs};
use serde_json::{Value, json};
use tokio::time::{Instant, advance, sleep};

/// A wall clock of 2023 that goes with tokio's.
fn service() -> Sqs {
    let started = Instant::now();
    let clock = move || 1_700_000_000_000 + i64::try_from(started.elapsed().as_millis()).unwrap();
    let sqs = Sqs::new("http://127.0.0.1:1/", Arc::new(clock));
    sqs.create_queue("q", QueueSettings::default());
    sqs
}

async fn call(sqs: &Sqs, operation: &str, mut request: Value) -> Value {
    request["QueueUrl"] = sqs.queue_url("q").into();
    let answer = sqs.call(operation, request.to_string().as_bytes()).await;
    assert_eq!(answer.status, 200, "{operation}: {answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

async fn send(sqs: &Sqs, body: &str, delay_seconds: u32) {
    call(
        sqs,
        "SendMessage",
        json!({ "MessageBody": body, "DelaySeconds": delay_seconds }),
    )
    .await;
}

/// The bodies of a receive that waits up to 20 s.
async fn receive(sqs: &Sqs) -> Vec<String> {
    let received = call(
        sqs,
        "ReceiveMessage",
        json!({ "WaitTimeSeconds": 20, "MaxNumberOfMessages": 10 }),
    )
    .await;
    let messages = received["Messages"].as_array().cloned().unwrap_or_default();
    messages
        .iter()
        .map(|message| message["Body"].as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn assert_took(started: Instant, ms: u128) {
    let took = started.elapsed().as_millis();
    assert!(
        (ms..ms + 3).contains(&took),
        "took {took} ms instead of {ms}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_wakes_to_the_millisecond_when_a_delay_ends() {
    let sqs = service();
    let started = Instant::now();
    send(&sqs, "second", 7).await;
    send(&sqs, "first", 3).await;
    assert_eq!(receive(&sqs).await, ["first"]);
    assert_took(started, 3_000);
    assert_eq!(receive(&sqs).await, ["second"]);
    assert_took(started, 7_000);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_poll_learns_of_a_message_that_is_due_before_the_one_it_waits_for() {
    let sqs = service();
    send(&sqs, "late", 15).await;
    let started = Instant::now();
    let (received, ()) = tokio::join!(receive(&sqs), async {
        sleep(Duration::from_secs(1)).await;
        send(&sqs, "early", 2).await;
    });
    assert_eq!(received, ["early"]);
    assert_took(started, 3_000);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_wakes_when_a_visibility_timeout_ends() {
    let sqs = service();
    send(&sqs, "hello", 0).await;
    let started = Instant::now();
    call(&sqs, "ReceiveMessage", json!({ "VisibilityTimeout": 4 })).await;
    assert_eq!(receive(&sqs).await, ["hello"]);
    assert_took(started, 4_000);
}

#[tokio::test(start_paused = true)]
async fn an_empty_long_poll_ends_after_its_wait() {
    let sqs = service();
    let started = Instant::now();
    assert!(receive(&sqs).await.is_empty());
    assert_took(started, 20_000);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_long_poll_takes_nothing() {
    let sqs = service();
    {
        let poll = receive(&sqs);
        tokio::pin!(poll);
        assert!(poll.as_mut().now_or_never().is_none());
        send(&sqs, "hello", 0).await;
    }
    assert_eq!(sqs.peek("q")[0].receive_count, 0);
    assert_eq!(receive(&sqs).await, ["hello"]);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_on_a_queue_that_is_deleted_ends_with_the_refusal() {
    let sqs = service();
    let request = json!({ "QueueUrl": sqs.queue_url("q"), "WaitTimeSeconds": 20 }).to_string();
    let started = Instant::now();
    let (answer, ()) = tokio::join!(sqs.call("ReceiveMessage", request.as_bytes()), async {
        sleep(Duration::from_secs(1)).await;
        call(&sqs, "DeleteQueue", json!({})).await;
    });
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.error.unwrap().code(),
        "AWS.SimpleQueueService.NonExistentQueue"
    );
    assert_took(started, 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_rated_redrive_wakes_a_long_poll_for_each_message() {
    let sqs = service();
    let redrive = Some(Redrive {
        dead_letter_queue: "q".to_owned(),
        max_receive_count: 1,
    });
    sqs.create_queue(
        "main",
        QueueSettings {
            redrive,
            ..QueueSettings::default()
        },
    );
    for body in ["a", "b", "c"] {
        send(&sqs, body, 0).await;
    }
    let arn = |name: &str| format!("arn:aws:sqs:us-east-1:000000000000:{name}");
    let task = json!({ "SourceArn": arn("q"), "DestinationArn": arn("main"), "MaxNumberOfMessagesPerSecond": 1 });
    call(&sqs, "StartMessageMoveTask", task).await;
    let started = Instant::now();
    for (seconds, body) in [(0, "a"), (1, "b"), (2, "c")] {
        let request =
            json!({ "QueueUrl": sqs.queue_url("main"), "WaitTimeSeconds": 20 }).to_string();
        let answer = sqs.call("ReceiveMessage", request.as_bytes()).await;
        let received: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(received["Messages"][0]["Body"], body);
        assert_took(started, seconds * 1_000);
    }
}

#[tokio::test(start_paused = true)]
async fn what_can_be_seen_follows_the_clock() {
    let sqs = service();
    send(&sqs, "delayed", 3).await;
    advance(Duration::from_secs(1)).await;
    let due_in = Duration::from_secs(2);
    assert_eq!(sqs.stats("q").unwrap().next_due_in, Some(due_in));
    assert_eq!(sqs.peek("q")[0].state, PeekState::Delayed { due_in });
    advance(Duration::from_secs(2)).await;
    assert_eq!(sqs.peek("q")[0].state, PeekState::Visible);
    assert_eq!(sqs.stats("q").unwrap().next_due_in, None);
    receive(&sqs).await;
    let seen = &sqs.peek("q")[0];
    assert_eq!((seen.state, seen.receive_count), (PeekState::InFlight, 1));
    assert_eq!(sqs.stats("nowhere"), None);
    assert!(
        !format!("{seen:?}").contains("delayed"),
        "I11: no body in debug output"
    );
}

#[tokio::test(start_paused = true)]
async fn an_observer_hears_of_every_change_and_of_nothing_else() {
    let sqs = service();
    let heard = sqs.changed();
    send(&sqs, "between taking and awaiting", 3).await;
    assert!(heard.now_or_never().is_some());
    let due = sqs.changed();
    let started = Instant::now();
    due.await;
    assert_took(started, 3_000);
    let quiet = sqs.changed();
    tokio::pin!(quiet);
    let _ = (sqs.stats("q"), sqs.peek("q"), sqs.snapshot());
    assert!(
        quiet.as_mut().now_or_never().is_none(),
        "looking changes nothing"
    );
    receive(&sqs).await;
    assert!(quiet.now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_keeps_what_is_queued_and_delays_go_on_meanwhile() {
    let wall = Arc::new(AtomicI64::new(1_700_000_000_000));
    let clock = |wall: &Arc<AtomicI64>| {
        let wall = Arc::clone(wall);
        Arc::new(move || wall.load(Ordering::SeqCst))
    };
    let before = Sqs::new("http://127.0.0.1:1", clock(&wall));
    before.create_queue(
        "q",
        QueueSettings {
            visibility_timeout_seconds: 900,
            ..QueueSettings::default()
        },
    );
    before.create_queue("dead", QueueSettings::default());
    send(&before, "in flight", 0).await;
    receive(&before).await;
    send(&before, "visible", 0).await;
    send(&before, "due meanwhile", 3).await;
    send(&before, "due later", 10).await;
    let attributed = json!({ "QueueUrl": before.queue_url("dead"), "MessageBody": "dead", "MessageGroupId": "demo",
        "MessageAttributes": { "raw": { "DataType": "Binary", "BinaryValue": "AAH/" } } });
    before
        .call("SendMessage", attributed.to_string().as_bytes())
        .await;
    let kept = serde_json::from_str(&before.snapshot().to_string()).unwrap();

    wall.fetch_add(4_000, Ordering::SeqCst);
    let after = Sqs::new("http://127.0.0.1:2", clock(&wall));
    after.create_queue(
        "q",
        QueueSettings {
            visibility_timeout_seconds: 30,
            ..QueueSettings::default()
        },
    );
    after.restore(&kept).unwrap();
    let states: Vec<(String, PeekState, u32)> = after
        .peek("q")
        .into_iter()
        .map(|peek| (peek.body, peek.state, peek.receive_count))
        .collect();
    let due_in = Duration::from_secs(6);
    assert_eq!(
        states,
        [
            ("in flight".to_owned(), PeekState::Visible, 1),
            ("visible".to_owned(), PeekState::Visible, 0),
            ("due meanwhile".to_owned(), PeekState::Visible, 0),
            ("due later".to_owned(), PeekState::Delayed { due_in }, 0),
        ]
    );
    let request = json!({ "QueueUrl": after.queue_url("dead"), "AttributeNames": ["All"], "MessageAttributeNames": ["All"] });
    let answer = after
        .call("ReceiveMessage", request.to_string().as_bytes())
        .await;
    let dead: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(dead["Messages"][0]["Attributes"]["MessageGroupId"], "demo");
    assert_eq!(
        dead["Messages"][0]["Attributes"]["SentTimestamp"],
        "1700000000000"
    );
    assert_eq!(
        dead["Messages"][0]["MessageAttributes"]["raw"]["BinaryValue"],
        "AAH/"
    );
    receive(&after).await;
    assert_eq!(
        after.stats("q").unwrap().next_due_in,
        Some(due_in),
        "the setting of this run: 30 s, not 900"
    );
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_keeps_its_order_and_a_bad_one_changes_nothing() {
    let sqs = service();
    for body in ["a", "b", "c"] {
        send(&sqs, body, 0).await;
    }
    let next = service();
    next.restore(&sqs.snapshot()).unwrap();
    send(&next, "d", 0).await;
    assert_eq!(receive(&next).await, ["a", "b", "c", "d"]);
    let mut other = sqs.snapshot();
    other["version"] = 99.into();
    assert!(matches!(
        next.restore(&other),
        Err(SnapshotError::OtherVersion { found: 99 })
    ));
    for bad in [Value::Null, json!({}), json!({ "version": 1, "queues": 7 })] {
        assert!(
            matches!(next.restore(&bad), Err(SnapshotError::Unreadable(_))),
            "{bad}"
        );
    }
    assert_eq!(next.peek("q").len(), 4);
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_not_the_operations_are_refused_without_an_echo() {
    let sqs = service();
    let url = sqs.queue_url("q");
    for (operation, body, code) in [
        ("SendMessage", "{".to_owned(), "MalformedInput"),
        ("SendMessage", "[]".to_owned(), "MalformedInput"),
        (
            "SendMessage",
            format!(r#"{{"QueueUrl":"{url}","MessageBody":62811}}"#),
            "MalformedInput",
        ),
        (
            "SendMessage",
            format!(r#"{{"QueueUrl":"{url}","MessageBody":"62811","DelaySeconds":1.5}}"#),
            "MalformedInput",
        ),
        (
            "SendMessage",
            format!(r#"{{"QueueUrl":"{url}","MessageBody":"62811","DelaySeconds":"3"}}"#),
            "MalformedInput",
        ),
        (
            "SendMessage",
            format!(r#"{{"QueueUrl":"{url}"}}"#),
            "MissingParameter",
        ),
        ("SendMessage", String::new(), "MissingParameter"),
        ("ReceiveMessage", "null".to_owned(), "MalformedInput"),
        ("Dance", "{}".to_owned(), "InvalidAction"),
        (
            "TagQueue",
            "{}".to_owned(),
            "AWS.SimpleQueueService.UnsupportedOperation",
        ),
    ] {
        let answer = sqs.call(operation, body.as_bytes()).await;
        let error = answer.error.as_ref().unwrap();
        assert_eq!(error.code(), code, "{operation} {body}");
        assert!(
            !String::from_utf8_lossy(&answer.body).contains("62811"),
            "I11: the value is echoed"
        );
        let headers = answer.headers();
        assert!(headers.contains(&("x-amzn-query-error", format!("{code};Sender"))));
    }
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(sqs.call("SendMessage", nested.as_bytes()).await.status, 400);
    assert_eq!(
        sqs.call("SendMessage", b"{\"QueueUrl\":\"\xff\"}")
            .await
            .status,
        400
    );
    assert!(sqs.peek("q").is_empty());
}
