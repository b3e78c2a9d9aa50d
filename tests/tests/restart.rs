//! One machine, started, stopped and killed as a person or a power cut would do it: nothing accepted is lost
//! (I1), and nothing is answered twice (I2, I5). Under load, and again and again: `tests/load`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should end right there"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tests::bubbles::bubble;
use tests::outside::{Gateway, Model};
use tests::process::eventually;
use tests::process::folder::Folder;
use tests::process::one_machine::{OneMachine, Wish};
use tests::process::wire::Served;

const RINA: &str = "6281100020001";

fn halo() -> Value {
    bubble("demo", RINA, "A", 0, "Halo")
}

/// A run in which nobody can be quick enough: everything that was accepted is still pending when it stops.
fn patient(wish: &Wish) -> Wish {
    wish.clone()
        .set("DEBOUNCE_SECONDS", "300")
        .set("DEBOUNCE_MAX_WAIT_SECONDS", "300")
}

/// Starts `wish` on what an earlier run has left and waits for the one answer to "Halo".
async fn answers_halo_once(wish: &Wish, served: &Served) -> OneMachine {
    let run = wish.start().await;
    let outside = &served.outside;
    eventually("the answer", || outside.delivered().pop()).await;
    run.until_nothing_is_owed().await;
    let delivered = outside.delivered();
    assert_eq!(delivered.len(), 1, "{delivered:?}");
    assert_eq!(delivered[0].text, "Jawaban atas: Halo");
    assert_eq!(delivered[0].phone, RINA);
    let ids: BTreeSet<_> = outside.sends().into_iter().map(|send| send.id).collect();
    assert_eq!(ids.len(), 1, "I5: one id however often it is sent");
    assert_eq!(outside.ids_with_two_texts(), Vec::<String>::new(), "I5");
    run
}

#[tokio::test]
async fn what_was_pending_at_ctrl_c_is_answered_once_after_the_next_start() {
    for signal in ["INT", "TERM"] {
        let (data, served) = (Folder::new(), Served::start().await);
        let wish = Wish::scripted(data.path(), &served);
        let mut first = patient(&wish).start().await;
        first.accepts(&halo()).await;
        first.process.signal(signal);
        let status = first.process.ended().await;
        let says = first.process.output();
        assert_eq!(status.code(), Some(0), "{signal}: {says}");
        assert!(says.contains("Stopped; nothing is lost."), "{says}");
        assert!(served.outside.asked().is_empty(), "it was pending");

        let second = wish.start().await;
        let outside = &served.outside;
        eventually("the answer", || outside.delivered().pop()).await;
        second.until_nothing_is_owed().await;
        // The trigger of the first run was kept; when it comes, it will find nothing to do.
        let [_, _, delayed] = second.queue().await;
        assert_eq!(delayed, 1, "what was queued is kept");
        assert_eq!(outside.sends().len(), 1);
        assert_eq!(outside.questions(), ["Halo"]);
        // And the gateway's own repetition changes nothing.
        let (status, answer) = second.webhook(&halo()).await.unwrap();
        assert_eq!((status, &answer["status"]), (200, &json!("duplicate")));
    }
}

#[tokio::test]
async fn a_turn_that_is_under_way_at_ctrl_c_ends_before_the_process() {
    let (data, served) = (Folder::new(), Served::start().await);
    let wish = Wish::scripted(data.path(), &served);
    let slowly = Model::Says("Jawaban atas: Halo".to_owned());
    served
        .outside
        .model_does([Model::Slow(Duration::from_millis(1_500), Box::new(slowly))]);
    let mut first = wish.start().await;
    first.accepts(&halo()).await;
    eventually("the model to be asked", || served.outside.asked().pop()).await;
    first.process.signal("INT");
    assert_eq!(first.process.ended().await.code(), Some(0));
    assert_eq!(served.outside.sends().len(), 1, "the turn has ended");
    let second = answers_halo_once(&wish, &served).await;
    second.settle().await;
    assert_eq!(served.outside.asked().len(), 1, "and is not done again");
    assert_eq!(served.outside.sends().len(), 1);
}

#[tokio::test]
async fn a_model_that_never_answers_does_not_hold_up_ctrl_c() {
    let (data, served) = (Folder::new(), Served::start().await);
    let wish = Wish::scripted(data.path(), &served);
    served.outside.model_does([Model::Hangs]);
    let mut first = wish.start().await;
    first.accepts(&halo()).await;
    eventually("the model to be asked", || served.outside.asked().pop()).await;
    first.process.signal("INT");
    assert_eq!(first.process.ended().await.code(), Some(0));
    assert!(served.outside.sends().is_empty());
    // The kept trigger and the one of the restart are two for one turn, so the queue is not empty at once.
    answers_halo_once(&wish, &served).await;
}

#[tokio::test]
async fn a_process_killed_during_the_debounce_answers_after_its_restart() {
    let (data, served) = (Folder::new(), Served::start().await);
    let wish = Wish::scripted(data.path(), &served);
    let first = patient(&wish).start().await;
    first.accepts(&halo()).await;
    first.process.kill_nine();
    assert!(served.outside.asked().is_empty(), "it was pending");
    let second = answers_halo_once(&wish, &served).await;
    second.settle().await;
    assert_eq!(served.outside.questions(), ["Halo"]);
    assert_eq!(served.outside.sends().len(), 1);
}

#[tokio::test]
async fn a_process_killed_while_the_model_thinks_asks_again_and_sends_once() {
    let (data, served) = (Folder::new(), Served::start().await);
    let wish = Wish::scripted(data.path(), &served);
    served.outside.model_does([Model::Hangs]);
    let first = wish.start().await;
    first.accepts(&halo()).await;
    eventually("the model to be asked", || served.outside.asked().pop()).await;
    first.process.kill_nine();
    let second = answers_halo_once(&wish, &served).await;
    second.settle().await;
    assert_eq!(served.outside.questions(), ["Halo", "Halo"]);
    assert_eq!(served.outside.sends().len(), 1);
}

#[tokio::test]
async fn a_process_killed_after_its_send_repeats_the_same_id_and_text_without_asking_again() {
    let (data, served) = (Folder::new(), Served::start().await);
    let wish = Wish::scripted(data.path(), &served);
    served.outside.gateway_does([Gateway::SendsAndHangs]);
    let first = wish.start().await;
    first.accepts(&halo()).await;
    eventually("the send", || served.outside.sends().pop()).await;
    first.process.kill_nine();
    let second = answers_halo_once(&wish, &served).await;
    second.settle().await;
    assert_eq!(served.outside.questions(), ["Halo"]);
    let sends = served.outside.sends();
    assert_eq!(sends.len(), 2);
    assert_eq!(
        (&sends[0].id, &sends[0].text),
        (&sends[1].id, &sends[1].text)
    );
}
