//! The queue's rules, without a clock.

use super::*;
use crate::sqs::settings::QueueSettings;

fn at(seconds: i64) -> Moment {
    Moment {
        at: At(seconds * 1_000_000),
        wall_ms: seconds * 1_000,
    }
}

fn queue() -> Queue {
    Queue::new(QueueSettings::default().into(), 0)
}

fn message(key: Key, state: State) -> Message {
    Message {
        key,
        id: format!("id-{key}"),
        body: format!("body {key}"),
        attributes: Default::default(),
        trace_header: None,
        group_id: None,
        sent: At(0),
        sent_ms: 0,
        receive_count: 0,
        first_received_ms: None,
        newest_receive: 0,
        dead_letter_source: None,
        state,
    }
}

fn with_visible(keys: std::ops::Range<Key>) -> Queue {
    let mut queue = queue();
    for key in keys {
        queue.insert(message(key, State::Visible));
    }
    queue
}

fn receive(queue: &mut Queue, now: Moment, max: usize, visibility: u32) -> Vec<Message> {
    queue.advance(now.at);
    // Receives are counted over the whole engine; the time stands in for that count here.
    let mut next = u64::try_from(now.at.0).unwrap() + 1_000;
    queue.receive(now, max, visibility, &mut next).unwrap()
}

fn receipt(message: &Message) -> Receipt {
    Receipt {
        key: message.key,
        message_id: message.id.clone(),
        receive: message.newest_receive,
    }
}

#[test]
fn a_delayed_message_is_invisible_until_its_time_and_not_a_microsecond_less() {
    let mut queue = queue();
    queue.insert(message(1, State::Delayed { due: at(3).at }));
    assert_eq!(
        queue.counts(),
        Counts {
            visible: 0,
            in_flight: 0,
            delayed: 1
        }
    );
    queue.advance(At(at(3).at.0 - 1));
    assert_eq!(queue.counts().delayed, 1);
    assert_eq!(receive(&mut queue, at(3), 10, 30).len(), 1);
    assert_eq!(
        queue.counts(),
        Counts {
            visible: 0,
            in_flight: 1,
            delayed: 0
        }
    );
}

#[test]
fn a_received_message_comes_back_after_its_visibility_timeout_with_a_higher_count() {
    let mut queue = with_visible(1..2);
    assert_eq!(receive(&mut queue, at(0), 10, 30)[0].receive_count, 1);
    assert!(receive(&mut queue, at(29), 10, 30).is_empty());
    let again = receive(&mut queue, at(30), 10, 30);
    assert_eq!(
        (again[0].receive_count, again[0].first_received_ms),
        (2, Some(0))
    );
}

#[test]
fn an_older_receives_handle_deletes_nothing_and_the_newest_does() {
    let mut queue = with_visible(1..2);
    let first = receive(&mut queue, at(0), 1, 1).remove(0);
    let second = receive(&mut queue, at(1), 1, 30).remove(0);
    assert!(!queue.delete(&receipt(&first)));
    assert_eq!(queue.counts().in_flight, 1);
    assert!(queue.delete(&receipt(&second)));
    assert!(!queue.delete(&receipt(&second)), "already gone");
    assert_eq!(
        queue.counts(),
        Counts {
            visible: 0,
            in_flight: 0,
            delayed: 0
        }
    );
}

#[test]
fn the_newest_handle_deletes_a_message_that_is_visible_again() {
    let mut queue = with_visible(1..2);
    let first = receive(&mut queue, at(0), 1, 1).remove(0);
    queue.advance(at(5).at);
    assert!(queue.delete(&receipt(&first)));
    assert!(receive(&mut queue, at(6), 1, 1).is_empty());
}

#[test]
fn a_handle_of_another_message_with_the_same_key_is_not_taken() {
    let mut queue = with_visible(1..2);
    let mut stray = receipt(&receive(&mut queue, at(0), 1, 30)[0]);
    stray.message_id = "from another run".to_owned();
    assert!(!queue.delete(&stray));
    assert_eq!(queue.counts().in_flight, 1);
}

#[test]
fn visibility_changes_count_from_now_and_stop_at_twelve_hours_since_the_receive() {
    let mut queue = with_visible(1..2);
    let handle = receipt(&receive(&mut queue, at(0), 1, 30)[0]);
    queue.change_visibility(&handle, 100, at(20).at).unwrap();
    assert_eq!(queue.next_due(), Some(at(120).at));
    queue
        .change_visibility(&handle, 43_100, at(100).at)
        .unwrap();
    let refused = queue
        .change_visibility(&handle, 43_101, at(100).at)
        .unwrap_err();
    assert_eq!(refused.refusal, Refusal::InvalidParameterValue);
    queue.change_visibility(&handle, 0, at(101).at).unwrap();
    assert_eq!(
        queue.counts(),
        Counts {
            visible: 1,
            in_flight: 0,
            delayed: 0
        }
    );
}

#[test]
fn the_visibility_of_a_message_that_is_not_in_flight_cannot_change() {
    let mut queue = with_visible(1..2);
    let handle = receipt(&receive(&mut queue, at(0), 1, 1)[0]);
    queue.advance(at(1).at);
    let refused = queue.change_visibility(&handle, 10, at(1).at).unwrap_err();
    assert_eq!(refused.refusal, Refusal::MessageNotInflight);
    let newer = receive(&mut queue, at(2), 1, 30);
    let refused = queue.change_visibility(&handle, 0, at(2).at).unwrap_err();
    assert_eq!(
        refused.refusal,
        Refusal::InvalidParameterValue,
        "received again since"
    );
    queue.delete(&receipt(&newer[0]));
    let refused = queue
        .change_visibility(&receipt(&newer[0]), 10, at(2).at)
        .unwrap_err();
    assert_eq!(refused.refusal, Refusal::InvalidParameterValue, "deleted");
}

#[test]
fn a_receive_with_visibility_zero_returns_each_message_once_and_leaves_it_visible() {
    let mut queue = with_visible(1..4);
    assert_eq!(receive(&mut queue, at(0), 10, 0).len(), 3);
    assert_eq!(
        queue.counts(),
        Counts {
            visible: 3,
            in_flight: 0,
            delayed: 0
        }
    );
    assert_eq!(receive(&mut queue, at(1), 10, 0)[0].receive_count, 2);
}

#[test]
fn messages_older_than_the_retention_go_whatever_their_state() {
    let mut queue = queue();
    queue.attributes.settings.retention_seconds = 60;
    queue.insert(message(1, State::Visible));
    queue.insert(message(2, State::Delayed { due: at(900).at }));
    queue.insert(message(3, State::Visible));
    receive(&mut queue, at(0), 1, 600);
    assert!(!queue.advance(At(at(60).at.0 - 1)));
    assert!(queue.advance(at(60).at));
    assert_eq!(
        queue.counts(),
        Counts {
            visible: 0,
            in_flight: 0,
            delayed: 0
        }
    );
    assert_eq!(queue.next_due(), None);
}

#[test]
fn exhausted_messages_are_taken_out_and_the_others_keep_their_order() {
    let mut queue = queue();
    for key in 1..=5 {
        let receive_count = if key % 2 == 0 { 3 } else { 0 };
        queue.insert(Message {
            receive_count,
            ..message(key, State::Visible)
        });
    }
    let exhausted: Vec<Key> = queue.take_exhausted(3, 10).iter().map(|m| m.key).collect();
    assert_eq!(exhausted, [2, 4]);
    let left: Vec<Key> = receive(&mut queue, at(0), 10, 30)
        .iter()
        .map(|m| m.key)
        .collect();
    assert_eq!(left, [1, 3, 5]);
}

#[test]
fn the_in_flight_quota_refuses_the_next_receive() {
    let mut queue = queue();
    for key in 0..MAX_IN_FLIGHT as u64 + 1 {
        queue.insert(message(key, State::Visible));
    }
    let mut next = 0;
    queue.receive(at(0), MAX_IN_FLIGHT, 30, &mut next).unwrap();
    let refused = queue.receive(at(0), 1, 30, &mut next).err().unwrap();
    assert_eq!(refused.refusal, Refusal::OverLimit);
}

#[test]
fn a_second_purge_within_a_minute_is_refused() {
    let mut queue = with_visible(1..4);
    receive(&mut queue, at(0), 1, 30);
    queue.purge(at(1).at).unwrap();
    assert_eq!(
        queue.counts(),
        Counts {
            visible: 0,
            in_flight: 0,
            delayed: 0
        }
    );
    assert_eq!(
        queue.purge(at(60).at).unwrap_err().refusal,
        Refusal::PurgeQueueInProgress
    );
    assert!(queue.purge(at(61).at).is_ok());
}
