//! The engine under contract, what the cases are made of, and the judge of what it does.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
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
use futures_util::FutureExt;
use local::engines::{Engines, Through, Wire};
use local::sns::Sns;
use local::sqs::Sqs;
use local::ssm::Ssm;
use local::tokens::Tokens;

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
    pub fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    pub fn now_ns() -> u128 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.unwrap().as_nanos()
    }
}

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
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "local"));
        let config = match outside::variable("DYNAMODB_CONTRACT_ENDPOINT") {
            Some(url) => config
                .endpoint_url(url)
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .build(),
            None => config
                .endpoint_url("http://127.0.0.1")
                .http_client(Wire::new(embedded(), Arc::new(Through)))
                .build(),
        };
        let client = Client::from_conf(config);
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

    /// A whole burst: a message, its claim, its draft of `status`, its commit. Gives its number.
    pub async fn burst(&self, id: &ConversationId, mid: &str, at: i64, status: TurnStatus) -> u64 {
        let key = self.say(id, mid, at).await;
        let (head, claim) = self.won(id, &key, &format!("owner-of-{mid}"), at + 1).await;
        let draft = draft(id, &head, status);
        let drafted = self
            .table
            .draft(id, claim.fence, &draft, after(at + 2))
            .await;
        assert!(matches!(drafted.unwrap(), Drafted::Stored(_)));
        let commit = commit(id, &head, &claim, &draft, at + 3);
        assert_eq!(self.table.commit(commit).await.unwrap(), Committed::Done);
        head.burst()
    }
}

/// An engine that forgets.
fn embedded() -> Engines {
    Engines {
        dynamodb: local::world::memory().unwrap(),
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

pub fn commit<'a>(
    id: &'a ConversationId,
    head: &Head,
    claim: &'a Claim,
    draft: &'a Draft,
    at: i64,
) -> Commit<'a> {
    Commit {
        id,
        burst: head.burst(),
        tries: head.tries,
        claim,
        draft,
        reply_at: keys::reply_at(&claim.keys, after(at)),
        now: after(at),
        window: None,
        brake_until: None,
        used_wanted_model: false,
        counted_day: head.counted_day,
        rearmed: None,
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

/// The cases that this endpoint is known to fail, and what it does instead.
pub fn deviations() -> BTreeMap<String, String> {
    let Some(file) = outside::variable("DYNAMODB_CONTRACT_DEVIATIONS") else {
        return BTreeMap::new();
    };
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (case, instead) = line.split_once('—').expect("a line without —");
            (case.trim().to_owned(), instead.trim().to_owned())
        })
        .collect()
}

/// Runs a case: a listed one must deviate, any other must pass; and the endpoint must still be there after it.
pub async fn judge(case: &str, endpoint: &Endpoint, running: impl Future<Output = ()>) {
    let outcome = AssertUnwindSafe(running).catch_unwind().await;
    endpoint
        .table
        .warm_up()
        .await
        .expect("the endpoint is gone after the case");
    match (outcome, deviations().get(case)) {
        (Ok(()), None) => {}
        (Err(panic), None) => std::panic::resume_unwind(panic),
        (Err(_), Some(instead)) => eprintln!("{case} deviates as listed: {instead}"),
        (Ok(()), Some(instead)) => {
            panic!("listed as deviating ({instead}) and passes: take it off the list")
        }
    }
}
