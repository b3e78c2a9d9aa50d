//! What the functions really ask of AWS against what their policies allow: every call is allowed, and nothing is
//! allowed that no call needs.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use local::clock::WorldClock;
use local::engines::{Call, Engines, Intercept, Lost, Reply};
use local::sns::{form, topic_arn};
use local::world::{ALERTS, DLQ, Parts, QUEUE, TABLE, World, memory};
use serde_json::{Value, json};
use tests::bubbles::{bot, bubble};
use tests::faults::{Faults, ROLE, Role};
use tests::outside::{Account, MODEL_URL, Model, Outside};
use tests::template::Template;
use tests::world::{START, TestWorld};

use crate::inbox_day::inbox_day;
use crate::{arn_target, project_template, put, strings, topic_target};

/// A function's binary, an action, and the resource as the template names it.
type Use = (&'static str, String, String);

/// Writes down every call, under the function that makes it.
#[derive(Default)]
struct Recorder {
    uses: Mutex<BTreeSet<Use>>,
}

impl Intercept for Recorder {
    fn intercept<'a>(
        &'a self,
        call: Call,
        engines: &'a Engines,
    ) -> BoxFuture<'a, Result<Reply, Lost>> {
        if let Ok(role) = ROLE.try_with(|role| *role) {
            let binary = match role {
                Role::Webhook => "webhook",
                Role::Worker => "worker",
                Role::Sweeper => "sweeper",
                Role::Credits => "credits",
                Role::Inbox => "inbox",
            };
            let needed = needs(&call);
            if let Ok(mut uses) = self.uses.lock() {
                uses.extend(
                    needed
                        .into_iter()
                        .map(|(action, resource)| (binary, action, resource)),
                );
            }
        }
        Box::pin(async move { Ok(engines.call(&call).await) })
    }
}

/// The actions that a call needs, with their resources. A transaction needs those of its parts.
fn needs(call: &Call) -> Vec<(String, String)> {
    let target = call.target.as_str();
    if let Some(action) = target.strip_prefix("AmazonSNS.") {
        let topic = form(&call.body).and_then(|mut form| form.remove("TopicArn"));
        let resource = match topic {
            Some(arn) if arn == topic_arn(ALERTS) => "Alerts".to_owned(),
            other => other.unwrap_or_default(),
        };
        return vec![(format!("sns:{action}"), resource)];
    }
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    if let Some(operation) = target.strip_prefix("AmazonSQS.") {
        let url = body["QueueUrl"].as_str().unwrap_or_default();
        let resource = match url.rsplit('/').next() {
            Some(DLQ) => "DeadLetterQueue",
            Some(QUEUE) => "Queue",
            _ => url,
        };
        return vec![(format!("sqs:{operation}"), resource.to_owned())];
    }
    let operation = target.strip_prefix("DynamoDB_20120810.").unwrap_or(target);
    let table = |name: &Value| {
        if name == TABLE {
            "Table".to_owned()
        } else {
            name.to_string()
        }
    };
    match operation {
        "TransactWriteItems" => {
            let parts = body["TransactItems"].as_array().into_iter().flatten();
            parts
                .filter_map(Value::as_object)
                .flatten()
                .map(|(kind, part)| {
                    let action = if kind == "ConditionCheck" {
                        "ConditionCheckItem".to_owned()
                    } else {
                        format!("{kind}Item")
                    };
                    (format!("dynamodb:{action}"), table(&part["TableName"]))
                })
                .collect()
        }
        "BatchGetItem" | "BatchWriteItem" => body["RequestItems"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| (format!("dynamodb:{operation}"), table(&json!(name))))
            .collect(),
        _ => {
            let mut resource = table(&body["TableName"]);
            if let Some(index) = body["IndexName"].as_str() {
                resource = format!("{resource}/index/{index}");
            }
            vec![(format!("dynamodb:{operation}"), resource)]
        }
    }
}

const RINA: &str = "6281100030001";
const BUDI: &str = "6281100030002";
const SARI: &str = "6281100030003";

/// Everything that the functions ask of AWS in a day of all kinds: a burst of the largest size, the shop's own messages, a
/// model that is down until the DLQ and the redrive, a busy conversation, answers that are owed, credits that end.
async fn a_day() -> BTreeSet<Use> {
    let recorder = Arc::new(Recorder::default());
    let faults = Arc::new(Faults::default());
    let outside = Arc::new(Outside::new(Arc::clone(&faults)));
    let settings = [
        ("PSEUDONYM_KEY", "a-key-for-tests-only"),
        ("OPENROUTER_API_KEY", "sk-or-v1-test"),
        ("OPENROUTER_BASE_URL", MODEL_URL),
        ("OPENROUTER_MODEL", "test/model"),
        (
            "ADMIN_SECRET",
            "a-secret-of-more-than-thirty-two-characters",
        ),
    ];
    let world = Box::pin(World::open(Parts {
        dynamodb: memory().unwrap(),
        base_url: "http://127.0.0.1".to_owned(),
        settings: settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        http: Arc::clone(&outside) as _,
        clock: Arc::new(WorldClock::starting_at(START)),
        intercept: Arc::clone(&recorder) as _,
    }))
    .await
    .unwrap();
    world.put_bots(&[bot("demo")]).await.unwrap();
    let day = TestWorld {
        world,
        outside,
        faults,
    };
    let warm_up = async {
        ROLE.scope(Role::Webhook, day.world.webhook.warm_up()).await;
        ROLE.scope(Role::Worker, day.world.worker.warm_up()).await;
    };
    warm_up.await;

    for n in 0..40 {
        assert!(
            day.post_until_accepted(&bubble("demo", RINA, &format!("A{n}"), 0, "Halo"))
                .await
        );
    }
    // In a chat of its own: what a person has answered is asked no more.
    let mut own = bubble("demo", SARI, "OWN", 1, "Kami tutup dulu");
    own["event"]["Info"]["IsFromMe"] = json!(true);
    let (status, answer) = ROLE.scope(Role::Webhook, day.post(&own)).await;
    assert_eq!((status, &answer["reason"]), (200, &json!("own_message")));
    // Nothing polls the queue yet, so the answer is owed.
    tokio::time::sleep(Duration::from_secs(600)).await;
    let deadline = START.plus_ms(660_000);
    ROLE.scope(Role::Sweeper, day.world.sweeper.sweep(deadline))
        .await
        .unwrap();

    day.start();
    day.settle().await;
    assert_eq!(day.outside.sends().len(), 1);

    day.outside
        .model_does([Model::Breaks, Model::Breaks, Model::Breaks]);
    assert!(
        day.post_until_accepted(&bubble("demo", BUDI, "B0", 700, "Ada stok?"))
            .await
    );
    day.settle().await;
    assert_eq!(day.dead_letters().len(), 1);
    day.redrive().await;
    while !day.dead_letters().is_empty() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    day.settle().await;
    assert_eq!(day.outside.sends().len(), 3);

    day.outside
        .model_does([Model::Breaks, Model::Breaks, Model::Breaks]);
    assert!(
        day.post_until_accepted(&bubble("demo", SARI, "S0", 800, "Sudah buka?"))
            .await
    );
    // A person has written there, so the bot is quiet for half an hour.
    tokio::time::sleep(Duration::from_secs(1_800)).await;
    day.settle().await;
    Box::pin(inbox_day(&day, RINA, SARI)).await;

    // The credits end, and are bought again.
    for left in [0.0, 50.0] {
        day.outside.key_is(Account::key(Some(left), 2.5, 0.5));
        let check = day.world.credits.check("id");
        ROLE.scope(Role::Credits, check).await.unwrap();
        tokio::time::sleep(Duration::from_secs(3_600)).await;
    }
    assert_eq!(day.world.alerts().len(), 2);
    recorder.uses.lock().unwrap().clone()
}

/// What the policies allow on the table, the queues and the topic, but for polling, which Lambda itself does with the role.
fn allowed(template: &Template) -> BTreeSet<Use> {
    let mut uses = BTreeSet::new();
    for binary in ["webhook", "worker", "sweeper", "credits", "inbox"] {
        let Some((_, function)) = template.function_of_binary(binary) else {
            continue;
        };
        for statement in crate::access::statements(template, function) {
            let target = arn_target(&statement["Resource"])
                .or_else(|| topic_target(template, &statement["Resource"]));
            let resource = match target {
                Some(id) => id.to_owned(),
                None => strings(&statement["Resource"]["Fn::Sub"])
                    .concat()
                    .replace("${", "")
                    .replace(".Arn}", ""),
            };
            for action in strings(&statement["Action"]) {
                let is_polling = binary == "worker" && POLLING.contains(&action);
                if !action.starts_with("logs:") && !is_polling {
                    uses.insert((binary, action.to_owned(), resource.clone()));
                }
            }
        }
    }
    uses
}

const POLLING: [&str; 3] = [
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
];

#[tokio::test(start_paused = true)]
async fn policies_allow_what_the_functions_do_and_nothing_else() {
    let uses = Box::pin(a_day()).await;
    assert_eq!(allowed(&project_template()), uses);

    // Less or more than that is seen.
    let statement =
        "/Resources/SweeperRole/Properties/Policies/0/PolicyDocument/Statement/2/Action";
    for action in ["dynamodb:Query", "dynamodb:PutItem"] {
        let mut template = project_template();
        put(&mut template.document, statement, json!(action));
        assert_ne!(allowed(&template), uses);
    }
}
