use std::collections::BTreeSet;

use super::super::head::Claim;
use super::*;

const NOW: EpochMs = EpochMs(1_000_000);
const DEBOUNCE: Debounce = Debounce {
    seconds: 3,
    max_wait_seconds: 15,
    max_messages: 50,
    webhook_timeout_ms: 8_000,
};

fn key(n: u32) -> MessageKey {
    MessageKey::new(format!("M#{n}"))
}

fn keys(ns: &[u32]) -> BTreeSet<MessageKey> {
    ns.iter().map(|n| key(*n)).collect()
}

fn pending(ns: &[u32]) -> Head {
    Head {
        pend: keys(ns),
        pend_since: Some(NOW.plus_ms(-4_000)),
        last_key: ns.last().map(|n| key(*n)),
        last_at: Some(NOW.plus_ms(-3_000)),
        ..Head::default()
    }
}

fn claimed(by: &str, until: EpochMs, ns: &[u32]) -> Head {
    Head {
        claim: Some(Claim {
            fence: Fence(7),
            owner: Owner(by.to_owned()),
            until,
            since: NOW,
            keys: keys(ns),
            draft: None,
        }),
        ..Head::default()
    }
}

fn ask(head: Option<&Head>, own: u32, stored: bool, first_at: EpochMs) -> Decision {
    let key = key(own);
    let owner = Owner("me".to_owned());
    decide(
        &View {
            head,
            own_message_is_stored: stored,
            key: &key,
            first_at,
            owner: &owner,
            now: NOW,
        },
        &DEBOUNCE,
    )
}

#[test]
fn a_trigger_that_overtook_its_message_comes_back_until_the_webhook_must_be_dead() {
    let young = NOW.plus_ms(-3_000);
    let expired = claimed("other", NOW.plus_ms(-1), &[9]);
    for head in [None, Some(&pending(&[9])), Some(&expired)] {
        assert_eq!(
            ask(head, 1, false, young),
            Decision::Rearm {
                delay_seconds: 3,
                why: Later::NotYetStored
            }
        );
        assert_eq!(
            ask(head, 1, false, NOW.plus_ms(-13_001)),
            Decision::Ack(Done::NeverStored)
        );
    }
    assert!(matches!(
        ask(None, 1, false, NOW.plus_ms(-13_000)),
        Decision::Rearm { .. }
    ));
}

#[test]
fn a_webhook_whose_clock_is_ahead_only_makes_the_trigger_come_back() {
    assert!(matches!(
        ask(None, 1, false, NOW.plus_ms(60_000)),
        Decision::Rearm {
            delay_seconds: 3,
            ..
        }
    ));
}

#[test]
fn nothing_pending_is_done() {
    assert_eq!(
        ask(Some(&Head::default()), 1, true, NOW),
        Decision::Ack(Done::NothingPending)
    );
    assert_eq!(ask(None, 1, true, NOW), Decision::Ack(Done::NothingPending));
}

#[test]
fn the_trigger_of_an_older_message_leaves_the_burst_to_the_newest_one() {
    assert_eq!(
        ask(Some(&pending(&[1, 2])), 1, true, NOW),
        Decision::Ack(Done::Superseded)
    );
    // Answered long ago, and others are pending now.
    assert_eq!(
        ask(Some(&pending(&[2, 3])), 1, true, NOW),
        Decision::Ack(Done::Superseded)
    );
}

#[test]
fn a_live_claim_makes_the_trigger_wait_for_the_rest_of_the_lease() {
    assert_eq!(
        ask(
            Some(&claimed("other", NOW.plus_ms(4_200), &[1])),
            1,
            true,
            NOW
        ),
        Decision::Rearm {
            delay_seconds: 6,
            why: Later::Busy
        }
    );
    assert_eq!(
        ask(
            Some(&claimed("other", NOW.plus_ms(170_000), &[1])),
            1,
            true,
            NOW
        ),
        Decision::Rearm {
            delay_seconds: 30,
            why: Later::Busy
        }
    );
    assert_eq!(
        ask(Some(&claimed("other", NOW, &[1])), 1, true, NOW),
        Decision::Rearm {
            delay_seconds: 1,
            why: Later::Busy
        }
    );
}

#[test]
fn an_expired_claim_is_taken_over_whoever_asks() {
    let head = claimed("other", NOW.plus_ms(-1), &[1]);
    for own in [1, 2] {
        assert_eq!(
            ask(Some(&head), own, true, NOW),
            Decision::TakeOver { seen: Fence(7) }
        );
    }
}

#[test]
fn our_own_claim_is_recognised_even_when_it_looks_expired() {
    for until in [NOW.plus_ms(5_000), NOW.plus_ms(-5_000)] {
        assert_eq!(
            ask(Some(&claimed("me", until, &[1])), 1, true, NOW),
            Decision::GoOn
        );
    }
}

#[test]
fn a_pause_and_a_backoff_make_the_burst_wait() {
    let paused = Head {
        paused_until: Some(NOW.plus_ms(2_500)),
        ..pending(&[1])
    };
    assert_eq!(
        ask(Some(&paused), 1, true, NOW),
        Decision::Rearm {
            delay_seconds: 3,
            why: Later::Paused
        }
    );
    let failed = Head {
        retry_at: Some(NOW.plus_ms(2_000_000)),
        ..pending(&[1])
    };
    assert_eq!(
        ask(Some(&failed), 1, true, NOW),
        Decision::Rearm {
            delay_seconds: 900,
            why: Later::Backoff
        }
    );
}

#[test]
fn while_nobody_may_claim_only_the_newest_messages_trigger_comes_back() {
    let held = Head {
        retry_at: Some(NOW.plus_ms(60_000)),
        // Longer than the maximum wait: any of their triggers might claim, if one may.
        pend_since: Some(NOW.plus_ms(-60_000)),
        ..pending(&[1, 2])
    };
    assert_eq!(
        ask(Some(&held), 1, true, NOW),
        Decision::Ack(Done::Superseded)
    );
    assert_eq!(
        ask(Some(&held), 2, true, NOW),
        Decision::Rearm {
            delay_seconds: 60,
            why: Later::Backoff
        }
    );
}

#[test]
fn no_state_is_acked_while_the_own_newest_message_is_pending() {
    // Whatever else HEAD holds: pending, unclaimed, own message the newest -> never an ack (I3).
    let base = pending(&[1]);
    for paused in [None, Some(NOW.plus_ms(1))] {
        for retry in [None, Some(NOW.plus_ms(1))] {
            let head = Head {
                paused_until: paused,
                retry_at: retry,
                ..base.clone()
            };
            assert!(matches!(
                ask(Some(&head), 1, true, NOW),
                Decision::Rearm { .. }
            ));
        }
    }
}

#[test]
fn the_rest_of_the_silence_is_what_a_covering_trigger_waits() {
    assert_eq!(DEBOUNCE.rest_seconds(Some(NOW.plus_ms(-1_200)), NOW), 2);
    assert_eq!(DEBOUNCE.rest_seconds(Some(NOW.plus_ms(-9_000)), NOW), 0);
    assert_eq!(DEBOUNCE.rest_seconds(Some(NOW.plus_ms(60_000)), NOW), 3);
    assert_eq!(DEBOUNCE.rest_seconds(None, NOW), 0);
}

#[test]
fn an_older_message_of_a_steady_typist_takes_its_turn_after_the_longest_wait_or_with_enough_messages()
 {
    // Its claim failed for something that has changed meanwhile: it comes back. Otherwise it is the newest one's burst.
    let claims = |head: &Head| match ask(Some(head), 1, true, NOW) {
        Decision::Rearm {
            why: Later::Changed,
            ..
        } => true,
        Decision::Ack(Done::Superseded) => false,
        other => panic!("{other:?}"),
    };
    let mut typing = pending(&[1, 2]);
    assert!(!claims(&typing), "the newest one's trigger answers");
    typing.pend_since = Some(NOW.plus_ms(-14_999));
    assert!(!claims(&typing));
    typing.pend_since = Some(NOW.plus_ms(-15_000));
    assert!(claims(&typing), "I6");
    let many = |count: u32| pending(&(1..=count).collect::<Vec<_>>());
    assert!(!claims(&many(49)));
    assert!(claims(&many(50)), "I6");
}

#[test]
fn a_pause_or_a_backoff_that_ends_now_has_ended() {
    for (until, holds) in [(NOW, false), (NOW.plus_ms(1), true)] {
        let paused = Head {
            paused_until: Some(until),
            ..pending(&[1])
        };
        let backing_off = Head {
            retry_at: Some(until),
            ..pending(&[1])
        };
        for head in [paused, backing_off] {
            let Decision::Rearm { why, .. } = ask(Some(&head), 1, true, NOW) else {
                panic!("its claim may work now");
            };
            assert_eq!(why != Later::Changed, holds, "{until:?}");
        }
    }
}
