//! What a message carries: body, attributes, group id, checksums, and their limits.

use anyhow::{Context, Result, ensure};
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeName, MessageSystemAttributeNameForSends,
    MessageSystemAttributeValue,
};

use crate::endpoint::{Endpoint, now_ms, refused, system};

pub async fn a_body_comes_back_unchanged_with_its_checksum(e: &Endpoint) -> Result<()> {
    let url = e.queue("bodies", &[]).await?;
    // MD5 computed apart from any SQS.
    for (body, md5) in [
        ("hello", "5d41402abc4b2a76b9719d911017c592"),
        (
            "Halo kak 😀\n\t\"apa\" <kabar> & é",
            "7e3ed1a62942fcf715bd726568b5e59a",
        ),
    ] {
        let sent = e
            .client
            .send_message()
            .queue_url(&url)
            .message_body(body)
            .send()
            .await?;
        ensure!(
            sent.md5_of_message_body() == Some(md5),
            "sent: {:?}",
            sent.md5_of_message_body()
        );
        let message = e.receive_one(&url, 1, 30).await?;
        ensure!(message.body() == Some(body));
        ensure!(
            message.md5_of_body() == Some(md5),
            "received: {:?}",
            message.md5_of_body()
        );
        ensure!(message.message_id == sent.message_id);
    }
    Ok(())
}

pub async fn a_group_id_is_kept_and_returned(e: &Endpoint) -> Result<()> {
    let url = e.queue("groups", &[]).await?;
    e.client
        .send_message()
        .queue_url(&url)
        .message_body("x")
        .message_group_id("bot-1")
        .send()
        .await?;
    let message = e.receive_one(&url, 1, 30).await?;
    ensure!(system(&message, &MessageSystemAttributeName::MessageGroupId)? == "bot-1");
    Ok(())
}

pub async fn a_malformed_group_id_is_refused(e: &Endpoint) -> Result<()> {
    let url = e.queue("groups", &[]).await?;
    for group in ["two words".to_owned(), "x".repeat(129)] {
        let asked = e
            .client
            .send_message()
            .queue_url(&url)
            .message_body("x")
            .message_group_id(&group);
        refused(asked.send().await, "InvalidParameterValue", &group)?;
    }
    Ok(())
}

pub async fn system_attributes_come_only_when_asked_for(e: &Endpoint) -> Result<()> {
    let url = e.queue("system", &[]).await?;
    let before = now_ms();
    e.send(&url, "x").await?;
    let receive = || {
        e.client
            .receive_message()
            .queue_url(&url)
            .visibility_timeout(0)
    };
    let none = receive().send().await?.messages.unwrap_or_default();
    let attributes = none.first().context("no message")?.attributes();
    ensure!(
        attributes.is_none_or(std::collections::HashMap::is_empty),
        "attributes without asking"
    );
    let asked = receive().message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
    let one = asked.send().await?.messages.unwrap_or_default();
    let one = one.first().context("no message")?;
    ensure!(
        one.attributes()
            .is_some_and(|attributes| attributes.len() == 1),
        "others came too"
    );
    let sent: i64 = system(one, &MessageSystemAttributeName::SentTimestamp)?.parse()?;
    ensure!(
        (before - 1_000..=now_ms() + 1_000).contains(&sent),
        "sent at {sent}"
    );
    Ok(())
}

pub async fn an_unknown_system_attribute_is_refused(e: &Endpoint) -> Result<()> {
    let url = e.queue("system", &[]).await?;
    let unknown = MessageSystemAttributeName::from("Colour");
    let asked = e
        .client
        .receive_message()
        .queue_url(&url)
        .message_system_attribute_names(unknown);
    refused(
        asked.send().await,
        "InvalidAttributeName",
        "an unknown name",
    )
}

fn text(data_type: &str, value: &str) -> Result<MessageAttributeValue> {
    Ok(MessageAttributeValue::builder()
        .data_type(data_type)
        .string_value(value)
        .build()?)
}

pub async fn message_attributes_come_back_with_the_checksum_of_those_returned(
    e: &Endpoint,
) -> Result<()> {
    let url = e.queue("attributes", &[]).await?;
    let bytes = MessageAttributeValue::builder().data_type("Binary.raw");
    let bytes = bytes.binary_value(Blob::new([0_u8, 1, 254, 255])).build()?;
    let asked = e.client.send_message().queue_url(&url).message_body("x");
    let asked = asked.message_attributes("trace.id", text("String", "abc-é")?);
    let asked = asked
        .message_attributes("trace.n", text("Number.int", "-12")?)
        .message_attributes("raw", bytes);
    let sent = asked.send().await?;
    // MD5s by the developer guide's encoding, computed apart from any SQS.
    let all_md5 = "e7f3357b343a5afebf7b524027cce981";
    ensure!(
        sent.md5_of_message_attributes() == Some(all_md5),
        "{:?}",
        sent.md5_of_message_attributes()
    );
    let receive = |names: &str| {
        e.client
            .receive_message()
            .queue_url(&url)
            .visibility_timeout(0)
            .message_attribute_names(names)
            .send()
    };
    let all = receive("All").await?.messages.unwrap_or_default();
    let all = all.first().context("no message")?;
    ensure!(
        all.md5_of_message_attributes() == Some(all_md5),
        "{:?}",
        all.md5_of_message_attributes()
    );
    let values = all.message_attributes().context("no attributes")?;
    ensure!(values.len() == 3);
    ensure!(values["trace.id"].string_value() == Some("abc-é"));
    ensure!(values["trace.n"].data_type() == "Number.int");
    ensure!(
        values["raw"]
            .binary_value()
            .is_some_and(|blob| blob.as_ref() == [0, 1, 254, 255])
    );
    let some = receive("trace.*").await?.messages.unwrap_or_default();
    let some = some.first().context("no message")?;
    let some_md5 = "e1dc35884f6c8239c84d542d0fe31657";
    ensure!(
        some.md5_of_message_attributes() == Some(some_md5),
        "{:?}",
        some.md5_of_message_attributes()
    );
    ensure!(
        some.message_attributes()
            .is_some_and(|values| values.len() == 2)
    );
    let none = e
        .client
        .receive_message()
        .queue_url(&url)
        .send()
        .await?
        .messages
        .unwrap_or_default();
    let none = none.first().context("no message")?;
    ensure!(
        none.message_attributes()
            .is_none_or(std::collections::HashMap::is_empty)
    );
    Ok(())
}

pub async fn malformed_message_attributes_are_refused(e: &Endpoint) -> Result<()> {
    let url = e.queue("attributes", &[]).await?;
    let good = || text("String", "x");
    let long = "x".repeat(257);
    let mut cases: Vec<(&str, &str, MessageAttributeValue)> = vec![
        ("a number that is none", "a", text("Number", "many")?),
        ("an empty value", "a", text("String", "")?),
        ("an unknown type", "a", text("Colour", "red")?),
        (
            "no value",
            "a",
            MessageAttributeValue::builder()
                .data_type("String")
                .build()?,
        ),
    ];
    for name in [".a", "a.", "a..b", "a b", "AWS.a", long.as_str()] {
        cases.push(("a malformed name", name, good()?));
    }
    for (what, name, value) in cases {
        let asked = e
            .client
            .send_message()
            .queue_url(&url)
            .message_body("x")
            .message_attributes(name, value);
        refused(
            asked.send().await,
            "InvalidParameterValue",
            &format!("{what} ({name:.10})"),
        )?;
    }
    let mut eleven = e.client.send_message().queue_url(&url).message_body("x");
    for number in 0..11 {
        eleven = eleven.message_attributes(format!("a{number}"), good()?);
    }
    refused(
        eleven.send().await,
        "InvalidParameterValue",
        "eleven attributes",
    )
}

pub async fn a_trace_header_is_kept_and_returned(e: &Endpoint) -> Result<()> {
    let url = e.queue("traced", &[]).await?;
    let header = MessageSystemAttributeValue::builder()
        .data_type("String")
        .string_value("Root=1-2-3")
        .build()?;
    let asked = e.client.send_message().queue_url(&url).message_body("x");
    asked
        .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, header)
        .send()
        .await?;
    let message = e.receive_one(&url, 1, 30).await?;
    ensure!(system(&message, &MessageSystemAttributeName::AwsTraceHeader)? == "Root=1-2-3");
    Ok(())
}

pub async fn an_empty_body_is_refused(e: &Endpoint) -> Result<()> {
    let url = e.queue("bodies", &[]).await?;
    let asked = e.client.send_message().queue_url(&url).message_body("");
    refused(asked.send().await, "MissingParameter", "an empty body")
}

pub async fn characters_that_sqs_does_not_carry_are_refused(e: &Endpoint) -> Result<()> {
    let url = e.queue("bodies", &[]).await?;
    for body in ["nul \u{0}", "escape \u{1b}", "\u{fffe}", "\u{ffff}"] {
        let asked = e.client.send_message().queue_url(&url).message_body(body);
        refused(
            asked.send().await,
            "InvalidMessageContents",
            &format!("{body:?}"),
        )?;
    }
    e.expect_nothing(&url, "after refusals").await
}

pub async fn a_body_of_one_mebibyte_is_taken_and_one_byte_more_is_refused(
    e: &Endpoint,
) -> Result<()> {
    let url = e.queue("bodies", &[]).await?;
    // Two bytes a character: the limit is in bytes.
    let most = "é".repeat(524_288);
    e.send(&url, &most).await?;
    let asked = e
        .client
        .send_message()
        .queue_url(&url)
        .message_body(format!("{most}x"));
    refused(asked.send().await, "InvalidParameterValue", "one byte more")?;
    ensure!(e.receive_one(&url, 1, 30).await?.body() == Some(most.as_str()));
    Ok(())
}

pub async fn attributes_count_towards_the_size_of_a_message(e: &Endpoint) -> Result<()> {
    let url = e.queue("attributes", &[]).await?;
    let most = "x".repeat(1_048_576);
    let asked = e.client.send_message().queue_url(&url).message_body(&most);
    let asked = asked.message_attributes("a", text("String", "x")?);
    refused(
        asked.send().await,
        "InvalidParameterValue",
        "a body of 1 MiB and an attribute",
    )
}

pub async fn a_deduplication_id_is_refused_by_a_standard_queue(e: &Endpoint) -> Result<()> {
    let url = e.queue("standard", &[]).await?;
    let asked = e
        .client
        .send_message()
        .queue_url(&url)
        .message_body("x")
        .message_deduplication_id("d");
    refused(
        asked.send().await,
        "InvalidParameterValue",
        "a deduplication id",
    )
}
