//! Breakers, caches, credits, usage, limits, and the runs that are kept for the health page.

use clivy::breaker::Limits;
use clivy::conversation::ids::{Fence, Owner};
use clivy::conversation::outcome::Spent;
use clivy::conversation::rate::RateLimit;
use clivy::credits::{BalanceLevel, Concern, Figures, State};
use clivy::table::{
    CACHED_FOR_MS, Cached, Closed, Failure, HourFinished, HourTaken, LastOutcome, Opened, Probe,
    SweeperRun, keys,
};
use clivy::usage::Day;
use futures_util::future::{join_all, try_join_all};

use crate::endpoint::{Endpoint, NOW, after, bot_id};

const P: &str = "openrouter";
const LIMITS: Limits = Limits {
    max_failures: 3,
    cooldown_ms: 60_000,
};

fn failure(weight: u32) -> Failure<'static> {
    Failure {
        weight,
        reason: "timed_out",
    }
}

pub async fn a_breaker_is_opened_once_by_failures_in_a_row(e: &Endpoint) {
    let healthy = e.table.provider(P).await.unwrap();
    assert_eq!(
        healthy,
        clivy::breaker::Provider::default(),
        "no item is a healthy provider"
    );
    for _ in 1..LIMITS.max_failures {
        let failed = e.table.breaker_failure("calm", failure(1), LIMITS, NOW);
        let (seen, opened) = failed.await.unwrap();
        assert_eq!((opened, seen.breaker.open_until), (false, None));
    }
    let failures = (0..6).map(|_| e.table.breaker_failure(P, failure(1), LIMITS, NOW));
    let opened = join_all(failures)
        .await
        .into_iter()
        .filter(|failed| failed.as_ref().unwrap().1)
        .count();
    assert_eq!(opened, 1, "I7");
    let seen = e.table.provider(P).await.unwrap();
    assert_eq!(
        (seen.breaker.failures, seen.breaker.open_until),
        (6, Some(after(60_000)))
    );
    assert_eq!(seen.reason.as_deref(), Some("timed_out"));
    e.table.breaker_close(P).await.unwrap();
    assert_eq!(e.table.provider(P).await.unwrap(), healthy);
    let (_, opened) = e
        .table
        .breaker_failure(P, failure(3), LIMITS, NOW)
        .await
        .unwrap();
    assert!(opened, "one heavy failure is enough");
}

pub async fn one_at_a_time_probes_a_breaker_and_a_dead_probe_ends(e: &Endpoint) {
    let owners = ["x", "y"].map(|owner| Owner(owner.to_owned()));
    let probe = |owner, at| e.table.breaker_probe(P, owner, after(at + 10), after(at));
    assert_eq!(
        probe(&owners[0], 0).await.unwrap(),
        Probe::Taken,
        "it is closed"
    );
    e.table
        .breaker_failure(P, failure(3), LIMITS, NOW)
        .await
        .unwrap();
    assert_eq!(
        probe(&owners[0], 59_999).await.unwrap(),
        Probe::Taken,
        "too early"
    );
    let both = try_join_all(owners.each_ref().map(|owner| probe(owner, 60_000))).await;
    let both = both.unwrap();
    let ours = both.iter().filter(|probe| **probe == Probe::Ours).count();
    assert_eq!(ours, 1, "I7");
    let winner = both.iter().position(|probe| *probe == Probe::Ours);
    let winner = winner.unwrap();
    assert_eq!(
        probe(&owners[winner], 60_001).await.unwrap(),
        Probe::Ours,
        "our own lost answer"
    );
    let (mine, other) = (&owners[winner], &owners[1 - winner]);
    assert_eq!(probe(other, 60_002).await.unwrap(), Probe::Taken);
    assert_eq!(
        probe(other, 60_011).await.unwrap(),
        Probe::Ours,
        "a dead probe heals"
    );
    e.table
        .breaker_reopen(P, mine, after(500_000), "mine")
        .await
        .unwrap();
    assert_eq!(
        e.table.provider(P).await.unwrap().breaker.open_until,
        Some(after(60_000))
    );
    e.table
        .breaker_reopen(P, other, after(90_000), "down")
        .await
        .unwrap();
    let seen = e.table.provider(P).await.unwrap();
    assert_eq!(
        (seen.breaker.open_until, seen.breaker.probe_until),
        (Some(after(90_000)), None)
    );
    assert_eq!(seen.reason.as_deref(), Some("down"));
}

pub async fn a_breaker_is_opened_and_closed_for_a_reason(e: &Endpoint) {
    let open = |at| {
        e.table
            .breaker_open(P, "credits", after(at + 1_000), after(at))
    };
    assert_eq!(
        e.table.breaker_close_if(P, "credits").await.unwrap(),
        Closed::NotOpenForThis
    );
    let both = join_all([open(0), open(0)]).await;
    assert!(
        both.contains(&Ok(Opened::Now)) && both.contains(&Ok(Opened::Already)),
        "{both:?}"
    );
    assert_eq!(open(999).await.unwrap(), Opened::Already);
    assert_eq!(open(1_000).await.unwrap(), Opened::Now);
    assert_eq!(
        e.table.breaker_close_if(P, "other").await.unwrap(),
        Closed::NotOpenForThis
    );
    let owner = Owner("x".to_owned());
    e.table
        .breaker_probe(P, &owner, after(9_000), after(2_000))
        .await
        .unwrap();
    assert_eq!(
        open(3_000).await.unwrap(),
        Opened::Already,
        "somebody probes"
    );
    assert_eq!(
        e.table.breaker_close_if(P, "credits").await.unwrap(),
        Closed::Now
    );
    assert_eq!(e.table.provider(P).await.unwrap().breaker.open_until, None);
}

pub async fn a_model_is_parked_by_itself(e: &Endpoint) {
    e.table
        .park_model(P, "a/b:free", after(5_000))
        .await
        .unwrap();
    e.table
        .park_model(P, "c.d-e/f", after(6_000))
        .await
        .unwrap();
    e.table.breaker_close(P).await.unwrap();
    let seen = e.table.provider(P).await.unwrap();
    assert!(seen.is_parked("a/b:free", after(4_999)) && !seen.is_parked("a/b:free", after(5_000)));
    assert_eq!(seen.parked.len(), 2);
}

pub async fn an_answer_is_kept_for_a_day_and_its_hits_are_counted(e: &Endpoint) {
    let answer = Cached {
        text: "Rp 68.000".to_owned(),
        model: "a/b".to_owned(),
        tokens: 15,
    };
    assert_eq!(e.table.cached("k", NOW).await.unwrap(), None);
    e.table.cache_hit("k").await.unwrap();
    assert_eq!(
        e.raw(&keys::cached("k"), keys::CACHED).await,
        None,
        "a hit makes nothing"
    );
    e.table.put_cached("k", &answer, NOW).await.unwrap();
    e.table.cache_hit("k").await.unwrap();
    e.table.cache_hit("k").await.unwrap();
    assert_eq!(
        e.number(&keys::cached("k"), keys::CACHED, "hits").await,
        Some(2)
    );
    assert_eq!(
        e.table
            .cached("k", after(CACHED_FOR_MS - 5_000))
            .await
            .unwrap(),
        Some(answer.clone())
    );
    assert_eq!(
        e.table.cached("k", after(CACHED_FOR_MS)).await.unwrap(),
        None,
        "over, deleted or not"
    );
    e.table
        .put_cached("k", &answer, after(CACHED_FOR_MS))
        .await
        .unwrap();
    assert_eq!(
        e.table.cached("k", after(CACHED_FOR_MS)).await.unwrap(),
        Some(answer)
    );
}

pub async fn an_hour_of_the_credits_is_run_once(e: &Endpoint) {
    let owners = ["x", "y"].map(|owner| Owner(owner.to_owned()));
    let take = |owner, at| {
        e.table
            .credits_take_hour(owner, after(at + 60_000), after(at))
    };
    let both = join_all(owners.each_ref().map(|owner| take(owner, 0))).await;
    let ours = both
        .iter()
        .position(|taken| matches!(taken, Ok(HourTaken::Ours(_))))
        .unwrap();
    assert_eq!(
        both[1 - ours],
        Ok(HourTaken::Busy {
            until: after(60_000)
        }),
        "I13"
    );
    let Ok(HourTaken::Ours(first)) = &both[ours] else {
        panic!("ours")
    };
    let again = take(&owners[ours], 1).await.unwrap();
    assert!(matches!(again, HourTaken::Ours(_)), "our own lost answer");
    let over = take(&owners[1 - ours], 60_001).await.unwrap();
    let HourTaken::Ours(second) = over else {
        panic!("the lease is over: {over:?}")
    };
    let figures = Figures {
        limit_usd: Some(10.0),
        key_usage_usd: 0.25,
        ..Figures::default()
    };
    let finish = |hour| {
        e.table
            .credits_finish_hour(hour, Some(&figures), after(60_002))
    };
    assert_eq!(finish(first).await.unwrap(), HourFinished::Overtaken);
    assert_eq!(finish(&second).await.unwrap(), HourFinished::Stored);
    assert_eq!(finish(&second).await.unwrap(), HourFinished::Stored);
    assert_eq!(take(&owners[0], 200_000).await.unwrap(), HourTaken::Done);
    let runs = e
        .table
        .credits_runs(after(-86_400_000), after(200_000))
        .await
        .unwrap();
    assert_eq!((runs.len(), runs[0].figures.clone()), (1, Some(figures)));
    let kept = (after(60_001).0 + 90 * 86_400_000) / 1000;
    assert_eq!(
        e.number(keys::CREDITS, &keys::credits_run(NOW), "expires_at")
            .await,
        Some(kept)
    );
    assert!(
        e.table
            .credits_runs(after(7_200_000), after(9_000_000))
            .await
            .unwrap()
            .is_empty()
    );
}

pub async fn what_was_told_about_credits_is_kept_by_concern(e: &Endpoint) {
    assert!(e.table.credits_told().await.unwrap().is_empty());
    e.table.credits_tell(&[], NOW).await.unwrap();
    let warning = State::Balance(BalanceLevel::Warning);
    let key = State::Key(clivy::credits::KeyLevel::Ok);
    e.table.credits_tell(&[warning, key], NOW).await.unwrap();
    e.table
        .credits_tell(&[State::Balance(BalanceLevel::Critical)], after(5))
        .await
        .unwrap();
    let told = e.table.credits_told().await.unwrap();
    assert_eq!(
        told[&Concern::Balance].state,
        Some(State::Balance(BalanceLevel::Critical))
    );
    assert_eq!(
        (told[&Concern::Balance].at, told[&Concern::Key].at),
        (after(5), NOW)
    );
}

pub async fn the_newest_outcome_and_the_last_sweep_are_kept(e: &Endpoint) {
    assert_eq!(e.table.last_outcome(P).await.unwrap(), None);
    let outcome = |at| LastOutcome {
        at: after(at),
        model: "a/b".to_owned(),
        class: "ok".to_owned(),
    };
    for at in [5, 9, 7] {
        e.table.keep_outcome(P, &outcome(at)).await.unwrap();
    }
    assert_eq!(e.table.last_outcome(P).await.unwrap(), Some(outcome(9)));
    assert_eq!(e.table.last_sweep().await.unwrap(), None);
    let run = SweeperRun {
        at: NOW,
        hits: 1,
        turns_without_outcome: 0,
        failed: 0,
        oldest_owed_ms: 5_000,
        complete: true,
    };
    e.table
        .keep_sweep(&SweeperRun { hits: 9, ..run })
        .await
        .unwrap();
    e.table.keep_sweep(&run).await.unwrap();
    assert_eq!(e.table.last_sweep().await.unwrap(), Some(run));
}

pub async fn a_bots_window_has_room_for_so_many_messages(e: &Endpoint) {
    let (bot, limit) = (
        e.bot.clone(),
        RateLimit {
            max_messages: 5,
            window_ms: 60_000,
        },
    );
    let at = clivy::conversation::ids::EpochMs(NOW.0 / 60_000 * 60_000);
    let take = |messages, ms| e.table.take_room(&bot, messages, limit, at.plus_ms(ms));
    let takes = try_join_all((0..8).map(|_| take(1, 1))).await.unwrap();
    let taken = takes.iter().filter(|room| room.is_none()).count();
    assert_eq!(taken, 5, "I9");
    assert!(takes.contains(&Some(at.plus_ms(60_000))));
    assert_eq!(take(5, 60_000).await.unwrap(), None);
    assert_eq!(take(9, 120_000).await.unwrap(), None, "a window to itself");
    let (pk, sk) = (keys::bot_rate(&bot), keys::window(at));
    let ends = at.plus_ms(60_000).0 / 1000 + 3_600;
    assert_eq!(e.number(&pk, &sk, "expires_at").await, Some(ends));
}

pub async fn lost_calls_count_once_a_fence_and_trials_every_time(e: &Endpoint) {
    let id = e.id("62811");
    let spent = Spent {
        calls: 2,
        tokens_in: 100,
        cost_usd: 0.000_000_001,
        errors: [("timed_out".to_owned(), 1)].into(),
        ..Spent::default()
    };
    for fence in [1, 1, 2] {
        e.table
            .count_lost(&id, Fence(fence), &spent, NOW)
            .await
            .unwrap();
    }
    e.table
        .count_lost(&id, Fence(3), &Spent::default(), NOW)
        .await
        .unwrap();
    let trials = [1, 2].map(|_| e.table.count_trial(&id.bot_id, &spent, NOW));
    try_join_all(trials).await.unwrap();
    let hours = e.table.usage_of_day(&id.bot_id, NOW).await.unwrap();
    let counts = &hours[0].counts;
    assert_eq!(
        (counts.llm_calls, counts.tokens_in, counts.trials),
        (8, 400, 2),
        "I8"
    );
    assert_eq!(counts.errors["timed_out"], 4);
    assert!(
        (counts.cost_usd - 0.000_000_004).abs() < 1e-15,
        "{}",
        counts.cost_usd
    );
    // Over months, oldest first, and of this bot alone.
    for ms in [-40, 20, 3].map(|days: i64| days * 86_400_000) {
        e.table
            .count_trial(&id.bot_id, &spent, after(ms))
            .await
            .unwrap();
    }
    e.table
        .count_trial(&bot_id("other"), &spent, NOW)
        .await
        .unwrap();
    let day = Day::of(NOW);
    let hours = e
        .table
        .usage_between(&id.bot_id, day.plus(-60), day.plus(60))
        .await
        .unwrap();
    assert!(
        hours.len() == 4 && hours.is_sorted_by_key(|hour| hour.at),
        "{}",
        hours.len()
    );
    let some = e
        .table
        .usage_between(&id.bot_id, day, day.plus(3))
        .await
        .unwrap();
    assert_eq!(some.len(), 2);
}
