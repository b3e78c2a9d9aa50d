//! Dead-letter queues and their redrive.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_sqs::types::{
    ListMessageMoveTasksResultEntry, Message, MessageSystemAttributeName, QueueAttributeName,
};

use crate::endpoint::{Endpoint, handle, refused, system};

struct Pair {
    main: String,
    main_arn: String,
    dead: String,
    dead_arn: String,
}

/// A queue that gives up after `max_receive_count` receives, and its dead-letter queue.
async fn pair(e: &Endpoint, max_receive_count: u32) -> Result<Pair> {
    let dead = e.queue("dead", &[]).await?;
    let dead_arn = e.arn(&dead).await?;
    let policy = format!(
        r#"{{"deadLetterTargetArn":"{dead_arn}","maxReceiveCount":"{max_receive_count}"}}"#
    );
    let main = e
        .queue("main", &[(QueueAttributeName::RedrivePolicy, &policy)])
        .await?;
    let main_arn = e.arn(&main).await?;
    Ok(Pair {
        main,
        main_arn,
        dead,
        dead_arn,
    })
}

/// Receives the message from `main` twice in vain, and then from `dead`, where it is shown at once again.
async fn give_up(e: &Endpoint, pair: &Pair) -> Result<Message> {
    for _ in 0..2 {
        let message = e.receive_one(&pair.main, 1, 30).await?;
        show(e, &pair.main, &message).await?;
    }
    e.expect_nothing(&pair.main, "after two receives").await?;
    let message = e.receive_one(&pair.dead, 1, 30).await?;
    show(e, &pair.dead, &message).await?;
    Ok(message)
}

async fn show(e: &Endpoint, url: &str, message: &Message) -> Result<()> {
    let asked = e
        .client
        .change_message_visibility()
        .queue_url(url)
        .receipt_handle(handle(message)?);
    asked.visibility_timeout(0).send().await?;
    Ok(())
}

/// The newest task once it has ended.
async fn ended_task(e: &Endpoint, source_arn: &str) -> Result<ListMessageMoveTasksResultEntry> {
    for _ in 0..30 {
        let tasks = e
            .client
            .list_message_move_tasks()
            .source_arn(source_arn)
            .send()
            .await?;
        let newest = tasks
            .results()
            .first()
            .cloned()
            .context("no task is listed")?;
        if newest.status() != Some("RUNNING") {
            return Ok(newest);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("the task still runs after three seconds")
}

pub async fn a_message_received_too_often_moves_with_its_id_and_sent_time(
    e: &Endpoint,
) -> Result<()> {
    let pair = pair(e, 2).await?;
    let id = e.send(&pair.main, "poison").await?;
    let first = e.receive_one(&pair.main, 0, 30).await?;
    let sent = system(&first, &MessageSystemAttributeName::SentTimestamp)?.to_owned();
    show(e, &pair.main, &first).await?;
    let second = e.receive_one(&pair.main, 1, 30).await?;
    show(e, &pair.main, &second).await?;
    e.expect_nothing(&pair.main, "after two receives").await?;
    let dead = e.receive_one(&pair.dead, 1, 30).await?;
    ensure!(dead.message_id() == Some(id.as_str()), "it has another id");
    ensure!(dead.body() == Some("poison"));
    ensure!(
        system(&dead, &MessageSystemAttributeName::SentTimestamp)? == sent,
        "it has another sent time"
    );
    ensure!(system(&dead, &MessageSystemAttributeName::ApproximateReceiveCount)? == "3");
    ensure!(system(&dead, &MessageSystemAttributeName::DeadLetterQueueSourceArn)? == pair.main_arn);
    Ok(())
}

pub async fn a_redriven_message_returns_as_a_new_one(e: &Endpoint) -> Result<()> {
    let pair = pair(e, 2).await?;
    let sent = e
        .client
        .send_message()
        .queue_url(&pair.main)
        .message_body("poison")
        .message_group_id("demo");
    let id = sent.send().await?.message_id;
    let dead = give_up(e, &pair).await?;
    let started = e
        .client
        .start_message_move_task()
        .source_arn(&pair.dead_arn)
        .send()
        .await?;
    ensure!(
        started
            .task_handle()
            .is_some_and(|handle| !handle.is_empty())
    );
    let task = ended_task(e, &pair.dead_arn).await?;
    ensure!(
        task.status() == Some("COMPLETED"),
        "the task ended as {:?}",
        task.status()
    );
    ensure!(task.approximate_number_of_messages_moved() == 1);
    ensure!(task.source_arn() == Some(pair.dead_arn.as_str()));
    let back = e.receive_one(&pair.main, 1, 30).await?;
    ensure!(
        back.message_id.is_some() && back.message_id != id,
        "it has its old id"
    );
    ensure!(back.body() == Some("poison"));
    ensure!(system(&back, &MessageSystemAttributeName::ApproximateReceiveCount)? == "1");
    ensure!(system(&back, &MessageSystemAttributeName::MessageGroupId)? == "demo");
    let sent = |m: &Message| {
        anyhow::Ok(system(m, &MessageSystemAttributeName::SentTimestamp)?.parse::<i64>()?)
    };
    ensure!(sent(&back)? >= sent(&dead)?, "it was sent before itself");
    ensure!(system(&back, &MessageSystemAttributeName::DeadLetterQueueSourceArn).is_err());
    e.expect_nothing(&pair.dead, "after the redrive").await
}

pub async fn a_redrive_to_a_named_queue_goes_there(e: &Endpoint) -> Result<()> {
    let pair = pair(e, 2).await?;
    let other = e.queue("other", &[]).await?;
    e.send(&pair.dead, "direct").await?;
    let asked = e
        .client
        .start_message_move_task()
        .source_arn(&pair.dead_arn);
    asked.destination_arn(e.arn(&other).await?).send().await?;
    let task = ended_task(e, &pair.dead_arn).await?;
    ensure!(
        task.status() == Some("COMPLETED"),
        "the task ended as {:?}",
        task.status()
    );
    e.receive_one(&other, 1, 30).await?;
    Ok(())
}

pub async fn a_message_sent_directly_cannot_be_redriven_without_a_destination(
    e: &Endpoint,
) -> Result<()> {
    let pair = pair(e, 2).await?;
    e.send(&pair.dead, "direct").await?;
    e.client
        .start_message_move_task()
        .source_arn(&pair.dead_arn)
        .send()
        .await?;
    let task = ended_task(e, &pair.dead_arn).await?;
    ensure!(
        task.status() == Some("FAILED"),
        "the task ended as {:?}",
        task.status()
    );
    ensure!(task.failure_reason() == Some("CouldNotDetermineMessageSource"));
    e.receive_one(&pair.dead, 1, 30).await?;
    Ok(())
}

pub async fn only_an_existing_dead_letter_queue_can_be_redriven(e: &Endpoint) -> Result<()> {
    let pair = pair(e, 2).await?;
    let start = |arn: &str| e.client.start_message_move_task().source_arn(arn).send();
    refused(
        start(&pair.main_arn).await,
        "InvalidParameterValue",
        "no dead-letter queue",
    )?;
    let nowhere = format!("{}-nowhere", pair.dead_arn);
    refused(
        start(&nowhere).await,
        "ResourceNotFoundException",
        "no queue",
    )
}

pub async fn a_redrive_policy_must_be_well_formed_and_name_a_queue(e: &Endpoint) -> Result<()> {
    let pair = pair(e, 2).await?;
    let arn = &pair.dead_arn;
    for policy in [
        "not json".to_owned(),
        "{}".to_owned(),
        format!(r#"{{"deadLetterTargetArn":"{arn}"}}"#),
        format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":0}}"#),
        format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":1001}}"#),
        format!(r#"{{"deadLetterTargetArn":"{arn}-nowhere","maxReceiveCount":5}}"#),
    ] {
        let asked = e.client.set_queue_attributes().queue_url(&pair.main);
        let asked = asked.attributes(QueueAttributeName::RedrivePolicy, &policy);
        refused(asked.send().await, "InvalidAttributeValue", &policy)?;
    }
    Ok(())
}

pub async fn a_redrive_policy_can_be_set_read_and_removed(e: &Endpoint) -> Result<()> {
    let pair = pair(e, 2).await?;
    let policy = e
        .attributes(&pair.main)
        .await?
        .remove("RedrivePolicy")
        .context("no policy")?;
    let policy: serde_json::Value = serde_json::from_str(&policy)?;
    ensure!(policy["deadLetterTargetArn"] == pair.dead_arn.as_str());
    let count = policy["maxReceiveCount"].to_string();
    ensure!(count.trim_matches('"') == "2", "maxReceiveCount is {count}");
    let asked = e.client.set_queue_attributes().queue_url(&pair.main);
    asked
        .attributes(QueueAttributeName::RedrivePolicy, "")
        .send()
        .await?;
    ensure!(
        !e.attributes(&pair.main)
            .await?
            .contains_key("RedrivePolicy"),
        "it is still there"
    );
    Ok(())
}
