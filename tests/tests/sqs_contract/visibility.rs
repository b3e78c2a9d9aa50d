//! Visibility timeouts, receipt handles and receive counts.

use std::time::Duration;

use anyhow::{Result, ensure};
use aws_sdk_sqs::types::MessageSystemAttributeName::{
    ApproximateFirstReceiveTimestamp, ApproximateReceiveCount,
};
use tokio::time::{Instant, sleep};

use crate::endpoint::{Endpoint, handle, refused, system};

async fn change(e: &Endpoint, url: &str, handle: &str, seconds: i32) -> Result<()> {
    let asked = e
        .client
        .change_message_visibility()
        .queue_url(url)
        .receipt_handle(handle);
    asked.visibility_timeout(seconds).send().await?;
    Ok(())
}

pub async fn a_received_message_is_hidden_until_its_visibility_timeout_ends(
    e: &Endpoint,
) -> Result<()> {
    let url = e.queue("hidden", &[]).await?;
    e.send(&url, "hello").await?;
    let asked = Instant::now();
    e.receive_one(&url, 0, 1).await?;
    e.expect_nothing(&url, "while it is hidden").await?;
    e.receive_one(&url, 5, 30).await?;
    ensure!(
        asked.elapsed() >= Duration::from_secs(1),
        "back after {:?}",
        asked.elapsed()
    );
    Ok(())
}

pub async fn a_longer_visibility_keeps_a_message_hidden(e: &Endpoint) -> Result<()> {
    let url = e.queue("hidden", &[]).await?;
    e.send(&url, "hello").await?;
    let message = e.receive_one(&url, 0, 1).await?;
    let asked = Instant::now();
    change(e, &url, handle(&message)?, 2).await?;
    sleep(Duration::from_millis(1_300)).await;
    e.expect_nothing(&url, "after the first timeout, which was changed")
        .await?;
    e.receive_one(&url, 5, 30).await?;
    ensure!(
        asked.elapsed() >= Duration::from_secs(2),
        "back after {:?}",
        asked.elapsed()
    );
    Ok(())
}

pub async fn visibility_zero_shows_a_message_at_once(e: &Endpoint) -> Result<()> {
    let url = e.queue("hidden", &[]).await?;
    e.send(&url, "hello").await?;
    let message = e.receive_one(&url, 0, 30).await?;
    change(e, &url, handle(&message)?, 0).await?;
    e.receive_one(&url, 1, 30).await?;
    Ok(())
}

pub async fn each_receive_raises_the_count_and_keeps_the_first_receives_time(
    e: &Endpoint,
) -> Result<()> {
    let url = e.queue("counted", &[]).await?;
    let id = e.send(&url, "hello").await?;
    let mut first_received = None;
    for count in 1..=3 {
        let message = e.receive_one(&url, 1, 30).await?;
        ensure!(message.message_id() == Some(id.as_str()));
        ensure!(system(&message, &ApproximateReceiveCount)? == count.to_string());
        let received = system(&message, &ApproximateFirstReceiveTimestamp)?.to_owned();
        let first = first_received.get_or_insert_with(|| received.clone());
        ensure!(*first == received, "the first receive's time changed");
        change(e, &url, handle(&message)?, 0).await?;
    }
    Ok(())
}

pub async fn each_receive_has_its_own_handle_and_an_older_one_deletes_nothing(
    e: &Endpoint,
) -> Result<()> {
    let url = e.queue("handles", &[]).await?;
    e.send(&url, "hello").await?;
    let first = e.receive_one(&url, 0, 30).await?;
    change(e, &url, handle(&first)?, 0).await?;
    let second = e.receive_one(&url, 1, 30).await?;
    ensure!(handle(&first)? != handle(&second)?);
    e.delete(&url, handle(&first)?).await?;
    change(e, &url, handle(&second)?, 0).await?;
    e.receive_one(&url, 1, 30).await?;
    Ok(())
}

pub async fn a_handle_deletes_after_its_visibility_timeout_ended(e: &Endpoint) -> Result<()> {
    let url = e.queue("handles", &[]).await?;
    e.send(&url, "hello").await?;
    let message = e.receive_one(&url, 0, 1).await?;
    sleep(Duration::from_millis(1_200)).await;
    e.delete(&url, handle(&message)?).await?;
    e.expect_nothing(&url, "after it was deleted").await
}

pub async fn deleting_a_message_twice_succeeds(e: &Endpoint) -> Result<()> {
    let url = e.queue("handles", &[]).await?;
    e.send(&url, "hello").await?;
    let message = e.receive_one(&url, 0, 1).await?;
    e.delete(&url, handle(&message)?).await?;
    e.delete(&url, handle(&message)?).await?;
    ensure!(e.receive(&url, 2).await?.is_empty(), "the message is back");
    Ok(())
}

pub async fn a_malformed_handle_is_refused(e: &Endpoint) -> Result<()> {
    let url = e.queue("handles", &[]).await?;
    let delete = e
        .client
        .delete_message()
        .queue_url(&url)
        .receipt_handle("nonsense");
    refused(delete.send().await, "ReceiptHandleIsInvalid", "a deletion")?;
    let change = e
        .client
        .change_message_visibility()
        .queue_url(&url)
        .receipt_handle("nonsense");
    refused(
        change.visibility_timeout(1).send().await,
        "ReceiptHandleIsInvalid",
        "a change of visibility",
    )
}

pub async fn the_visibility_of_a_message_that_is_visible_again_cannot_change(
    e: &Endpoint,
) -> Result<()> {
    let url = e.queue("visible", &[]).await?;
    e.send(&url, "hello").await?;
    let message = e.receive_one(&url, 0, 30).await?;
    change(e, &url, handle(&message)?, 0).await?;
    let asked = e
        .client
        .change_message_visibility()
        .queue_url(&url)
        .receipt_handle(handle(&message)?);
    let result = asked.visibility_timeout(5).send().await;
    refused(
        result,
        "AWS.SimpleQueueService.MessageNotInflight",
        "a visible message",
    )
}

pub async fn the_visibility_of_a_deleted_message_cannot_change(e: &Endpoint) -> Result<()> {
    let url = e.queue("deleted", &[]).await?;
    e.send(&url, "hello").await?;
    let message = e.receive_one(&url, 0, 30).await?;
    e.delete(&url, handle(&message)?).await?;
    let asked = e
        .client
        .change_message_visibility()
        .queue_url(&url)
        .receipt_handle(handle(&message)?);
    refused(
        asked.visibility_timeout(5).send().await,
        "InvalidParameterValue",
        "a deleted message",
    )
}

pub async fn a_visibility_beyond_twelve_hours_is_refused(e: &Endpoint) -> Result<()> {
    let url = e.queue("visible", &[]).await?;
    e.send(&url, "hello").await?;
    let message = e.receive_one(&url, 0, 30).await?;
    for seconds in [-1, 43_201] {
        let asked = e
            .client
            .change_message_visibility()
            .queue_url(&url)
            .receipt_handle(handle(&message)?);
        let what = format!("{seconds} seconds");
        refused(
            asked.visibility_timeout(seconds).send().await,
            "InvalidParameterValue",
            &what,
        )?;
    }
    Ok(())
}
