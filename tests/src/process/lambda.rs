//! `cargo lambda watch`: the functions of the workspace as processes of their own, behind Lambda's invoke
//! address. What `cargo run -p local -- --functions URL` talks to.

use std::time::Duration;

use clivy::http::Network;
use serde_json::{Value, json};

use super::wire::{self, Served};
use super::{Process, build, free_port};

/// A first invocation compiles its function, on a machine that may have nothing compiled yet.
const COMPILE_PATIENCE: Duration = Duration::from_secs(900);
/// The segment that the test bot's webhooks must carry: the functions serve no open bot.
pub const SECRET: &str = "rahasia-toko-kopi";
/// Where the functions find their secrets in SSM.
pub const SECRETS_PATH: &str = "/clivy/tests";
/// Their secrets: the same ones for all functions.
pub const SECRETS: [(&str, &str); 3] = [
    ("PSEUDONYM_KEY", "a-key-for-tests-only"),
    ("OPENROUTER_API_KEY", "sk-or-v1-test"),
    ("BOT_SECRETS_KEY", "a-key-that-seals-the-secrets-of-bots"),
];

/// Where the functions have their secrets from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretsFrom {
    /// The environment, as on a machine of one's own; there the bots' secrets are not sealed.
    Environment,
    /// SSM at the same address, as on AWS; somebody has put [`SECRETS`] there.
    Ssm,
}

/// Functions that `cargo lambda watch` serves.
pub struct Watch {
    /// The process.
    pub process: Process,
    /// Where they are invoked.
    pub base_url: String,
    client: Network,
}

/// What the functions of a test are given.
pub struct Environment<'a> {
    /// Where DynamoDB and SQS are, and the queues' addresses begin.
    pub aws_url: &'a str,
    /// The secrets.
    pub secrets: SecretsFrom,
    /// The model.
    pub outside: &'a Served,
    /// Where they shall be invoked: a port that is free.
    pub port: u16,
}

impl Watch {
    /// A port to give to [`Environment`].
    pub fn port() -> u16 {
        free_port()
    }

    /// The address of functions at this port.
    pub fn url(port: u16) -> String {
        format!("http://127.0.0.1:{port}")
    }

    /// Builds the functions, serves them and invokes each one once, so that all are running.
    pub async fn start(environment: &Environment<'_>) -> Self {
        // Here rather than at the first invocation, so that an error of the compiler shows as what it is.
        build::all();
        let mut command = build::cargo();
        command.env_clear();
        command.envs(passed_on()).envs(settings(environment));
        command.current_dir(build::workspace());
        command.args(["lambda", "watch", "--ignore-changes"]);
        command.args(["--invoke-address", "127.0.0.1"]);
        command.args(["--invoke-port", &environment.port.to_string()]);
        let mut process = Process::start("cargo lambda watch", &mut command, true);
        process.line("starting Runtime server").await;
        let watch = Self {
            process,
            base_url: Self::url(environment.port),
            client: wire::client(),
        };
        watch.warm_up().await;
        watch
    }

    async fn warm_up(&self) {
        let nothing = json!({"Records": []});
        let answer = self.invoke("worker", &nothing).await;
        assert_eq!(answer, (200, json!({"batchItemFailures": []})));
        let (status, swept) = self.invoke("sweeper", &json!({})).await;
        assert_eq!((status, &swept["complete"]), (200, &json!(true)), "{swept}");
        let (status, credits) = self.invoke("credits", &json!({})).await;
        assert_eq!(status, 200, "{credits}");
        // No message of a customer: it only has to be understood, and refused.
        let (status, answer) = self
            .webhook("/webhook/ai", &json!({"event": "Message"}))
            .await;
        assert_eq!(status, 400, "{answer}");
    }

    /// Invokes a function.
    pub async fn invoke(&self, function: &str, event: &Value) -> (u16, Value) {
        self.post(
            &format!("/2015-03-31/functions/{function}/invocations"),
            event,
        )
        .await
    }

    /// Posts to the webhook function, as API Gateway would hand it on.
    pub async fn webhook(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post(&format!("/lambda-url/webhook{path}"), body).await
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        eprintln!("invoking {path}");
        let url = format!("{}{path}", self.base_url);
        let answer = wire::post(&self.client, &url, &[], body, COMPILE_PATIENCE).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.process.output()))
    }
}

/// What cargo needs of our environment. Nothing else gets through: an account's credentials least of all.
fn passed_on() -> impl Iterator<Item = (&'static str, std::ffi::OsString)> {
    [
        "PATH",
        "HOME",
        "CARGO_HOME",
        "CARGO_TARGET_DIR",
        "RUSTUP_HOME",
        "RUSTUP_TOOLCHAIN",
        "RUSTFLAGS",
    ]
    .into_iter()
    .filter_map(|name| Some((name, std::env::var_os(name)?)))
}

fn settings(environment: &Environment<'_>) -> Vec<(&'static str, String)> {
    let aws_url = environment.aws_url;
    let queue_url = |name: &str| format!("{aws_url}/000000000000/{name}");
    let mut settings = vec![
        ("AWS_ENDPOINT_URL_DYNAMODB", aws_url.to_owned()),
        ("AWS_ENDPOINT_URL_SQS", aws_url.to_owned()),
        ("AWS_ENDPOINT_URL_SNS", aws_url.to_owned()),
        (
            "ALERT_TOPIC_ARN",
            local::sns::topic_arn(local::world::ALERTS),
        ),
        ("QUEUE_URL", queue_url(local::world::QUEUE)),
        ("DLQ_URL", queue_url(local::world::DLQ)),
        ("OPENROUTER_BASE_URL", environment.outside.model_url()),
    ];
    let fixed = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("TABLE_NAME", local::world::TABLE),
        // Long enough that three bubbles are one burst on a busy machine too.
        ("DEBOUNCE_SECONDS", "4"),
    ];
    settings.extend(fixed.map(|(name, value)| (name, value.to_owned())));
    match environment.secrets {
        SecretsFrom::Environment => {
            let secrets = SECRETS.iter().take(2);
            settings.extend(secrets.map(|(name, value)| (*name, (*value).to_owned())));
        }
        SecretsFrom::Ssm => {
            settings.push(("AWS_ENDPOINT_URL_SSM", aws_url.to_owned()));
            settings.push(("SECRETS_PATH", SECRETS_PATH.to_owned()));
        }
    }
    settings
}
