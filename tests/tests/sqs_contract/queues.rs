//! Queues and their attributes.

use anyhow::{Result, ensure};
use aws_sdk_sqs::types::QueueAttributeName;

use crate::endpoint::{Endpoint, refused};

const NO_QUEUE: &str = "AWS.SimpleQueueService.NonExistentQueue";

pub async fn an_unknown_queue_is_refused_with_its_legacy_code(e: &Endpoint) -> Result<()> {
    let url = format!("{}-nowhere", e.queue("queue", &[]).await?);
    let send = e
        .client
        .send_message()
        .queue_url(&url)
        .message_body("x")
        .send()
        .await;
    let typed = send
        .as_ref()
        .err()
        .and_then(|error| error.as_service_error());
    ensure!(
        typed.is_some_and(
            aws_sdk_sqs::operation::send_message::SendMessageError::is_queue_does_not_exist
        ),
        "the SDK does not know the error"
    );
    refused(send, NO_QUEUE, "a send")?;
    refused(
        e.client.receive_message().queue_url(&url).send().await,
        NO_QUEUE,
        "a receive",
    )?;
    refused(
        e.client.get_queue_attributes().queue_url(&url).send().await,
        NO_QUEUE,
        "its attributes",
    )?;
    refused(
        e.client
            .get_queue_url()
            .queue_name(e.name("nowhere"))
            .send()
            .await,
        NO_QUEUE,
        "its URL",
    )
}

pub async fn a_queue_is_found_by_its_name_and_gone_after_its_deletion(e: &Endpoint) -> Result<()> {
    let url = e.queue("queue", &[]).await?;
    let found = e
        .client
        .get_queue_url()
        .queue_name(e.name("queue"))
        .send()
        .await?;
    ensure!(found.queue_url() == Some(url.as_str()));
    e.client.delete_queue().queue_url(&url).send().await?;
    refused(
        e.client
            .get_queue_url()
            .queue_name(e.name("queue"))
            .send()
            .await,
        NO_QUEUE,
        "its URL",
    )
}

pub async fn creating_a_queue_again_must_ask_for_the_same(e: &Endpoint) -> Result<()> {
    let three = [(QueueAttributeName::DelaySeconds, "3")];
    let url = e.queue("queue", &three).await?;
    ensure!(e.queue("queue", &three).await? == url);
    let asked = e.client.create_queue().queue_name(e.name("queue"));
    let asked = asked.attributes(QueueAttributeName::DelaySeconds, "4");
    refused(asked.send().await, "QueueAlreadyExists", "another delay")
}

pub async fn a_new_queue_has_the_attributes_that_aws_gives_it(e: &Endpoint) -> Result<()> {
    let url = e.queue("queue", &[]).await?;
    let attributes = e.attributes(&url).await?;
    for (name, value) in [
        ("DelaySeconds", "0"),
        ("VisibilityTimeout", "30"),
        ("MessageRetentionPeriod", "345600"),
        ("ReceiveMessageWaitTimeSeconds", "0"),
        ("MaximumMessageSize", "1048576"),
        ("ApproximateNumberOfMessages", "0"),
    ] {
        let found = attributes.get(name).map(String::as_str);
        ensure!(found == Some(value), "{name} is {found:?}");
    }
    let arn = attributes
        .get("QueueArn")
        .map(String::as_str)
        .unwrap_or_default();
    ensure!(
        arn.starts_with("arn:aws:sqs:") && arn.ends_with(&e.name("queue")),
        "{arn}"
    );
    Ok(())
}

pub async fn only_the_attributes_asked_for_are_returned(e: &Endpoint) -> Result<()> {
    let url = e.queue("queue", &[]).await?;
    let asked = e.client.get_queue_attributes().queue_url(&url);
    let one = asked
        .attribute_names(QueueAttributeName::VisibilityTimeout)
        .send()
        .await?;
    let one = one.attributes.unwrap_or_default();
    ensure!(
        one.len() == 1 && one[&QueueAttributeName::VisibilityTimeout] == "30",
        "{} came",
        one.len()
    );
    let none = e
        .client
        .get_queue_attributes()
        .queue_url(&url)
        .send()
        .await?;
    let none = none.attributes.unwrap_or_default();
    ensure!(none.is_empty(), "{} came without asking", none.len());
    Ok(())
}

pub async fn attribute_values_out_of_range_are_refused(e: &Endpoint) -> Result<()> {
    let url = e.queue("queue", &[]).await?;
    let set = |name: QueueAttributeName, value: &str| {
        e.client
            .set_queue_attributes()
            .queue_url(&url)
            .attributes(name, value)
            .send()
    };
    for (name, value) in [
        (QueueAttributeName::DelaySeconds, "901"),
        (QueueAttributeName::DelaySeconds, "1.5"),
        (QueueAttributeName::VisibilityTimeout, "43201"),
        (QueueAttributeName::VisibilityTimeout, "-1"),
        (QueueAttributeName::MessageRetentionPeriod, "59"),
        (QueueAttributeName::ReceiveMessageWaitTimeSeconds, "21"),
        (QueueAttributeName::MaximumMessageSize, "1023"),
    ] {
        let what = format!("{name:?} {value}");
        refused(set(name, value).await, "InvalidAttributeValue", &what)?;
    }
    ensure!(
        e.attributes(&url).await?["VisibilityTimeout"] == "30",
        "a refused change applied"
    );
    Ok(())
}

pub async fn an_attribute_that_cannot_be_set_is_refused(e: &Endpoint) -> Result<()> {
    let url = e.queue("queue", &[]).await?;
    for name in [
        QueueAttributeName::from("Colour"),
        QueueAttributeName::ApproximateNumberOfMessages,
    ] {
        let what = format!("{name:?}");
        let asked = e
            .client
            .set_queue_attributes()
            .queue_url(&url)
            .attributes(name, "5");
        refused(asked.send().await, "InvalidAttributeName", &what)?;
    }
    Ok(())
}

pub async fn a_malformed_queue_name_is_refused(e: &Endpoint) -> Result<()> {
    for name in ["two words".to_owned(), "dot.ted".to_owned(), "x".repeat(81)] {
        let asked = e.client.create_queue().queue_name(&name);
        refused(asked.send().await, "InvalidParameterValue", &name)?;
    }
    Ok(())
}

pub async fn queues_are_listed_by_prefix_in_pages(e: &Endpoint) -> Result<()> {
    let mut made = Vec::new();
    for name in ["list-a", "list-b", "list-c"] {
        made.push(e.queue(name, &[]).await?);
    }
    e.queue("other", &[]).await?;
    let list = || e.client.list_queues().queue_name_prefix(e.name("list-"));
    let mut all = list().send().await?.queue_urls.unwrap_or_default();
    all.sort();
    ensure!(all == made, "{} listed", all.len());
    let first = list().max_results(2).send().await?;
    ensure!(
        first.queue_urls().len() == 2,
        "{} in the first page",
        first.queue_urls().len()
    );
    ensure!(first.next_token().is_some(), "no token for the second page");
    let second = list()
        .max_results(2)
        .set_next_token(first.next_token.clone())
        .send()
        .await?;
    let mut paged = [first.queue_urls(), second.queue_urls()].concat();
    paged.sort();
    ensure!(paged == made && second.next_token().is_none());
    Ok(())
}

pub async fn the_counts_follow_the_messages(e: &Endpoint) -> Result<()> {
    let url = e.queue("counts", &[]).await?;
    e.send(&url, "in flight").await?;
    e.receive_one(&url, 1, 30).await?;
    e.send(&url, "visible").await?;
    e.send(&url, "visible").await?;
    e.send_delayed(&url, "delayed", 900).await?;
    let attributes = e.attributes(&url).await?;
    for (name, count) in [
        ("ApproximateNumberOfMessages", "2"),
        ("ApproximateNumberOfMessagesNotVisible", "1"),
        ("ApproximateNumberOfMessagesDelayed", "1"),
    ] {
        let found = attributes.get(name).map(String::as_str);
        ensure!(found == Some(count), "{name} is {found:?}");
    }
    Ok(())
}

pub async fn a_purge_empties_the_queue_and_another_must_wait(e: &Endpoint) -> Result<()> {
    let url = e.queue("purged", &[]).await?;
    e.send(&url, "visible").await?;
    e.send_delayed(&url, "delayed", 1).await?;
    e.client.purge_queue().queue_url(&url).send().await?;
    ensure!(e.receive(&url, 2).await?.is_empty(), "a message is left");
    let again = e.client.purge_queue().queue_url(&url).send().await;
    refused(
        again,
        "AWS.SimpleQueueService.PurgeQueueInProgress",
        "a second purge",
    )
}
