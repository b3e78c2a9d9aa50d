//! The short form of `cargo run -p load -- chaos`: processes, kills and servers are real.

use load::chaos::Chaos;
use load::verdict::Verdict;

#[tokio::test]
async fn a_run_that_is_killed_under_load_answers_every_accepted_message_exactly_once() {
    let chaos = Chaos {
        kills: 4,
        customers: 12,
        seed: 144,
        life_ms: 3_000,
        model_ms: 400,
        local: None,
        until_queue_is_empty: false,
        quiet: true,
    };
    let summary = chaos.run().await;
    let Verdict {
        accepted,
        answered,
        ref faults,
        ..
    } = summary.verdict;
    assert_eq!(faults, &[], "{summary}");
    assert_eq!(summary.still_owed, None);
    assert_eq!(summary.kills, 4);
    assert!(
        summary.questions_cut_off > 0,
        "nobody was at work when a kill came: {summary}"
    );
    assert!(accepted >= 12, "every customer has written: {summary}");
    assert_eq!(answered, accepted, "no fallback text: {summary}");
}
