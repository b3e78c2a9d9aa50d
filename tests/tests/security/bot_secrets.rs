//! The secrets of bots in the table: sealed by every write, read in both ways, and of no use to anybody else.

use std::sync::Arc;

use clivy::access::Role;
use clivy::conversation::bot::Bot;
use clivy::conversation::ids::{BotId, hex};
use clivy::secrets::Rotating;
use clivy::table::{Cause, Table};
use clivy::vault::Vault;
use local::engines::{Through, Wire};
use local::instances::sdk;
use local::world::TABLE;
use serde_json::{Value, json};
use tests::bubbles::{bot, bubble};
use tests::world::TestWorld;

const KEY: &str = "a-key-that-seals-the-secrets-of-bots";
const SECRETS: [&str; 4] = [
    "hunter2-token",
    "hunter2-hmac",
    "hunter2-path",
    "hunter2-own-key",
];

fn secretive(id: &str) -> Bot {
    let mut bot = bot(id);
    bot.gateway.token = format!("{}-{id}", SECRETS[0]);
    bot.gateway.hmac_key = Some(SECRETS[1].to_owned());
    bot.gateway.secret_path = Some(SECRETS[2].to_owned());
    bot.openrouter_key = Some(SECRETS[3].to_owned());
    bot
}

/// The world's table, as an instance with this key has it.
fn table(world: &TestWorld, key: Option<&str>) -> Table {
    let wire = Wire::new(world.world.engines.clone(), Arc::new(Through));
    let key = key.map(|key| Rotating::new(key).unwrap());
    Table::new(
        aws_sdk_dynamodb::Client::new(&sdk(wire)),
        TABLE.to_owned(),
        90,
    )
    .with_vault(Vault::of(key.as_ref()).unwrap())
}

async fn settings_item(world: &TestWorld, id: &str) -> Value {
    let key = json!({"pk": {"S": format!("B#{id}")}, "sk": {"S": "CFG"}});
    let request = json!({"TableName": TABLE, "Key": key, "ConsistentRead": true});
    world.dynamodb("GetItem", request).await["Item"].clone()
}

async fn whole_table(world: &TestWorld) -> String {
    let scan = world.dynamodb("Scan", json!({"TableName": TABLE})).await;
    scan.to_string()
}

fn shows_a_secret(text: &str) -> Option<&'static str> {
    SECRETS
        .into_iter()
        .find(|secret| text.contains(secret) || text.contains(&hex(secret.as_bytes())))
}

fn id(id: &str) -> BotId {
    BotId::new(id).unwrap()
}

#[tokio::test(start_paused = true)]
async fn no_write_leaves_a_secret_in_the_table_and_every_reader_has_them() {
    let settings = [("BOT_SECRETS_KEY", KEY)];
    let world = TestWorld::with(&[secretive("demo")], &settings).await;
    let api = world.api(Role::Owner).await;
    let edited =
        json!({"name": "Toko", "gateway": {"kind": "wuzapi", "url": "http://gateway.test"}});
    api.put("/api/bots/demo", edited).await.expect(200);
    api.post("/api/bots/demo/versions/1/restore", json!({}))
        .await
        .expect(200);
    // On one machine the demo gateway is at another address at every start.
    let mut moved = secretive("demo");
    moved.gateway.url = "http://elsewhere.test".to_owned();
    world.world.put_bots(&[moved]).await.unwrap();
    let text = whole_table(&world).await;
    assert_eq!(shows_a_secret(&text), None, "{text}");
    let stored = world.world.table.bot(&id("demo")).await.unwrap().unwrap();
    assert_eq!(stored.gateway.token, "hunter2-token-demo");
    assert_eq!(stored.gateway.secret_path.as_deref(), Some(SECRETS[2]));
    assert_eq!(stored.openrouter_key.as_deref(), Some(SECRETS[3]));
    // Deleted, there is nothing left to open.
    api.delete("/api/bots/demo").await.expect(204);
    let item = settings_item(&world, "demo").await;
    assert!(
        item.get("sealed").is_none() && item["deleted_at"]["N"].is_string(),
        "{item}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_bot_with_sealed_secrets_is_answered_with_its_own_key_and_token() {
    let mut sealed = secretive("demo");
    (sealed.gateway.hmac_key, sealed.gateway.secret_path) = (None, None);
    let world = TestWorld::with(&[sealed], &[("BOT_SECRETS_KEY", KEY)]).await;
    world.start();
    let halo = bubble("demo", "6281100080011", "A", 0, "Halo");
    assert!(world.post_until_accepted(&halo).await);
    world.settle().await;
    assert_eq!(world.outside.delivered().len(), 1);
    assert_eq!(world.outside.calls()[0].key, SECRETS[3]);
}

#[tokio::test(start_paused = true)]
async fn plain_secrets_of_an_earlier_version_are_read_and_sealed_by_the_next_write() {
    let world = TestWorld::new(&[secretive("demo")]).await;
    let before = settings_item(&world, "demo").await;
    assert!(shows_a_secret(&before.to_string()).is_some());
    let sealing = table(&world, Some(KEY));
    let read = sealing.bot(&id("demo")).await.unwrap().unwrap();
    assert_eq!(read, secretive("demo"));
    let edited = Bot {
        name: "Toko baru".to_owned(),
        ..read
    };
    sealing
        .put_bot(&edited, world.world.clock.now())
        .await
        .unwrap();
    let after = settings_item(&world, "demo").await;
    assert_eq!(shows_a_secret(&after.to_string()), None, "{after}");
    assert_eq!(sealing.bot(&id("demo")).await.unwrap().unwrap(), edited);
}

/// A version that knows no vault fails, as when the table is down: the gateway's post is a 503, and comes again. It must not
/// take anything for the token, or for the absence of a signing key, and refuse with 401 what the gateway then gives up (I1).
#[tokio::test(start_paused = true)]
async fn an_earlier_version_fails_on_sealed_secrets_and_takes_nothing_for_them() {
    let world = TestWorld::with(&[secretive("demo")], &[("BOT_SECRETS_KEY", KEY)]).await;
    let item = settings_item(&world, "demo").await;
    // How it reads: the attribute `json`, as a bot.
    let read = serde_json::from_str::<Bot>(item["json"]["S"].as_str().unwrap());
    assert!(read.unwrap_err().to_string().contains("token"));
}

#[tokio::test(start_paused = true)]
async fn sealed_secrets_open_for_nobody_without_their_key_and_for_no_other_bot() {
    let bots = [secretive("demo"), bot("other")];
    let world = TestWorld::with(&bots, &[("BOT_SECRETS_KEY", KEY)]).await;
    for key in [None, Some("another-key-of-more-than-32-characters")] {
        let error = table(&world, key).bot(&id("demo")).await.unwrap_err();
        assert_eq!(error.cause, Cause::Malformed);
        assert_eq!(shows_a_secret(&format!("{error} {error:?}")), None);
    }
    // Whoever may write the table gives another bot these secrets (I12).
    let sealed = settings_item(&world, "demo").await["sealed"].clone();
    let update = json!({
        "TableName": TABLE, "Key": {"pk": {"S": "B#other"}, "sk": {"S": "CFG"}},
        "UpdateExpression": "SET sealed = :stolen", "ExpressionAttributeValues": {":stolen": sealed},
    });
    world.dynamodb("UpdateItem", update).await;
    let error = world.world.table.bot(&id("other")).await.unwrap_err();
    assert_eq!(error.cause, Cause::Malformed);
}

#[tokio::test(start_paused = true)]
async fn while_the_key_changes_bots_sealed_with_either_version_are_read() {
    let world = TestWorld::with(&[secretive("demo")], &[("BOT_SECRETS_KEY", KEY)]).await;
    let new = "the-next-key-that-seals-the-secrets-of-bots";
    let changing = table(&world, Some(&format!("{new}\n{KEY}")));
    let read = changing.bot(&id("demo")).await.unwrap().unwrap();
    let edited = Bot {
        name: "Toko baru".to_owned(),
        ..read
    };
    changing
        .put_bot(&edited, world.world.clock.now())
        .await
        .unwrap();
    // Written again, it needs the old key no more.
    let by_new = table(&world, Some(new)).bot(&id("demo")).await.unwrap();
    assert_eq!(by_new, Some(edited));
    assert!(world.world.table.bot(&id("demo")).await.is_err());
}
