//! Each kind of fault is seen.

use std::time::Duration;

use super::*;

const AT: Duration = Duration::from_secs(1);
const RINA: Customer = Customer { bot: 0, contact: 1 };
const BUDI: Customer = Customer { bot: 0, contact: 2 };

fn token(customer: Customer, number: u32) -> Token {
    Token { customer, number }
}

/// Accepted bubbles of each.
fn accepted(bubbles: &[(Customer, u32)]) -> Ledger {
    let mut ledger = Ledger::default();
    for (customer, count) in bubbles {
        for number in 1..=*count {
            ledger.posted(token(*customer, number), AT);
            ledger.accepted(token(*customer, number), AT);
        }
    }
    ledger
}

fn send(ledger: &mut Ledger, to: Customer, id: &str, text: &str) {
    ledger.sent(Sent {
        bot: to.bot,
        phone: to.phone(),
        id: id.to_owned(),
        text: text.to_owned(),
        at: AT,
    });
}

fn faults(ledger: &Ledger) -> Vec<Fault> {
    Verdict::of(ledger, &Parked::new()).faults
}

#[test]
fn everything_answered_once_is_no_fault_and_a_repeated_send_is_none_either() {
    let mut ledger = accepted(&[(RINA, 3), (BUDI, 1)]);
    send(&mut ledger, RINA, "A", "Jawaban p0: b0c1n1 b0c1n2");
    send(&mut ledger, RINA, "A", "Jawaban p0: b0c1n1 b0c1n2");
    send(&mut ledger, BUDI, "B", "Jawaban p1: b0c2n1");
    send(&mut ledger, RINA, "C", "Jawaban p2: b0c1n3");
    let verdict = Verdict::of(&ledger, &Parked::new());
    assert_eq!(
        verdict,
        Verdict {
            accepted: 4,
            answered: 4,
            replies: 3,
            repeated_sends: 1,
            ..Verdict::default()
        }
    );
    assert!(verdict.check().is_ok());
}

#[test]
fn a_run_in_which_nothing_was_tried_is_no_success() {
    assert!(
        Verdict::of(&Ledger::default(), &Parked::new())
            .check()
            .is_err()
    );
}

#[test]
fn an_accepted_bubble_without_an_answer_is_lost() {
    let mut ledger = accepted(&[(RINA, 2)]);
    send(&mut ledger, RINA, "A", "Jawaban p0: b0c1n2");
    let verdict = Verdict::of(&ledger, &Parked::new());
    assert_eq!(verdict.faults, [Fault::Lost(token(RINA, 1))]);
    assert_eq!((verdict.lost(), verdict.wrong()), (1, 0));
    assert!(verdict.check().is_err());
}

#[test]
fn a_bubble_that_was_never_accepted_may_be_answered_or_not() {
    let mut ledger = accepted(&[(RINA, 1)]);
    send(&mut ledger, RINA, "A", "Jawaban p0: b0c1n1");
    ledger.posted(token(RINA, 2), AT);
    assert_eq!(faults(&ledger), []);
    send(&mut ledger, RINA, "B", "Jawaban p1: b0c1n2");
    assert_eq!(faults(&ledger), []);
    // But a gateway would still be posting it.
    let verdict = Verdict::of(&ledger, &Parked::new());
    assert_eq!((verdict.refused, verdict.answered), (1, 1), "{verdict:?}");
    assert!(verdict.check().is_err());
}

#[test]
fn two_ids_for_one_bubble_are_two_answers() {
    let mut ledger = accepted(&[(RINA, 1)]);
    send(&mut ledger, RINA, "A", "Jawaban p0: b0c1n1");
    send(&mut ledger, RINA, "B", "Jawaban p1: b0c1n1");
    let ids = BTreeSet::from(["A".to_owned(), "B".to_owned()]);
    assert!(faults(&ledger).contains(&Fault::Doubled(token(RINA, 1), ids)));
}

#[test]
fn one_id_with_two_texts_or_two_customers_is_a_fault() {
    let mut ledger = accepted(&[(RINA, 1)]);
    send(&mut ledger, RINA, "A", "Jawaban p0: b0c1n1");
    send(&mut ledger, RINA, "A", "Jawaban p1: b0c1n1");
    assert_eq!(faults(&ledger), [Fault::Changed("A".to_owned())]);
    let mut ledger = accepted(&[(RINA, 1)]);
    send(&mut ledger, RINA, "A", "Jawaban p0: b0c1n1");
    send(&mut ledger, BUDI, "A", "Jawaban p0: b0c1n1");
    assert_eq!(faults(&ledger), [Fault::Changed("A".to_owned())]);
}

#[test]
fn an_answer_to_somebody_else_is_a_fault_even_under_the_same_number() {
    let mut ledger = accepted(&[(RINA, 1), (BUDI, 1)]);
    send(&mut ledger, RINA, "A", "Jawaban p0: b0c1n1");
    send(&mut ledger, RINA, "B", "Jawaban p1: b0c2n1");
    let misdirected = Fault::Misdirected("B".to_owned(), token(BUDI, 1));
    assert_eq!(faults(&ledger), [misdirected]);

    let elsewhere = Customer { bot: 1, ..RINA };
    assert_eq!(elsewhere.phone(), RINA.phone());
    let mut ledger = accepted(&[(RINA, 1)]);
    send(&mut ledger, elsewhere, "A", "Jawaban p0: b0c1n1");
    let misdirected = Fault::Misdirected("A".to_owned(), token(RINA, 1));
    assert_eq!(faults(&ledger), [misdirected]);
}

#[test]
fn a_text_to_a_stranger_or_about_nothing_is_a_fault() {
    let mut ledger = accepted(&[(RINA, 1)]);
    send(&mut ledger, RINA, "A", "Jawaban p0: b0c1n1");
    send(&mut ledger, RINA, "B", "Jawaban p1: b0c1n9");
    send(&mut ledger, RINA, "C", "Maaf Kak.");
    let mut strange = ledger.sends[0].clone();
    strange.phone = "4915112345678".to_owned();
    strange.id = "D".to_owned();
    ledger.sent(strange);
    assert_eq!(
        faults(&ledger),
        [
            Fault::Invented("B".to_owned(), token(RINA, 9)),
            Fault::Empty("C".to_owned()),
            Fault::Stranger("D".to_owned()),
        ]
        .into_iter()
        .chain([Fault::Doubled(
            token(RINA, 1),
            BTreeSet::from(["A".to_owned(), "D".to_owned()])
        )])
        .collect::<Vec<_>>()
    );
}

#[test]
fn answers_out_of_order_are_a_fault() {
    let mut ledger = accepted(&[(RINA, 3)]);
    send(&mut ledger, RINA, "A", "Jawaban p0: b0c1n2 b0c1n3");
    send(&mut ledger, RINA, "B", "Jawaban p1: b0c1n1");
    assert_eq!(faults(&ledger), [Fault::OutOfOrder("B".to_owned())]);
}

#[test]
fn a_prompt_with_another_conversation_in_it_is_a_fault() {
    let mut ledger = Ledger::default();
    let clean = ["Anda melayani load-0.", "halo b0c1n1", "Jawaban p0: b0c1n1"];
    let (call, tokens) = ledger.asked(Some(0), "lalu? b0c1n2", clean.into_iter(), AT);
    assert_eq!((call, tokens), (0, vec![token(RINA, 2)]));
    assert_eq!(ledger.leaks, []);
    ledger.asked(Some(0), "lalu? b0c1n2", ["halo b0c2n1"].into_iter(), AT);
    let seen = token(BUDI, 1);
    assert_eq!(ledger.leaks, [Leak { asker: RINA, seen }]);
    // Another bot's instructions.
    ledger.asked(Some(1), "lalu? b0c1n2", [].into_iter(), AT);
    assert_eq!(ledger.leaks.len(), 2);
    ledger.posted(token(RINA, 2), AT);
    assert_eq!(faults(&ledger).len(), 2);
}

#[test]
fn a_fallback_text_of_a_parked_turn_is_an_answer_of_its_own_kind() {
    let mut ledger = accepted(&[(RINA, 2)]);
    send(&mut ledger, RINA, "A", "Maaf Kak.");
    let burst = BTreeSet::from([token(RINA, 1), token(RINA, 2)]);
    let parked = Parked::from([("A".to_owned(), burst)]);
    let verdict = Verdict::of(&ledger, &parked);
    assert_eq!((verdict.answered, verdict.parked), (0, 2));
    assert!(verdict.check().is_ok());
    // Parked, but the customer was told nothing.
    let ledger = accepted(&[(RINA, 2)]);
    assert_eq!(Verdict::of(&ledger, &parked).lost(), 2);
}

#[test]
fn the_times_of_a_turn_are_counted_from_its_last_bubble() {
    let mut ledger = Ledger::default();
    let at = Duration::from_millis;
    for (number, written, accepted) in [(1, 1_000, 1_010), (2, 2_000, 2_010)] {
        ledger.posted(token(RINA, number), at(written));
        ledger.accepted(token(RINA, number), at(accepted));
    }
    let (call, _) = ledger.asked(None, "b0c1n1 b0c1n2", [].into_iter(), at(5_110));
    ledger.answered(call, at(7_110));
    ledger.sent(Sent {
        bot: 0,
        phone: RINA.phone(),
        id: "A".to_owned(),
        text: format!("Jawaban p{call}: b0c1n1 b0c1n2"),
        at: at(7_210),
    });
    let turns: Vec<_> = ledger.turns().collect();
    assert_eq!(turns.len(), 1);
    let near = |is: f64, should: f64| assert!((is - should).abs() < 1e-9, "{is}");
    assert_eq!(turns[0].began, at(1_000));
    near(turns[0].to_question, 3.1);
    near(turns[0].model, 2.0);
    near(turns[0].to_gateway, 0.1);
}
