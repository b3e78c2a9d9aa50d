//! The endpoint under contract, and what the cases do with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Region, retry::RetryConfig};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use tests::contract::Suite;

/// How late a message may be seen. Generous: it says "soon", and the cores are shared with the other cases.
pub const SOON: Duration = Duration::from_millis(900);

/// Its variables begin so: [`tests::contract`].
pub const SUITE: Suite = Suite("SQS");

pub struct Endpoint {
    pub client: Client,
    /// In every queue's name, so that cases and runs do not meet.
    run: String,
    _server: Option<ServerGuard>,
}

/// Ends our server with the case.
struct ServerGuard(tokio::task::JoinHandle<()>);

impl Drop for ServerGuard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the suite's own settings, and the wall clock it hands to the engine"
)]
mod outside {
    pub fn now_ms() -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
    }

    pub fn serve(
        listener: tokio::net::TcpListener,
        router: axum::Router,
    ) -> tokio::task::JoinHandle<()> {
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("the server under contract ended: {error}");
            }
        })
    }
}
pub use outside::now_ms;

impl Endpoint {
    /// The endpoint that `SQS_CONTRACT_ENDPOINT` names, or our own on a port of its own.
    pub async fn open() -> Self {
        let (url, server) = match SUITE.endpoint() {
            Some(url) => (url, None),
            None => {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let url = format!("http://{}", listener.local_addr().unwrap());
                let sqs = local::sqs::Sqs::new(&url, Arc::new(now_ms));
                (
                    url,
                    Some(ServerGuard(outside::serve(listener, sqs.router()))),
                )
            }
        };
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(local::sqs::REGION))
            .allow_no_auth()
            .endpoint_url(url)
            // A refusal must show itself the first time.
            .retry_config(RetryConfig::disabled())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        // Unique in time and process: one endpoint serves all cases at once.
        static OPENED: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = OPENED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let run = format!("c{}-{}-{number}", now_ms(), std::process::id());
        let endpoint = Self {
            client: Client::from_conf(config),
            run,
            _server: server,
        };
        // Whatever fails here is no deviation but an endpoint that is not there.
        endpoint.is_there().await;
        endpoint
    }

    /// Panics unless the endpoint answers.
    pub async fn is_there(&self) {
        let answer = self.client.list_queues().send().await;
        answer.expect("the endpoint does not answer");
    }

    pub fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.run)
    }

    /// A new queue's URL.
    pub async fn queue(
        &self,
        name: &str,
        attributes: &[(QueueAttributeName, &str)],
    ) -> Result<String> {
        let mut asked = self.client.create_queue().queue_name(self.name(name));
        for (attribute, value) in attributes {
            asked = asked.attributes(attribute.clone(), *value);
        }
        asked.send().await?.queue_url.context("no queue URL")
    }

    /// Sends; the message's id.
    pub async fn send(&self, url: &str, body: &str) -> Result<String> {
        let sent = self
            .client
            .send_message()
            .queue_url(url)
            .message_body(body)
            .send()
            .await?;
        sent.message_id.context("no message id")
    }

    /// Sends with a delay; the message's id.
    pub async fn send_delayed(&self, url: &str, body: &str, seconds: i32) -> Result<String> {
        let asked = self
            .client
            .send_message()
            .queue_url(url)
            .message_body(body)
            .delay_seconds(seconds);
        asked.send().await?.message_id.context("no message id")
    }

    /// Receives up to ten with every system and message attribute, waiting `wait` seconds.
    pub async fn receive(&self, url: &str, wait: i32) -> Result<Vec<Message>> {
        self.receive_for(url, wait, 30).await
    }

    /// As [`Endpoint::receive`], hiding what comes for `visibility` seconds.
    pub async fn receive_for(&self, url: &str, wait: i32, visibility: i32) -> Result<Vec<Message>> {
        let asked = self
            .client
            .receive_message()
            .queue_url(url)
            .wait_time_seconds(wait);
        let asked = asked
            .visibility_timeout(visibility)
            .max_number_of_messages(10);
        let asked = asked.message_system_attribute_names(MessageSystemAttributeName::All);
        let received = asked.message_attribute_names("All").send().await?;
        Ok(received.messages.unwrap_or_default())
    }

    /// Receives exactly one, waiting `wait` seconds, hiding it for `visibility` seconds.
    pub async fn receive_one(&self, url: &str, wait: i32, visibility: i32) -> Result<Message> {
        let mut messages = self.receive_for(url, wait, visibility).await?;
        ensure!(
            messages.len() == 1,
            "{} messages instead of one",
            messages.len()
        );
        messages.pop().context("no message")
    }

    pub async fn expect_nothing(&self, url: &str, when: &str) -> Result<()> {
        let messages = self.receive(url, 0).await?;
        ensure!(messages.is_empty(), "{} messages {when}", messages.len());
        Ok(())
    }

    pub async fn delete(&self, url: &str, handle: &str) -> Result<()> {
        self.client
            .delete_message()
            .queue_url(url)
            .receipt_handle(handle)
            .send()
            .await?;
        Ok(())
    }

    /// All attributes of a queue by their wire names.
    pub async fn attributes(&self, url: &str) -> Result<BTreeMap<String, String>> {
        let asked = self
            .client
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(QueueAttributeName::All);
        let attributes = asked.send().await?.attributes.unwrap_or_default();
        Ok(attributes
            .into_iter()
            .map(|(name, value)| (name.as_str().to_owned(), value))
            .collect())
    }

    pub async fn arn(&self, url: &str) -> Result<String> {
        self.attributes(url)
            .await?
            .remove("QueueArn")
            .context("no ARN")
    }
}

pub fn handle(message: &Message) -> Result<&str> {
    message.receipt_handle().context("no receipt handle")
}

/// A system attribute of a received message.
pub fn system<'a>(message: &'a Message, name: &MessageSystemAttributeName) -> Result<&'a str> {
    let value = message
        .attributes()
        .and_then(|attributes| attributes.get(name));
    value
        .map(String::as_str)
        .with_context(|| format!("no {name:?}"))
}

/// Expects a refusal with this code (the one of the query protocol, which SDKs show).
pub fn refused<T, E>(result: Result<T, SdkError<E>>, code: &str, what: &str) -> Result<()>
where
    E: ProvideErrorMetadata,
{
    match result {
        Ok(_) => bail!("{what}: accepted instead of refused with {code}"),
        Err(error) => {
            let found = error.code().unwrap_or("no code");
            ensure!(
                found == code,
                "{what}: refused with {found} instead of {code}"
            );
            Ok(())
        }
    }
}
