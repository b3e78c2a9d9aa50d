//! From a draft to a committed turn, to a released claim, to a turn that is put back.

use aws_sdk_dynamodb::types::AttributeValue;
use clivy::conversation::head::Claim;
use clivy::conversation::ids::{ConversationId, Fence, Owner};
use clivy::conversation::outcome::{Attempt, Spent, TurnStatus};
use clivy::conversation::trigger::ModelName;
use clivy::table::{
    Commit, Committed, Delivery, Drafted, Release, Released, Repended, TakenOver, Why, keys,
};
use clivy::usage::{Day, Times, UsageCounts};
use futures_util::future::join_all;

use crate::endpoint::{
    Endpoint, InFlight, NOW, after, bot_id, draft, forgotten, message, request, soon,
};

pub async fn a_draft_is_stored_once_under_its_fence(e: &Endpoint) {
    let id = e.id("62811");
    let key = e.say(&id, "A", 0).await;
    let (head, claim) = e.won(&id, &key, "w", 1).await;
    let text = draft(&id, &head, TurnStatus::Answered);
    let strange = e
        .table
        .draft(&id, Fence(claim.fence.0 + 1), &text, after(2))
        .await;
    assert_eq!(strange.unwrap(), Drafted::FencedOut);
    e.table.pause(&id, after(10_000)).await.unwrap();
    let paused = e.table.draft(&id, claim.fence, &text, after(2)).await;
    assert_eq!(
        paused.unwrap(),
        Drafted::Paused {
            until: after(10_000)
        }
    );
    let stored = e.table.draft(&id, claim.fence, &text, after(10_000)).await;
    assert!(matches!(stored.unwrap(), Drafted::Stored(_)));
    let mut other = text.clone();
    other.text = "Another text".to_owned();
    let again = e.table.draft(&id, claim.fence, &other, after(10_001)).await;
    let Drafted::Stored(head) = again.unwrap() else {
        panic!("our own write")
    };
    assert_eq!(
        head.claim.unwrap().draft,
        Some(text),
        "I2: the first text stays"
    );
}

pub async fn a_commit_moves_head_turn_reply_and_usage_together(e: &Endpoint) {
    let id = e.id("62811");
    let burst = e.answer(&id).await;
    let commit = burst.commit(&id, 3);
    assert_eq!(e.table.commit(commit).await.unwrap(), Committed::Done);
    let later = Commit {
        now: after(4),
        brake_until: Some(after(4)),
        ..commit
    };
    assert_eq!(e.table.commit(later).await.unwrap(), Committed::FencedOut);
    let after_it = e.head(&id).await;
    assert_eq!(
        (after_it.bursts, after_it.claim, after_it.tries),
        (1, None, 0)
    );
    assert_eq!(after_it.counted_day, Some(Day::of(after(3))));
    let turn = e.table.turn(&id, 1).await.unwrap().unwrap();
    let reply_key = turn.reply_key();
    assert_eq!(
        (turn.status, turn.keys, turn.llm_calls),
        (TurnStatus::Answered, vec![burst.key.clone()], 1)
    );
    let pk = keys::conversation(&id);
    assert_eq!(
        e.number(&pk, &keys::turn(1), "expires_at").await,
        forgotten(3)
    );
    let thread = e.table.thread(&id, 10, None).await.unwrap().items;
    assert_eq!(thread.len(), 2);
    assert_eq!(reply_key.as_ref(), Some(&thread[0].stored.key));
    assert_eq!(thread[0].turn.as_ref().map(|turn| turn.number), Some(1));
    assert_eq!(
        e.number(&pk, thread[0].stored.key.as_str(), "expires_at")
            .await,
        forgotten(3)
    );
    let hours = e.table.usage_of_day(&id.bot_id, after(3)).await.unwrap();
    assert_eq!(hours.len(), 1);
    let counts = &hours[0].counts;
    assert_eq!(
        (counts.turns, counts.conversations, counts.tokens_in),
        (1, 1, 10),
        "I8"
    );
    assert!(
        (counts.cost_usd - 0.000_001_5).abs() < 1e-12,
        "{}",
        counts.cost_usd
    );
    assert_eq!(e.table.turn(&id, 2).await.unwrap(), None);
}

/// The words and the author that the list shows last.
async fn last_words(e: &Endpoint, id: &ConversationId) -> (String, String) {
    let pk = keys::conversation(id);
    let text = async |name| e.text(&pk, keys::HEAD, name).await.unwrap();
    (text("last_text").await, text("last_author").await)
}

pub async fn an_hour_counts_what_its_bursts_did(e: &Endpoint) {
    let id = e.id("62811");
    let words = |text: &str, author: &str| (text.to_owned(), author.to_owned());
    // Two messages, and an answer that a free model had given before.
    e.say(&id, "A", 0).await;
    let key = e.say(&id, "B", 20).await;
    let (head, claim) = e.won(&id, &key, "x", 9_000).await;
    let mut first = draft(&id, &head, TurnStatus::Answered);
    first.outcome.is_free = true;
    first.outcome.tokens_saved = Some(70);
    let drafted = e.table.draft(&id, claim.fence, &first, after(9_001)).await;
    assert!(matches!(drafted.unwrap(), Drafted::Stored(_)));
    let burst = InFlight {
        key,
        head,
        claim,
        draft: first,
    };
    let committed = e.table.commit(burst.commit(&id, 9_500)).await;
    assert_eq!(committed.unwrap(), Committed::Done);
    assert_eq!(last_words(e, &id).await, words("Halo Kak", "bot"));
    // One that was left to a person, with the words that were withheld.
    e.burst(&id, "C", 20_000, TurnStatus::LeftToPerson).await;
    assert_eq!(last_words(e, &id).await, words("text of C", "customer"));
    let thread = e.table.thread(&id, 10, None).await.unwrap().items;
    assert_eq!(thread[0].delivery, Delivery::Withheld);
    let hours = e.table.usage_of_day(&id.bot_id, NOW).await.unwrap();
    let mut counts = UsageCounts {
        conversations: 1,
        new_contacts: 1,
        turns: 2,
        by_status: [("answered", 1), ("left_to_person", 1)].into(),
        messages: 3,
        llm_calls: 2,
        tokens_in: 20,
        tokens_out: 10,
        cost_usd: 0.000_003,
        response_ms: 9_500,
        response_times: Times::one(9_500),
        free_answers: 1,
        saved_by_batching: 1,
        cache_hits: 1,
        tokens_saved: 70,
        ..UsageCounts::default()
    };
    assert_eq!(hours.len(), 1);
    assert_eq!(hours[0].counts, counts, "I8");
    // The next day counts the conversation once more; a clock that is still in the day before does not.
    let tomorrow = 86_400_000;
    e.burst(&id, "D", tomorrow, TurnStatus::Skipped).await;
    e.burst(&id, "E", 40_000, TurnStatus::Skipped).await;
    let hours = e.table.usage_of_day(&id.bot_id, after(tomorrow)).await;
    let next = &hours.unwrap()[0].counts;
    assert_eq!(
        (next.conversations, next.new_contacts, next.turns),
        (1, 0, 1)
    );
    let hours = e.table.usage_of_day(&id.bot_id, NOW).await.unwrap();
    counts.turns = 3;
    assert_eq!(
        (hours[0].counts.conversations, hours[0].counts.turns),
        (1, 3),
        "I8"
    );
}

pub async fn an_owner_whose_claim_was_taken_over_is_fenced_out(e: &Endpoint) {
    let id = e.id("62811");
    let key = e.say(&id, "A", 0).await;
    let (seen, slow) = e.won(&id, &key, "slow", 1).await;
    let owner = Owner("quick".to_owned());
    let over = request(&id, &key, &owner, 70_000);
    let over = e.table.take_over(over, &seen, &slow).await.unwrap();
    let TakenOver::Won(head) = over else {
        panic!("its lease is over")
    };
    let quick = head.claim.clone().unwrap();
    assert_ne!(slow.fence, quick.fence);
    e.table.pause(&id, after(900_000)).await.unwrap();
    let draft = draft(&id, &head, TurnStatus::Answered);
    let drafted = e.table.draft(&id, slow.fence, &draft, after(70_001)).await;
    assert_eq!(drafted.unwrap(), Drafted::FencedOut, "I4");
    let drafted = e.table.draft(&id, quick.fence, &draft, after(70_001)).await;
    assert!(matches!(drafted.unwrap(), Drafted::Paused { .. }));
    let late = InFlight {
        key,
        head,
        claim: slow,
        draft,
    };
    let committed = e.table.commit(late.commit(&id, 70_002)).await;
    assert_eq!(committed.unwrap(), Committed::FencedOut, "I4");
}

pub async fn a_commit_that_is_repeated_after_a_lost_answer_happens_once(e: &Endpoint) {
    let id = e.id("62811");
    let burst = e.answer(&id).await;
    let commit = burst.commit(&id, 3);
    for _ in 0..2 {
        assert_eq!(
            e.table.commit(commit).await.unwrap(),
            Committed::Done,
            "I13"
        );
    }
    let hours = e.table.usage_of_day(&id.bot_id, after(3)).await.unwrap();
    assert_eq!(hours[0].counts.turns, 1, "I8");
}

pub async fn a_commit_does_not_leave_what_came_in_without_a_trigger(e: &Endpoint) {
    let id = e.id("62811");
    let burst = e.answer(&id).await;
    let late = e.say(&id, "B", 3).await;
    let plain = burst.commit(&id, 4);
    let uncovered = e.table.commit(plain).await.unwrap();
    assert!(
        matches!(&uncovered, Committed::Uncovered(head) if head.last_key == Some(late.clone()))
    );
    let wrong = Commit {
        rearmed: Some(&burst.key),
        ..plain
    };
    assert!(
        matches!(
            e.table.commit(wrong).await.unwrap(),
            Committed::Uncovered(_)
        ),
        "I3"
    );
    assert_eq!(
        e.table.turn(&id, 1).await.unwrap(),
        None,
        "a cancelled commit has written a part"
    );
    assert!(
        e.table
            .usage_of_day(&id.bot_id, NOW)
            .await
            .unwrap()
            .is_empty()
    );
    let covered = Commit {
        rearmed: Some(&late),
        ..plain
    };
    assert_eq!(e.table.commit(covered).await.unwrap(), Committed::Done);
    let pk = keys::conversation(&id);
    assert_eq!(
        e.number(&pk, keys::HEAD, "owed_since").await,
        Some(after(3).0)
    );
    assert_eq!(e.head(&id).await.pend, [late].into());
}

pub async fn the_brakes_pause_does_not_shorten_a_longer_one(e: &Endpoint) {
    let id = e.id("62811");
    let burst = e.answer(&id).await;
    e.table.pause(&id, after(900_000)).await.unwrap();
    let braked = Commit {
        brake_until: Some(after(300_000)),
        ..burst.commit(&id, 3)
    };
    let outcome = e.table.commit(braked).await.unwrap();
    assert!(
        matches!(outcome, Committed::Uncovered(head) if head.paused_until == Some(after(900_000)))
    );
    let unbraked = Commit {
        brake_until: None,
        ..braked
    };
    assert_eq!(e.table.commit(unbraked).await.unwrap(), Committed::Done);
}

async fn released(e: &Endpoint, id: &ConversationId, claim: &Claim, how: &Release<'_>) -> Released {
    let released = e.table.release(id, 1, claim, how, after(3)).await;
    released.unwrap()
}

pub async fn a_release_puts_messages_back_unless_there_is_a_draft(e: &Endpoint) {
    let id = e.id("62811");
    let key = e.say(&id, "A", 0).await;
    let (_, claim) = e.won(&id, &key, "w", 1).await;
    let attempts = [Attempt {
        number: 1,
        started_at: after(1),
        ended_at: after(2),
        model: "a/b".to_owned(),
        class: "timed_out".to_owned(),
        message: "the model did not answer in time".to_owned(),
    }];
    let failed = Release {
        retry_at: after(100),
        spent: Spent {
            calls: 1,
            ..Spent::default()
        },
        why: Why::Failed(&attempts),
    };
    assert_eq!(released(e, &id, &claim, &failed).await, Released::Done);
    assert_eq!(
        released(e, &id, &claim, &failed).await,
        Released::Done,
        "the same call again"
    );
    let head = e.head(&id).await;
    assert_eq!(
        (head.tries, head.retry_at, head.spent.calls),
        (1, Some(after(100)), 1)
    );
    assert_eq!(
        (head.pend, head.pend_since),
        ([key.clone()].into(), Some(NOW))
    );
    let turn = e.table.turn(&id, 1).await.unwrap().unwrap();
    assert_eq!(
        (turn.status, turn.attempts.len()),
        (TurnStatus::Retrying, 1)
    );
    for (at, why, kept) in [(200, Why::Held, Some(after(100))), (300, Why::Paused, None)] {
        let (head, claim) = e.won(&id, &key, &format!("w{at}"), at).await;
        assert_eq!(head.tries, 2);
        let held = Release {
            why,
            ..failed.clone()
        };
        assert_eq!(released(e, &id, &claim, &held).await, Released::Done);
        let head = e.head(&id).await;
        assert_eq!(
            (head.tries, head.retry_at),
            (1, kept),
            "a try that is given back"
        );
    }
    let (head, claim) = e.won(&id, &key, "w9", 400).await;
    e.table
        .draft(
            &id,
            claim.fence,
            &draft(&id, &head, TurnStatus::Answered),
            after(401),
        )
        .await
        .unwrap();
    assert_eq!(
        released(e, &id, &claim, &failed).await,
        Released::FencedOut,
        "I2"
    );
}

pub async fn a_lease_is_handed_back_by_its_owner_only(e: &Endpoint) {
    let id = e.id("62811");
    let burst = e.answer(&id).await;
    let strange = e.table.hand_back(&id, Fence(1), after(2), 0).await;
    assert_eq!(strange.unwrap(), Released::FencedOut);
    let fence = burst.claim.fence;
    // Again, as the SDK does when an answer gets lost: what it has said before stays true (I13).
    for _ in 0..2 {
        let back = e.table.hand_back(&id, fence, after(3), 0).await;
        assert_eq!(back.unwrap(), Released::Done);
    }
    let claim = e.head(&id).await.claim.unwrap();
    assert_eq!((claim.until, claim.draft.unwrap().sends), (after(3), 0));
}

pub async fn a_parked_turn_is_put_back_once(e: &Endpoint) {
    let id = e.id("62811");
    assert_eq!(
        e.table.repend(&id, 1, None, NOW).await.unwrap(),
        Repended::NoSuchTurn
    );
    assert_eq!(e.burst(&id, "A", 0, TurnStatus::Answered).await, 1);
    assert_eq!(
        e.table.repend(&id, 1, None, NOW).await.unwrap(),
        Repended::NotParked
    );
    assert_eq!(e.burst(&id, "B", 10, TurnStatus::Failed).await, 2);
    let pk = keys::conversation(&id);
    assert_eq!(e.number(&pk, keys::HEAD, "failed_turn").await, Some(2));
    let model = ModelName::new("x/y").unwrap();
    let key = keys::message(after(10), &message("B", 0).mid);
    let both = [0, 1].map(|n| e.table.repend(&id, 2, Some(&model), after(20 + n)));
    for repended in join_all(both).await {
        assert_eq!(repended.unwrap(), Repended::Pending(key.clone()));
    }
    let head = e.head(&id).await;
    assert_eq!(head.pend, [key.clone()].into(), "I13");
    assert_eq!(head.retry_with.unwrap().model, model);
    assert_eq!(e.number(&pk, keys::HEAD, "failed_turn").await, None);
    // What else is pending keeps its own last message.
    assert_eq!(e.burst(&id, "C", 30_020, TurnStatus::Undelivered).await, 3);
    let newest = e.say(&id, "D", 40_000).await;
    let c = keys::message(after(30_020), &message("C", 0).mid);
    assert!(matches!(
        e.table.repend(&id, 3, None, after(40_001)).await.unwrap(),
        Repended::Pending(_)
    ));
    let head = e.head(&id).await;
    assert!(head.pend.contains(&c) && head.last_key == Some(newest));
}

pub async fn turns_are_listed_by_how_they_stand_in_pages(e: &Endpoint) {
    let (one, bot) = (e.id("62811"), e.bot.clone());
    for n in 0..5 {
        e.burst(&one, &format!("M{n}"), n * 100, TurnStatus::Failed)
            .await;
    }
    e.burst(&e.id("62812"), "X", 0, TurnStatus::Answered).await;
    let list = |status, limit| e.table.turns(&bot, status, limit, None);
    soon("five failed turns", || async {
        list(TurnStatus::Failed, 100).await.unwrap().items.len() == 5
    })
    .await;
    let (mut seen, mut from) = (Vec::new(), None);
    loop {
        let page = e
            .table
            .turns(&bot, TurnStatus::Failed, 2, from.as_ref())
            .await
            .unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|listed| listed.turn.burst));
        from = page.next;
        if from.is_none() {
            break;
        }
        assert!(from.as_ref().unwrap().is_in_turns_of(&bot));
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
    let others = e
        .table
        .turns(&bot_id("other"), TurnStatus::Failed, 10, None)
        .await;
    assert!(others.unwrap().items.is_empty(), "I12");
    e.table.repend(&one, 3, None, after(9_000)).await.unwrap();
    soon("a turn that was put back is listed as such", || async {
        let failed = list(TurnStatus::Failed, 100).await.unwrap().items.len();
        (
            failed,
            list(TurnStatus::Retried, 100).await.unwrap().items.len(),
        ) == (4, 1)
    })
    .await;
    // Whatever the index says, a turn is listed as it stands.
    let stands = e.client.update_item().table_name(&e.name);
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let stands = stands
        .key("pk", text(&keys::conversation(&one)))
        .key("sk", text(&keys::turn(1)))
        .update_expression("SET #status = :status")
        .expression_attribute_names("#status", "status")
        .expression_attribute_values(":status", text("answered"));
    stands.send().await.unwrap();
    assert_eq!(list(TurnStatus::Failed, 100).await.unwrap().items.len(), 3);
}
