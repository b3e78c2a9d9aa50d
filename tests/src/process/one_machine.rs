//! `local` as a person starts it: a process, its flags, its environment, its data folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clivy::http::{HttpError, Network};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::wire::{self, Served};
use super::{PATIENCE, Process, build};

/// A running `local`.
pub struct OneMachine {
    /// The process.
    pub process: Process,
    /// Where it listens.
    pub base_url: String,
    client: Network,
}

/// What is asked of `local`: its flags and settings.
#[derive(Clone, Default)]
pub struct Wish {
    program: Option<PathBuf>,
    args: Vec<String>,
    settings: Vec<(String, String)>,
}

impl Wish {
    /// The built-in demo on this data folder, listening on a free port.
    pub fn demo(data: &Path) -> Self {
        Self::default()
            .arg("--listen")
            .arg("127.0.0.1:0")
            .arg("--data")
            .arg(data.to_str().unwrap())
    }

    /// The demo's bots with the scripted model and gateway in place of the built-in ones.
    pub fn scripted(data: &Path, outside: &Served) -> Self {
        Self::demo(data)
            .arg("--gateway-url")
            .arg(&outside.gateway_url())
            .set("OPENROUTER_BASE_URL", &outside.model_url())
            .set("OPENROUTER_API_KEY", "sk-or-v1-test")
            .set("DEBOUNCE_SECONDS", "1")
    }

    /// This program of `local`, instead of the one that the cargo of this test builds.
    pub fn program(mut self, program: &Path) -> Self {
        self.program = Some(program.to_owned());
        self
    }

    /// One more argument.
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// One more setting.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it and does not wait for anything.
    pub fn process(&self) -> Process {
        let program = self.program.as_deref();
        let mut command = Command::new(program.unwrap_or_else(|| build::local()));
        command
            .env_clear()
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .args(&self.args);
        Process::start("local", &mut command, false)
    }

    /// Starts it and waits for its greeting.
    pub async fn start(&self) -> OneMachine {
        let mut process = self.process();
        let greeting = process.line("Clivy runs at ").await;
        let base_url = greeting.rsplit(' ').next().unwrap().to_owned();
        OneMachine {
            process,
            base_url,
            client: wire::client(),
        }
    }

    /// Starts it where it must refuse; gives what it says.
    pub async fn refused(&self) -> String {
        let mut process = self.process();
        let status = process.ended().await;
        let says = process.output();
        assert_eq!(status.code(), Some(1), "{says}");
        assert!(!says.contains("Clivy runs at "), "{says}");
        says
    }
}

impl OneMachine {
    /// Posts a webhook body as a gateway would.
    pub async fn webhook(&self, body: &Value) -> Result<(u16, Value), HttpError> {
        self.webhook_at("/webhook/ai", body).await
    }

    /// The same at a path of its own.
    pub async fn webhook_at(&self, path: &str, body: &Value) -> Result<(u16, Value), HttpError> {
        self.post(path, &[], body).await
    }

    /// Posts a bubble that must be accepted.
    pub async fn accepts(&self, body: &Value) {
        let (status, answer) = self.webhook(body).await.unwrap();
        assert_eq!((status, &answer["status"]), (200, &json!("queued")));
    }

    /// Posts JSON to a path.
    pub async fn post(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
        body: &Value,
    ) -> Result<(u16, Value), HttpError> {
        let url = format!("{}{path}", self.base_url);
        wire::post(&self.client, &url, headers, body, PATIENCE).await
    }

    /// Calls DynamoDB or SQS over HTTP, as any SDK does.
    pub async fn aws(&self, target: &str, body: &Value) -> Value {
        let headers = [("x-amz-target", target)];
        let (status, answer) = self.post("/", &headers, body).await.unwrap();
        assert_eq!(status, 200, "{target}: {answer}");
        answer
    }

    /// The triggers of the queue: visible, in flight, delayed.
    pub async fn queue(&self) -> [u64; 3] {
        let body = json!({
            "QueueUrl": format!("{}/000000000000/{}", self.base_url, local::world::QUEUE),
            "AttributeNames": ["All"],
        });
        let answer = self.aws("AmazonSQS.GetQueueAttributes", &body).await;
        ["", "NotVisible", "Delayed"].map(|what| {
            let name = format!("ApproximateNumberOfMessages{what}");
            let count = answer["Attributes"][name].as_str();
            count.unwrap().parse().unwrap()
        })
    }

    /// Waits until the queue is empty.
    pub async fn settle(&self) {
        let started = Instant::now();
        while self.queue().await != [0, 0, 0] {
            let output = self.process.output();
            assert!(started.elapsed() < PATIENCE, "never quiet:\n{output}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until no conversation holds a claim, a draft or a pending message, or is owed anything.
    pub async fn until_nothing_is_owed(&self) {
        let started = Instant::now();
        while let Some(left) = self.owed().await {
            let output = self.process.output();
            assert!(started.elapsed() < PATIENCE, "{left} is left:\n{output}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Something that a conversation still owes or holds.
    pub async fn owed(&self) -> Option<String> {
        let mut scan = json!({
            "TableName": local::world::TABLE,
            "FilterExpression": "sk = :head",
            "ExpressionAttributeValues": {":head": {"S": "HEAD"}},
        });
        let mut heads = Vec::new();
        loop {
            let mut page = self.aws("DynamoDB_20120810.Scan", &scan).await;
            heads.extend(page["Items"].as_array().unwrap().iter().cloned());
            match page["LastEvaluatedKey"].take() {
                Value::Null => return owed(&heads),
                last => scan["ExclusiveStartKey"] = last,
            }
        }
    }
}

/// The first attribute among a table's items that says that something is under way.
pub fn owed(items: &[Value]) -> Option<String> {
    let heads = || items.iter().filter(|item| item["sk"]["S"] == "HEAD");
    assert!(heads().count() > 0, "there is no conversation");
    heads().find_map(|head| {
        let busy = ["pend", "c_fence", "c_text", "owed_pk", "tries"];
        let left = busy.into_iter().find(|name| head.get(*name).is_some());
        left.map(|name| format!("{name} of {}", head["pk"]))
    })
}
