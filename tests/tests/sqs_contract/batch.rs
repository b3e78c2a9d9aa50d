//! Batches: faults of the whole, and faults of one entry.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    SendMessageBatchRequestEntry,
};

use crate::endpoint::{Endpoint, handle, refused};

fn entry(id: &str, body: &str) -> Result<SendMessageBatchRequestEntry> {
    Ok(SendMessageBatchRequestEntry::builder()
        .id(id)
        .message_body(body)
        .build()?)
}

pub async fn a_batch_of_ten_is_sent_received_and_deleted(e: &Endpoint) -> Result<()> {
    let url = e.queue("batch", &[]).await?;
    let entries: Result<Vec<_>> = (0..10)
        .map(|n| entry(&format!("e{n}"), &format!("body {n}")))
        .collect();
    let sent = e
        .client
        .send_message_batch()
        .queue_url(&url)
        .set_entries(Some(entries?))
        .send()
        .await?;
    ensure!(sent.failed().is_empty() && sent.successful().len() == 10);
    let ids: BTreeSet<&str> = sent
        .successful()
        .iter()
        .map(aws_sdk_sqs::types::SendMessageBatchResultEntry::message_id)
        .collect();
    ensure!(ids.len() == 10, "the ids are not distinct");
    let mut received = Vec::new();
    // A receive may return fewer than there are.
    for _ in 0..10 {
        received.extend(e.receive(&url, 1).await?);
        if received.len() >= 10 {
            break;
        }
    }
    let bodies: BTreeSet<&str> = received
        .iter()
        .filter_map(|message| message.body())
        .collect();
    ensure!(
        received.len() == 10 && bodies.len() == 10,
        "{} messages received",
        received.len()
    );
    let mut delete = e.client.delete_message_batch().queue_url(&url);
    for (number, message) in received.iter().enumerate() {
        let entry = DeleteMessageBatchRequestEntry::builder().id(number.to_string());
        delete = delete.entries(entry.receipt_handle(handle(message)?).build()?);
    }
    let deleted = delete.send().await?;
    ensure!(deleted.failed().is_empty() && deleted.successful().len() == 10);
    let attributes = e.attributes(&url).await?;
    ensure!(
        attributes["ApproximateNumberOfMessagesNotVisible"] == "0",
        "some are still in flight"
    );
    Ok(())
}

pub async fn an_invalid_entry_fails_alone(e: &Endpoint) -> Result<()> {
    let url = e.queue("batch", &[]).await?;
    let late = SendMessageBatchRequestEntry::builder()
        .id("late")
        .message_body("x")
        .delay_seconds(901)
        .build()?;
    let asked = e.client.send_message_batch().queue_url(&url);
    let asked = asked
        .entries(entry("good", "good")?)
        .entries(entry("bad", "nul \u{0}")?)
        .entries(late);
    let sent = asked.send().await?;
    let good: Vec<&str> = sent
        .successful()
        .iter()
        .map(aws_sdk_sqs::types::SendMessageBatchResultEntry::id)
        .collect();
    ensure!(good == ["good"], "{good:?} succeeded");
    let failed = |id: &str| {
        let failure = sent.failed().iter().find(|entry| entry.id() == id);
        failure.with_context(|| format!("{id} did not fail"))
    };
    ensure!(
        failed("bad")?.code() == "InvalidMessageContents",
        "bad: {}",
        failed("bad")?.code()
    );
    ensure!(
        failed("late")?.code() == "InvalidParameterValue",
        "late: {}",
        failed("late")?.code()
    );
    ensure!(failed("bad")?.sender_fault() && failed("late")?.sender_fault());
    ensure!(e.receive_one(&url, 1, 30).await?.body() == Some("good"));
    Ok(())
}

pub async fn a_batch_of_visibility_changes_applies_each(e: &Endpoint) -> Result<()> {
    let url = e.queue("batch", &[]).await?;
    let stays = e.send(&url, "stays hidden").await?;
    let first = e.receive_one(&url, 1, 30).await?;
    let shown = e.send(&url, "is shown").await?;
    let second = e.receive_one(&url, 1, 30).await?;
    let change = |id: &str, handle: &str, seconds: i32| {
        let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(id)
            .receipt_handle(handle);
        entry.visibility_timeout(seconds).build()
    };
    let asked = e.client.change_message_visibility_batch().queue_url(&url);
    let asked = asked
        .entries(change("a", handle(&first)?, 60)?)
        .entries(change("b", handle(&second)?, 0)?);
    let changed = asked.send().await?;
    ensure!(changed.failed().is_empty() && changed.successful().len() == 2);
    let visible = e.receive_one(&url, 1, 30).await?;
    ensure!(
        visible.message_id() == Some(shown.as_str())
            && visible.message_id() != Some(stays.as_str())
    );
    Ok(())
}

pub async fn a_bad_handle_in_a_batch_fails_alone(e: &Endpoint) -> Result<()> {
    let url = e.queue("batch", &[]).await?;
    e.send(&url, "hello").await?;
    let message = e.receive_one(&url, 1, 30).await?;
    let delete = |id: &str, handle: &str| {
        DeleteMessageBatchRequestEntry::builder()
            .id(id)
            .receipt_handle(handle)
            .build()
    };
    let asked = e.client.delete_message_batch().queue_url(&url);
    let asked = asked
        .entries(delete("bad", "nonsense")?)
        .entries(delete("good", handle(&message)?)?);
    let deleted = asked.send().await?;
    ensure!(
        deleted
            .successful()
            .iter()
            .map(aws_sdk_sqs::types::DeleteMessageBatchResultEntry::id)
            .eq(["good"])
    );
    let failure = deleted.failed().first().context("nothing failed")?;
    ensure!(
        failure.id() == "bad" && failure.code() == "ReceiptHandleIsInvalid",
        "{}",
        failure.code()
    );
    Ok(())
}

pub async fn an_empty_batch_is_refused(e: &Endpoint) -> Result<()> {
    let url = e.queue("batch", &[]).await?;
    let asked = e
        .client
        .send_message_batch()
        .queue_url(&url)
        .set_entries(Some(Vec::new()));
    refused(
        asked.send().await,
        "AWS.SimpleQueueService.EmptyBatchRequest",
        "no entry",
    )?;
    let asked = e
        .client
        .delete_message_batch()
        .queue_url(&url)
        .set_entries(Some(Vec::new()));
    refused(
        asked.send().await,
        "AWS.SimpleQueueService.EmptyBatchRequest",
        "no entry",
    )
}

pub async fn a_batch_of_eleven_is_refused(e: &Endpoint) -> Result<()> {
    let url = e.queue("batch", &[]).await?;
    let entries: Result<Vec<_>> = (0..11).map(|n| entry(&format!("e{n}"), "x")).collect();
    let asked = e
        .client
        .send_message_batch()
        .queue_url(&url)
        .set_entries(Some(entries?));
    refused(
        asked.send().await,
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        "eleven entries",
    )?;
    e.expect_nothing(&url, "after a refused batch").await
}

pub async fn entries_with_the_same_id_are_refused(e: &Endpoint) -> Result<()> {
    let url = e.queue("batch", &[]).await?;
    let asked = e.client.send_message_batch().queue_url(&url);
    let asked = asked
        .entries(entry("same", "x")?)
        .entries(entry("same", "y")?);
    refused(
        asked.send().await,
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        "one id twice",
    )?;
    e.expect_nothing(&url, "after a refused batch").await
}

pub async fn an_entry_id_with_other_characters_is_refused(e: &Endpoint) -> Result<()> {
    let url = e.queue("batch", &[]).await?;
    let long = "x".repeat(81);
    for id in ["a b", "ä", "", long.as_str()] {
        let asked = e
            .client
            .send_message_batch()
            .queue_url(&url)
            .entries(entry(id, "x")?);
        refused(
            asked.send().await,
            "AWS.SimpleQueueService.InvalidBatchEntryId",
            &format!("id {id:?}"),
        )?;
    }
    Ok(())
}

pub async fn a_batch_of_more_than_one_mebibyte_is_refused(e: &Endpoint) -> Result<()> {
    let url = e.queue("batch", &[]).await?;
    let half = "x".repeat(524_288);
    let over = format!("{half}x");
    let asked = e.client.send_message_batch().queue_url(&url);
    let asked = asked
        .entries(entry("a", &half)?)
        .entries(entry("b", &over)?);
    refused(
        asked.send().await,
        "AWS.SimpleQueueService.BatchRequestTooLong",
        "one byte too many",
    )?;
    e.expect_nothing(&url, "after a refused batch").await?;
    let asked = e.client.send_message_batch().queue_url(&url);
    let sent = asked
        .entries(entry("a", &half)?)
        .entries(entry("b", &half)?)
        .send()
        .await?;
    ensure!(sent.successful().len() == 2);
    Ok(())
}
