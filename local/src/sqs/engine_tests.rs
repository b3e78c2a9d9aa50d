//! The rules between queues, without a clock.

use super::*;
use crate::sqs::moves::MoveStatus;
use crate::sqs::settings::Redrive;

fn at(seconds: i64) -> Moment {
    Moment {
        at: At(seconds * 1_000_000),
        wall_ms: 1_700_000_000_000 + seconds * 1_000,
    }
}

/// `main` gives up to `dead` after two receives.
fn engine() -> Engine {
    let mut engine = Engine::new();
    let redrive = Some(Redrive {
        dead_letter_queue: "dead".to_owned(),
        max_receive_count: 2,
    });
    engine.put_queue("dead", QueueSettings::default(), at(0));
    engine.put_queue(
        "main",
        QueueSettings {
            redrive,
            ..QueueSettings::default()
        },
        at(0),
    );
    engine
}

fn send(engine: &mut Engine, queue: &str, body: &str, now: Moment) -> String {
    let outgoing = Outgoing {
        body: body.to_owned(),
        delay_seconds: None,
        attributes: Default::default(),
        trace_header: None,
        group_id: Some("demo".to_owned()),
    };
    engine.send(queue, outgoing, now).unwrap()
}

fn receive(engine: &mut Engine, queue: &str, seconds: i64) -> Vec<Message> {
    engine.advance(at(seconds));
    engine.receive(queue, 10, Some(1), at(seconds)).unwrap()
}

/// A message that `main` gave up, in `dead`, untouched there; the time is 20 s.
fn with_dead_letters(count: usize) -> Engine {
    let mut engine = engine();
    for number in 0..count {
        send(&mut engine, "main", &format!("body {number}"), at(0));
    }
    for seconds in [1, 10, 20] {
        receive(&mut engine, "main", seconds);
    }
    assert_eq!(engine.queue("dead").unwrap().counts().visible, count);
    engine
}

#[test]
fn a_message_is_received_max_receive_count_times_and_the_next_receive_moves_it() {
    let mut engine = engine();
    let id = send(&mut engine, "main", "poison", at(0));
    assert_eq!(receive(&mut engine, "main", 1).len(), 1);
    assert_eq!(receive(&mut engine, "main", 10).len(), 1);
    assert_eq!(receive(&mut engine, "main", 20).len(), 0);
    let dead = receive(&mut engine, "dead", 20).remove(0);
    assert_eq!(
        (dead.id, dead.sent_ms),
        (id, at(0).wall_ms),
        "id and sent time are kept"
    );
    assert_eq!(dead.receive_count, 3, "counted over all queues");
    assert_eq!(dead.dead_letter_source.as_deref(), Some("main"));
    assert_eq!(dead.group_id.as_deref(), Some("demo"));
}

#[test]
fn an_exhausted_message_does_not_hold_up_the_one_behind_it() {
    let mut engine = engine();
    send(&mut engine, "main", "poison", at(0));
    receive(&mut engine, "main", 1);
    receive(&mut engine, "main", 10);
    send(&mut engine, "main", "good", at(15));
    let bodies: Vec<String> = receive(&mut engine, "main", 20)
        .into_iter()
        .map(|m| m.body)
        .collect();
    assert_eq!(bodies, ["good"]);
}

#[test]
fn without_the_dead_letter_queue_the_message_stays() {
    let mut engine = engine();
    send(&mut engine, "main", "poison", at(0));
    engine.delete_queue("dead").unwrap();
    for seconds in [1, 10, 20, 30] {
        assert_eq!(receive(&mut engine, "main", seconds).len(), 1);
    }
}

#[test]
fn retention_counts_from_the_first_send_also_in_the_dead_letter_queue() {
    let mut engine = with_dead_letters(1);
    let retention = i64::from(QueueSettings::default().retention_seconds);
    engine.advance(at(retention - 1));
    assert_eq!(engine.queue("dead").unwrap().counts().visible, 1);
    engine.advance(at(retention));
    assert_eq!(engine.queue("dead").unwrap().counts().visible, 0);
}

#[test]
fn a_redriven_message_is_a_new_one_in_the_queue_that_gave_it_up() {
    let mut engine = with_dead_letters(1);
    let old_id = engine
        .queue("dead")
        .unwrap()
        .messages()
        .next()
        .unwrap()
        .id
        .clone();
    engine.start_move("dead", None, None, at(100)).unwrap();
    let back = receive(&mut engine, "main", 100).remove(0);
    assert_ne!(back.id, old_id);
    assert_eq!((back.sent_ms, back.receive_count), (at(100).wall_ms, 1));
    assert_eq!(
        (back.dead_letter_source.as_deref(), back.body.as_str()),
        (None, "body 0")
    );
    assert_eq!(
        engine.moves_of("dead").unwrap().next().unwrap().status,
        MoveStatus::Completed
    );
}

#[test]
fn a_message_sent_to_the_dead_letter_queue_directly_has_no_way_back_but_a_named_one() {
    let mut engine = with_dead_letters(0);
    send(&mut engine, "dead", "direct", at(20));
    engine.start_move("dead", None, None, at(30)).unwrap();
    let failed = engine.moves_of("dead").unwrap().next().unwrap().status;
    assert_eq!(
        failed,
        MoveStatus::Failed {
            reason: "CouldNotDetermineMessageSource"
        }
    );
    assert_eq!(
        engine.queue("dead").unwrap().counts().visible,
        1,
        "it stays"
    );
    engine
        .start_move("dead", Some("main"), None, at(31))
        .unwrap();
    assert_eq!(receive(&mut engine, "main", 31).len(), 1);
}

#[test]
fn a_rated_task_moves_as_time_passes_and_can_be_cancelled() {
    let mut engine = with_dead_letters(5);
    let handle = engine.start_move("dead", None, Some(2), at(100)).unwrap();
    let visible = |engine: &Engine| engine.queue("main").unwrap().counts().visible;
    assert_eq!(visible(&engine), 1, "one at once");
    assert_eq!(engine.next_move(), Some(At(at(100).at.0 + 500_000)));
    assert!(
        engine.start_move("dead", None, None, at(100)).is_err(),
        "one task at a time"
    );
    engine.advance(at(101));
    assert_eq!(visible(&engine), 3);
    assert_eq!(engine.cancel_move(&handle), Ok(3));
    assert_eq!(engine.next_move(), None);
    engine.advance(at(200));
    assert_eq!(visible(&engine), 3);
    assert_eq!(
        engine.cancel_move(&handle).unwrap_err().refusal,
        Refusal::ResourceNotFound
    );
}

#[test]
fn only_a_dead_letter_queue_can_be_redriven() {
    let mut engine = engine();
    let refused = engine.start_move("main", None, None, at(0)).unwrap_err();
    assert_eq!(refused.refusal, Refusal::InvalidParameterValue);
    let refused = engine.start_move("nowhere", None, None, at(0)).unwrap_err();
    assert_eq!(refused.refusal, Refusal::ResourceNotFound);
    let refused = engine
        .start_move("dead", Some("nowhere"), None, at(0))
        .unwrap_err();
    assert_eq!(refused.refusal, Refusal::ResourceNotFound);
}

#[test]
fn a_handle_works_only_on_the_queue_it_came_from() {
    let mut engine = engine();
    send(&mut engine, "main", "body", at(0));
    let handle = handle_of("main", &receive(&mut engine, "main", 1)[0]);
    for (queue, handle) in [
        ("dead", handle.as_str()),
        ("main", "nonsense"),
        ("main", ""),
        ("main", "bWFpbg=="),
    ] {
        let refused = engine.delete(queue, handle).unwrap_err();
        assert_eq!(
            refused.refusal,
            Refusal::ReceiptHandleIsInvalid,
            "{queue} {handle}"
        );
    }
    assert_eq!(engine.delete("main", &handle), Ok(()));
    assert_eq!(engine.queue("main").unwrap().messages().count(), 0);
}

#[test]
fn creating_a_queue_again_must_ask_for_what_it_is() {
    let mut engine = engine();
    let delay = |seconds: &str| BTreeMap::from([("DelaySeconds".to_owned(), seconds.to_owned())]);
    engine.create_queue("new", &delay("3"), at(0)).unwrap();
    assert_eq!(engine.create_queue("new", &delay("3"), at(0)), Ok(()));
    assert_eq!(engine.create_queue("new", &BTreeMap::new(), at(0)), Ok(()));
    assert_eq!(
        engine
            .create_queue("new", &delay("4"), at(0))
            .unwrap_err()
            .refusal,
        Refusal::QueueNameExists
    );
}

#[test]
fn ids_are_distinct_version_4_uuids() {
    let mut engine = Engine::new();
    let mut ids: Vec<String> = (0..1_000).map(|_| engine.new_id()).collect();
    for id in &ids {
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 1_000);
}
