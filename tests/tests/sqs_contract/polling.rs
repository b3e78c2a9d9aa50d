//! Delays and long polls.

use std::time::Duration;

use anyhow::{Result, ensure};
use aws_sdk_sqs::types::QueueAttributeName;
use tokio::time::Instant;

use crate::endpoint::{Endpoint, SOON, refused};

pub async fn a_delayed_message_arrives_after_its_delay_and_not_before(e: &Endpoint) -> Result<()> {
    let url = e.queue("delayed", &[]).await?;
    let asked = Instant::now();
    e.send_delayed(&url, "later", 1).await?;
    let sent = Instant::now();
    e.expect_nothing(&url, "before the delay").await?;
    e.receive_one(&url, 5, 30).await?;
    ensure!(
        asked.elapsed() >= Duration::from_secs(1),
        "early, after {:?}",
        asked.elapsed()
    );
    ensure!(
        sent.elapsed() <= Duration::from_secs(1) + SOON,
        "late, after {:?}",
        sent.elapsed()
    );
    Ok(())
}

pub async fn a_queues_delay_applies_and_a_messages_own_overrules_it(e: &Endpoint) -> Result<()> {
    let url = e
        .queue("delayed", &[(QueueAttributeName::DelaySeconds, "1")])
        .await?;
    let asked = Instant::now();
    e.send(&url, "later").await?;
    e.send_delayed(&url, "now", 0).await?;
    let first = e.receive_one(&url, 0, 30).await?;
    ensure!(
        first.body() == Some("now"),
        "the message without delay comes first"
    );
    let second = e.receive_one(&url, 5, 30).await?;
    ensure!(second.body() == Some("later"));
    ensure!(
        asked.elapsed() >= Duration::from_secs(1),
        "early, after {:?}",
        asked.elapsed()
    );
    Ok(())
}

pub async fn a_delay_outside_0_to_900_is_refused(e: &Endpoint) -> Result<()> {
    let url = e.queue("delayed", &[]).await?;
    e.send_delayed(&url, "the longest", 900).await?;
    for seconds in [-1, 901] {
        let asked = e
            .client
            .send_message()
            .queue_url(&url)
            .message_body("x")
            .delay_seconds(seconds);
        refused(
            asked.send().await,
            "InvalidParameterValue",
            &format!("{seconds} seconds"),
        )?;
    }
    Ok(())
}

pub async fn a_long_poll_ends_when_a_message_is_sent(e: &Endpoint) -> Result<()> {
    let url = e.queue("poll", &[]).await?;
    let send_later = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        e.send(&url, "hello").await?;
        anyhow::Ok(Instant::now())
    };
    let poll = async {
        e.receive_one(&url, 10, 30).await?;
        anyhow::Ok(Instant::now())
    };
    let (sent, received) = tokio::try_join!(send_later, poll)?;
    let late = received.saturating_duration_since(sent);
    ensure!(late < SOON, "received {late:?} after it was sent");
    Ok(())
}

pub async fn a_long_poll_ends_when_a_delayed_message_is_due(e: &Endpoint) -> Result<()> {
    let url = e.queue("poll", &[]).await?;
    let send_later = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        e.send_delayed(&url, "later", 1).await?;
        anyhow::Ok(Instant::now())
    };
    let poll = async {
        e.receive_one(&url, 10, 30).await?;
        anyhow::Ok(Instant::now())
    };
    let (sent, received) = tokio::try_join!(send_later, poll)?;
    let after = received.saturating_duration_since(sent);
    ensure!(
        after < Duration::from_secs(1) + SOON,
        "received {after:?} after it was sent"
    );
    ensure!(
        after > Duration::from_millis(800),
        "received {after:?} after it was sent"
    );
    Ok(())
}

pub async fn a_long_poll_without_messages_ends_empty_after_its_wait(e: &Endpoint) -> Result<()> {
    let url = e.queue("poll", &[]).await?;
    let asked = Instant::now();
    ensure!(e.receive(&url, 1).await?.is_empty());
    let waited = asked.elapsed();
    ensure!(waited >= Duration::from_secs(1), "waited {waited:?} only");
    ensure!(waited < Duration::from_secs(1) + SOON, "waited {waited:?}");
    Ok(())
}

pub async fn a_short_poll_does_not_wait(e: &Endpoint) -> Result<()> {
    let url = e.queue("poll", &[]).await?;
    let asked = Instant::now();
    e.expect_nothing(&url, "in a new queue").await?;
    ensure!(asked.elapsed() < SOON, "waited {:?}", asked.elapsed());
    Ok(())
}

pub async fn a_queues_own_wait_applies_to_a_receive_without_one(e: &Endpoint) -> Result<()> {
    let url = e
        .queue(
            "poll",
            &[(QueueAttributeName::ReceiveMessageWaitTimeSeconds, "1")],
        )
        .await?;
    let asked = Instant::now();
    e.client.receive_message().queue_url(&url).send().await?;
    ensure!(
        asked.elapsed() >= Duration::from_secs(1),
        "waited {:?} only",
        asked.elapsed()
    );
    let asked = Instant::now();
    e.client
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(0)
        .send()
        .await?;
    ensure!(
        asked.elapsed() < SOON,
        "its own 0 overrules, but it waited {:?}",
        asked.elapsed()
    );
    Ok(())
}

pub async fn one_message_goes_to_one_of_two_long_polls(e: &Endpoint) -> Result<()> {
    let url = e.queue("poll", &[]).await?;
    let send_later = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        e.send(&url, "only one").await
    };
    let (_, one, other) = tokio::try_join!(send_later, e.receive(&url, 2), e.receive(&url, 2))?;
    ensure!(
        one.len() + other.len() == 1,
        "{} and {} received it",
        one.len(),
        other.len()
    );
    Ok(())
}

pub async fn receive_parameters_outside_their_range_are_refused(e: &Endpoint) -> Result<()> {
    let url = e.queue("poll", &[]).await?;
    let ask = || e.client.receive_message().queue_url(&url);
    for number in [0, 11] {
        let what = format!("{number} messages");
        refused(
            ask().max_number_of_messages(number).send().await,
            "InvalidParameterValue",
            &what,
        )?;
    }
    for seconds in [-1, 21] {
        let what = format!("a wait of {seconds} s");
        refused(
            ask().wait_time_seconds(seconds).send().await,
            "InvalidParameterValue",
            &what,
        )?;
    }
    for seconds in [-1, 43_201] {
        let what = format!("a visibility of {seconds} s");
        refused(
            ask().visibility_timeout(seconds).send().await,
            "InvalidParameterValue",
            &what,
        )?;
    }
    Ok(())
}
