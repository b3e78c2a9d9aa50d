//! What the functions really ask of AWS against what their policies allow: every call is allowed, and nothing is
//! allowed that no call needs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clivy::config::Reader;
use clivy::secrets::Renewing;
use local::engines::Wire;
use local::instances::sdk;
use local::sns::topic_arn;
use local::world::{ALERTS, DLQ, QUEUE, TABLE};
use serde_json::{Value, json};
use tests::bubbles::{bot, bubble};
use tests::faults::{Fault, ROLE, Role, When};
use tests::outside::{Account, Model};
use tests::policy::{Guard, Policies, allowed};
use tests::template::project_root;
use tests::world::{START, TestWorld};

use crate::inbox_day::inbox_day;
use crate::{project_template, put};

/// The secrets of a world, which its functions also find in SSM.
const SECRETS: [(&str, &str); 4] = [
    ("PSEUDONYM_KEY", "a-key-for-tests-only"),
    ("BOT_SECRETS_KEY", "a-key-that-seals-the-secrets-of-bots"),
    ("OPENROUTER_API_KEY", "sk-or-v1-test"),
    (
        "ADMIN_SECRET",
        "a-secret-of-more-than-thirty-two-characters",
    ),
];

/// A world whose functions have these policies.
async fn guarded(policies: Policies) -> (TestWorld, Arc<Guard>) {
    let mut guard = None;
    let bots = [bot("demo")];
    let world = Box::pin(TestWorld::behind(&bots, &SECRETS, |faults| {
        let made = Arc::new(Guard::new(policies, faults));
        guard = Some(Arc::clone(&made));
        made
    }))
    .await;
    (world, guard.unwrap())
}

/// Every function starts as on AWS: with its secrets from SSM, as its own policy lets it.
async fn start_all(day: &TestWorld, guard: &Arc<Guard>) {
    async fn start<S: Send>(
        role: Role,
        read: fn(&mut Reader) -> S,
        environment: &BTreeMap<String, String>,
        day: &TestWorld,
        guard: &Arc<Guard>,
    ) {
        let engines = day.world.engines.clone();
        let ssm = aws_sdk_ssm::Client::new(&sdk(Wire::new(engines, Arc::clone(guard) as _)));
        let clock = Arc::clone(&day.world.clock);
        let starting = Renewing::new(environment.clone(), ssm, read, |_| Ok(()), clock);
        ROLE.scope(role, starting).await.unwrap();
    }
    let engines = &day.world.engines;
    for (name, value) in SECRETS {
        engines.ssm.put(&format!("/clivy/test/{name}"), value);
    }
    let environment = [
        ("SECRETS_PATH", "/clivy/test".to_owned()),
        ("TABLE_NAME", TABLE.to_owned()),
        ("QUEUE_URL", engines.sqs.queue_url(QUEUE)),
        ("DLQ_URL", engines.sqs.queue_url(DLQ)),
        ("ALERT_TOPIC_ARN", topic_arn(ALERTS)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let environment = &environment;
    start(
        Role::Webhook,
        webhook::settings::Settings::from,
        environment,
        day,
        guard,
    )
    .await;
    start(
        Role::Worker,
        worker::settings::Settings::from,
        environment,
        day,
        guard,
    )
    .await;
    start(
        Role::Sweeper,
        sweeper::settings::Settings::from,
        environment,
        day,
        guard,
    )
    .await;
    start(
        Role::Credits,
        credits::settings::Settings::from,
        environment,
        day,
        guard,
    )
    .await;
    start(
        Role::Inbox,
        inbox::settings::Settings::from,
        environment,
        day,
        guard,
    )
    .await;
}

const RINA: &str = "6281100030001";
const BUDI: &str = "6281100030002";
const SARI: &str = "6281100030003";

/// Everything that the functions ask of AWS in a day of all kinds: a burst of the largest size, the shop's own messages, a
/// model that is down until the DLQ and the redrive, a busy conversation, answers that are owed, credits that end. All of it
/// goes through a client that refuses what the policies do not allow.
async fn a_day(policies: Policies) -> Arc<Guard> {
    let (day, guard) = Box::pin(guarded(policies)).await;
    start_all(&day, &guard).await;
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
    guard
}

/// What no call of a function uses: Lambda itself polls the queue, writes the logs and sends the traces with the role.
const OF_LAMBDA: [&str; 7] = [
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
];

fn without_lambdas_own(mut policies: Policies) -> Policies {
    // Its own tests compare what it does with what it may (tests/tests/smoke/rights.rs): most of it are calls of Lambda.
    policies.remove(Role::Smoke.binary());
    for (binary, rights) in &mut policies {
        // Only the worker's queue is polled; the inbox asks for its depth by itself.
        rights.retain(|(action, _)| {
            let is_lambdas = OF_LAMBDA.contains(&action.as_str());
            !is_lambdas || (action.starts_with("sqs:") && *binary != "worker")
        });
    }
    policies
}

#[tokio::test(start_paused = true)]
async fn policies_allow_what_the_functions_do_and_nothing_else() {
    let policies = allowed(&project_template());
    let guard = Box::pin(a_day(policies.clone())).await;
    assert_eq!(guard.refused(), [].into());
    assert_eq!(without_lambdas_own(policies), guard.used());
}

/// The matrix: who may do what with what, for people to read.
fn matrix() -> BTreeMap<String, BTreeMap<String, Vec<String>>> {
    let file = project_root().join("infra/permissions.toml");
    toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The rights of the policies in the matrix's shape.
fn as_matrix(policies: &Policies) -> BTreeMap<String, BTreeMap<String, Vec<String>>> {
    let mut matrix = BTreeMap::new();
    for (binary, rights) in policies {
        let function: &mut BTreeMap<String, Vec<String>> =
            matrix.entry((*binary).to_owned()).or_default();
        for (action, resource) in rights {
            let resources = function.entry(action.clone()).or_default();
            resources.push(resource.clone());
        }
    }
    matrix
}

#[test]
fn the_policies_are_those_of_the_matrix() {
    assert_eq!(as_matrix(&allowed(&project_template())), matrix());

    // Less than that, more than that, and another resource are seen.
    let statements = "/Resources/SweeperRole/Properties/Policies/0/PolicyDocument/Statement";
    let more = json!(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]);
    for (pointer, value) in [
        ("5/Action", json!("dynamodb:GetItem")),
        ("5/Action", more),
        ("6/Resource", json!({"Fn::GetAtt": ["Table", "Arn"]})),
        ("1/Resource", Value::Null),
        ("2/Condition", Value::Null),
    ] {
        let mut template = project_template();
        put(
            &mut template.document,
            &format!("{statements}/{pointer}"),
            value,
        );
        assert_ne!(as_matrix(&allowed(&template)), matrix(), "{pointer}");
    }
}

/// The policies without one right.
fn without(binary: &str, action: &str, resource: &str) -> Policies {
    let mut policies = allowed(&project_template());
    let right = (action.to_owned(), resource.to_owned());
    let rights = policies.get_mut(binary).unwrap();
    assert!(rights.remove(&right), "{binary} has no {action}");
    policies
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_missing_stops_the_function_and_loses_nothing() {
    for (action, resource) in [
        ("dynamodb:UpdateItem", "Table"),
        ("sqs:SendMessage", "Queue"),
        ("kms:GenerateDataKey", "Key/sqs"),
    ] {
        let (world, guard) = Box::pin(guarded(without("webhook", action, resource))).await;
        let halo = bubble("demo", RINA, "A", 0, "Halo");
        let (status, _) = ROLE.scope(Role::Webhook, world.post(&halo)).await;
        assert_eq!(status, 503, "{action}: the gateway has to come again (I1)");
        let right = (action.to_owned(), resource.to_owned());
        assert_eq!(guard.refused(), [("webhook", right)].into());
    }
    let (world, guard) = Box::pin(guarded(without(
        "sweeper",
        "ssm:GetParameters",
        "parameter/PSEUDONYM_KEY",
    )))
    .await;
    let engines = world.world.engines.clone();
    let ssm = aws_sdk_ssm::Client::new(&sdk(Wire::new(engines, guard)));
    let environment = [("SECRETS_PATH".to_owned(), "/clivy/test".to_owned())].into();
    let clock = Arc::clone(&world.world.clock);
    let read: fn(&mut Reader) -> sweeper::settings::Settings = sweeper::settings::Settings::from;
    let starting = Renewing::new(environment, ssm, read, |_| Ok(()), clock);
    let refused = ROLE.scope(Role::Sweeper, starting).await.err().unwrap();
    assert!(refused.to_string().contains("AccessDenied"), "{refused}");
}

/// What is done after a death is within the policies too: takeovers, repetitions, the sweeper's triggers.
#[tokio::test(start_paused = true)]
async fn whoever_dies_at_any_effect_needs_no_other_right_to_be_repaired() {
    let policies = allowed(&project_template());
    for index in 0.. {
        let mut happened = false;
        for when in [When::Before, When::After] {
            let (world, guard) = Box::pin(guarded(policies.clone())).await;
            world.faults.arm(Role::Worker, index, Fault::Crash(when));
            let halo = bubble("demo", RINA, "A", 0, "Halo");
            assert!(world.post_until_accepted(&halo).await);
            world.start();
            world.settle().await;
            world.assert_quiet().await;
            assert_eq!(world.outside.delivered().len(), 1, "{when:?} {index}");
            assert_eq!(guard.refused(), [].into(), "{when:?} {index}");
            happened |= !world.faults.is_armed();
        }
        if !happened {
            assert!(index >= 4, "a turn has more effects than {index}");
            return;
        }
    }
}
