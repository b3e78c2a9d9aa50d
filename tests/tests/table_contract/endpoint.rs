//! The engine under contract, and what the cases are made of.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use clivy::conversation::decide::Debounce;
use clivy::conversation::head::{Claim, Draft, Head};
use clivy::conversation::ids::{
    BotId, Contact, ConversationId, EpochMs, MessageId, MessageKey, Owner,
};
use clivy::conversation::message::{Author, Content, Message, MessageKind};
use clivy::conversation::outcome::{Outcome, Spent, TurnStatus};
use clivy::table::{
    ClaimRequest, Claimed, Commit, Committed, Drafted, Stored, Table, keys, schema,
};
use dynoxide::Database;
use local::engines::{Engines, Intercept, Through, Wire};
use local::sns::Sns;
use local::sqs::Sqs;
use local::ssm::Ssm;
use local::tokens::Tokens;
use tests::contract::Suite;

/// The moment at which every case begins.
pub const NOW: EpochMs = EpochMs(1_763_604_905_000);
/// For how many days messages are kept.
pub const DAYS: u32 = 90;
/// A burst is due after its last message; so many messages, or seconds, are enough in any case.
pub const DEBOUNCE: Debounce = Debounce {
    seconds: 8,
    max_wait_seconds: 30,
    max_messages: 5,
    webhook_timeout_ms: 10_000,
};

#[expect(
    clippy::disallowed_methods,
    reason = "the suite's own settings, and a name that no other run has"
)]
mod outside {
    pub fn now_ns() -> u128 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.unwrap().as_nanos()
    }
}

/// How long an operation may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Its variables begin so: [`tests::contract`].
pub const SUITE: Suite = Suite("DYNAMODB");

pub struct Endpoint {
    pub table: Table,
    pub client: Client,
    pub name: String,
    /// A bot of its own: the names of transactions are an account's, whatever their table, so two cases need two.
    pub bot: BotId,
}

impl Endpoint {
    /// A new table at the endpoint that `DYNAMODB_CONTRACT_ENDPOINT` names, or in an engine of its own.
    pub async fn open() -> Self {
        match SUITE.endpoint() {
            Some(url) => {
                let http = aws_smithy_http_client::Builder::new().build_http();
                Self::at(config().endpoint_url(url).http_client(http)).await
            }
            None => Self::behind(Arc::new(Through)).await,
        }
    }

    /// A new table in an engine of its own, and what stands before it.
    pub async fn behind(intercept: Arc<dyn Intercept>) -> Self {
        let http = Wire::new(embedded(), intercept);
        Self::at(config().endpoint_url("http://127.0.0.1").http_client(http)).await
    }

    async fn at(config: Builder) -> Self {
        let client = Client::from_conf(config.build());
        static OPENED: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = OPENED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("contract-{}-{number}", outside::now_ns());
        // Whatever fails here is no deviation but an endpoint that is not there.
        schema::create(&client, &name).await.unwrap();
        Self {
            table: Table::new(client.clone(), name.clone(), DAYS),
            client,
            bot: bot_id(&format!("toko of {name}")),
            name,
        }
    }

    /// Panics unless the endpoint answers.
    pub async fn is_there(&self) {
        let answer = self.table.warm_up().await;
        answer.expect("the endpoint does not answer");
    }

    /// A conversation of the case's bot.
    pub fn id(&self, contact: &str) -> ConversationId {
        ConversationId {
            bot_id: self.bot.clone(),
            contact: Contact::new(contact).unwrap(),
        }
    }

    /// An item past the operations; none when it is not there.
    pub async fn raw(&self, pk: &str, sk: &str) -> Option<BTreeMap<String, AttributeValue>> {
        let key = |text: &str| AttributeValue::S(text.to_owned());
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("pk", key(pk))
            .key("sk", key(sk))
            .consistent_read(true)
            .send()
            .await
            .unwrap();
        output.item.map(|item| item.into_iter().collect())
    }

    /// Deletes an item past the operations.
    pub async fn delete(&self, pk: &str, sk: &str) {
        let key = |text: &str| AttributeValue::S(text.to_owned());
        let delete = self.client.delete_item().table_name(&self.name);
        let delete = delete.key("pk", key(pk)).key("sk", key(sk));
        delete.send().await.unwrap();
    }

    /// A number of an item, past the operations.
    pub async fn number(&self, pk: &str, sk: &str, name: &str) -> Option<i64> {
        let item = self.raw(pk, sk).await?;
        item.get(name)?.as_n().ok()?.parse().ok()
    }

    /// A text of an item, past the operations.
    pub async fn text(&self, pk: &str, sk: &str, name: &str) -> Option<String> {
        let item = self.raw(pk, sk).await?;
        item.get(name)?.as_s().ok().cloned()
    }

    pub async fn head(&self, id: &ConversationId) -> Head {
        self.table.head(id).await.unwrap().expect("no HEAD")
    }

    /// Stores a customer's message of so many milliseconds after [`NOW`].
    pub async fn say(&self, id: &ConversationId, mid: &str, at: i64) -> MessageKey {
        let message = message(mid, at);
        let stored = self.table.store(id, &message, Some("Dewi"), true).await;
        assert_eq!(stored.unwrap(), Stored::New);
        keys::message(message.platform_at, &message.mid)
    }

    /// Claims for `owner`, at so many milliseconds after [`NOW`], for a minute.
    pub async fn claim(
        &self,
        id: &ConversationId,
        key: &MessageKey,
        owner: &str,
        at: i64,
    ) -> Claimed {
        let owner = Owner(owner.to_owned());
        let request = request(id, key, &owner, at);
        self.table.claim(request, &DEBOUNCE).await.unwrap()
    }

    /// The same, which must be won.
    pub async fn won(
        &self,
        id: &ConversationId,
        key: &MessageKey,
        owner: &str,
        at: i64,
    ) -> (Head, Claim) {
        match self.claim(id, key, owner, at).await {
            Claimed::Won(head) => (head.clone(), head.claim.unwrap()),
            Claimed::Lost(head) => panic!("the claim is lost: {head:?}"),
        }
    }

    /// Claims what is pending for this message, and stores a draft of `status` a millisecond later.
    pub async fn drafted(
        &self,
        id: &ConversationId,
        key: MessageKey,
        at: i64,
        status: TurnStatus,
    ) -> InFlight {
        let (head, claim) = self.won(id, &key, &format!("owner at {at}"), at).await;
        let draft = draft(id, &head, status);
        let drafted = self
            .table
            .draft(id, claim.fence, &draft, after(at + 1))
            .await;
        assert!(matches!(drafted.unwrap(), Drafted::Stored(_)));
        InFlight {
            key,
            head,
            claim,
            draft,
        }
    }

    /// An answer that is ready to be sent: to the message `A` of [`NOW`].
    pub async fn answer(&self, id: &ConversationId) -> InFlight {
        let key = self.say(id, "A", 0).await;
        self.drafted(id, key, 1, TurnStatus::Answered).await
    }

    /// A whole burst, to its commit. Gives its number.
    pub async fn burst(&self, id: &ConversationId, mid: &str, at: i64, status: TurnStatus) -> u64 {
        let key = self.say(id, mid, at).await;
        let burst = self.drafted(id, key, at + 1, status).await;
        let committed = self.table.commit(burst.commit(id, at + 3)).await;
        assert_eq!(committed.unwrap(), Committed::Done);
        burst.head.burst()
    }
}

/// A burst whose draft is stored.
pub struct InFlight {
    pub key: MessageKey,
    /// As it was claimed.
    pub head: Head,
    pub claim: Claim,
    pub draft: Draft,
}

impl InFlight {
    /// Its commit at so many milliseconds after [`NOW`].
    pub fn commit<'a>(&'a self, id: &'a ConversationId, at: i64) -> Commit<'a> {
        Commit {
            id,
            burst: self.head.burst(),
            tries: self.head.tries,
            claim: &self.claim,
            draft: &self.draft,
            reply_at: keys::reply_at(&self.claim.keys, after(at)),
            now: after(at),
            window: None,
            brake_until: None,
            used_wanted_model: false,
            counted_day: self.head.counted_day,
            rearmed: None,
        }
    }
}

fn config() -> Builder {
    aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
        .timeout_config(TimeoutConfig::builder().operation_timeout(PATIENCE).build())
}

/// An engine that forgets.
fn embedded() -> Engines {
    Engines {
        dynamodb: Database::memory().unwrap(),
        tokens: Tokens::default(),
        sqs: Sqs::new("http://127.0.0.1", Arc::new(|| NOW.0)),
        sns: Sns::new(Arc::new(|| NOW.0)),
        ssm: Ssm::default(),
    }
}

pub fn after(ms: i64) -> EpochMs {
    NOW.plus_ms(ms)
}

pub fn bot_id(id: &str) -> BotId {
    BotId::new(id).unwrap()
}

/// When something written so many milliseconds after [`NOW`] may be forgotten, in seconds.
pub fn forgotten(at: i64) -> Option<i64> {
    Some((after(at).0 + i64::from(DAYS) * 86_400_000) / 1000)
}

pub fn message(mid: &str, at: i64) -> Message {
    Message {
        mid: MessageId::new(mid).unwrap(),
        author: Author::Customer,
        content: Content {
            kind: MessageKind::Text,
            text: format!("text of {mid}"),
        },
        platform_at: after(at),
        received_at: after(at),
        delivered: true,
        delivery: None,
    }
}

pub fn request<'a>(
    id: &'a ConversationId,
    key: &'a MessageKey,
    owner: &'a Owner,
    at: i64,
) -> ClaimRequest<'a> {
    ClaimRequest {
        id,
        key,
        owner,
        until: after(at + 60_000),
        now: after(at),
    }
}

/// A draft of the burst in flight: a call of the model that cost something.
pub fn draft(id: &ConversationId, head: &Head, status: TurnStatus) -> Draft {
    Draft {
        text: "Halo Kak".to_owned(),
        reply_id: id.reply_id(head.burst(), head.born_at),
        outcome: Outcome {
            model: Some("a/b".to_owned()),
            spent: Spent {
                calls: 1,
                tokens_in: 10,
                tokens_out: 5,
                cost_usd: 0.000_001_5,
                ..Spent::default()
            },
            ..Outcome::without_answer(status)
        },
        sends: 1,
    }
}

/// Asks until it is so: an index follows its table. Panics after two seconds.
pub async fn soon<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    for _ in 0..40 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not even after two seconds: {what}");
}
