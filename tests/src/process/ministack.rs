//! ministack: another emulator's DynamoDB, SQS, SSM and event source mapping, as a second opinion on ours.

use std::path::Path;
use std::process::Command;

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_sdk_ssm::types::ParameterType;
use local::world::{DLQ, QUEUE, TABLE, as_deployed};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{PATIENCE, Process, free_port, wire};

/// A running ministack.
pub struct Ministack {
    /// The process.
    pub process: Process,
    /// Where it listens.
    pub base_url: String,
    /// Its DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Its SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// Its SSM.
    pub ssm: aws_sdk_ssm::Client,
}

impl Ministack {
    /// Starts it; its own files go into `folder`.
    pub async fn start(folder: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new("ministack");
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", folder)
            .env("TMPDIR", folder)
            // It listens on every interface unless told.
            .env("BIND_HOST", "127.0.0.1")
            .env("MINISTACK_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string());
        let process = Process::start("ministack", &mut command, true);
        let base_url = format!("http://127.0.0.1:{port}");
        let ministack = Self {
            process,
            dynamodb: aws_sdk_dynamodb::Client::from_conf(
                aws_sdk_dynamodb::Config::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .region(Region::from_static("us-east-1"))
                    .credentials_provider(credentials())
                    .endpoint_url(&base_url)
                    .http_client(aws_smithy_http_client::Builder::new().build_http())
                    .build(),
            ),
            sqs: aws_sdk_sqs::Client::from_conf(
                aws_sdk_sqs::Config::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .region(Region::from_static("us-east-1"))
                    .credentials_provider(credentials())
                    .endpoint_url(&base_url)
                    .http_client(aws_smithy_http_client::Builder::new().build_http())
                    .build(),
            ),
            ssm: aws_sdk_ssm::Client::from_conf(
                aws_sdk_ssm::Config::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .region(Region::from_static("us-east-1"))
                    .credentials_provider(credentials())
                    .endpoint_url(&base_url)
                    .http_client(aws_smithy_http_client::Builder::new().build_http())
                    .build(),
            ),
            base_url,
        };
        ministack.until_ready().await;
        ministack
    }

    async fn until_ready(&self) {
        let started = Instant::now();
        while self.dynamodb.list_tables().send().await.is_err() {
            let output = self.process.output();
            assert!(started.elapsed() < PATIENCE, "no answer:\n{output}");
            tokio::time::sleep(super::LOOK_EVERY).await;
        }
    }

    /// Creates table and queues as the template deploys them.
    pub async fn deploy(&self) {
        clivy::table::schema::create(&self.dynamodb, TABLE)
            .await
            .unwrap();
        let retention = as_deployed::DLQ_RETENTION_SECONDS.to_string();
        self.sqs
            .create_queue()
            .queue_name(DLQ)
            .attributes(QueueAttributeName::MessageRetentionPeriod, retention)
            .send()
            .await
            .unwrap();
        let redrive = json!({
            "deadLetterTargetArn": arn(DLQ),
            "maxReceiveCount": as_deployed::MAX_RECEIVE_COUNT,
        });
        let visibility = as_deployed::VISIBILITY_TIMEOUT_SECONDS.to_string();
        self.sqs
            .create_queue()
            .queue_name(QUEUE)
            .attributes(QueueAttributeName::VisibilityTimeout, visibility)
            .attributes(QueueAttributeName::RedrivePolicy, redrive.to_string())
            .send()
            .await
            .unwrap();
    }

    /// Puts a `SecureString`, over the one that is there.
    pub async fn put_secret(&self, name: &str, value: &str) {
        let put = self.ssm.put_parameter().name(name).value(value);
        let put = put.r#type(ParameterType::SecureString).overwrite(true);
        put.send().await.unwrap();
    }

    /// Maps the queue to a function that is invoked at `invoke_url`.
    pub async fn map_queue_to(&self, invoke_url: &str) {
        let function = json!({
            "FunctionName": "worker",
            "Runtime": "provided.al2023",
            "Role": "arn:aws:iam::000000000000:role/worker",
            "Handler": "bootstrap",
            "Timeout": 180,
            "Code": {},
            // Its own way to say that the function runs elsewhere.
            "Environment": {"Variables": {"MINISTACK_LAMBDA_PROXY_URL": invoke_url}},
        });
        self.post("/2015-03-31/functions", &[], &function).await;
        let mapping = json!({
            "FunctionName": "worker",
            "EventSourceArn": arn(QUEUE),
            "BatchSize": as_deployed::BATCH_SIZE,
            "MaximumBatchingWindowInSeconds": 0,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": as_deployed::MAXIMUM_CONCURRENCY},
        });
        self.post("/2015-03-31/event-source-mappings/", &[], &mapping)
            .await;
    }

    async fn post(&self, path: &str, headers: &[(&'static str, &str)], body: &Value) -> Value {
        let url = format!("{}{path}", self.base_url);
        let (status, answer) = wire::post(&wire::client(), &url, headers, body, PATIENCE)
            .await
            .unwrap();
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    /// Everything in the table, in DynamoDB's JSON.
    pub async fn items(&self) -> Vec<Value> {
        let headers = [("x-amz-target", "DynamoDB_20120810.Scan")];
        let scan = json!({"TableName": TABLE});
        let answer = self.post("/", &headers, &scan).await;
        answer["Items"].as_array().unwrap().clone()
    }

    /// A queue's address.
    pub fn queue_url(&self, name: &str) -> String {
        format!("{}/000000000000/{name}", self.base_url)
    }

    /// The bodies of a queue's visible messages; they stay there, invisible for a while.
    pub async fn receive(&self, name: &str) -> Vec<String> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(self.queue_url(name))
            .max_number_of_messages(10)
            .send()
            .await
            .unwrap();
        let messages = received.messages.unwrap_or_default();
        messages.into_iter().filter_map(|one| one.body).collect()
    }

    /// A queue's messages: visible, in flight and delayed ones together.
    pub async fn depth(&self, name: &str) -> u64 {
        let answer = self
            .sqs
            .get_queue_attributes()
            .queue_url(self.queue_url(name))
            .attribute_names(QueueAttributeName::All)
            .send()
            .await
            .unwrap();
        let attributes = answer.attributes.unwrap_or_default();
        [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ]
        .iter()
        .map(|name| attributes[name].parse::<u64>().unwrap())
        .sum()
    }
}

fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{queue}")
}

fn credentials() -> Credentials {
    Credentials::new("local", "local", None, None, "tests")
}
