//! `cargo run -p local -- key …`: the inbox's API keys. Where a run holds the data folder, or the inbox is elsewhere, its admin
//! routes are asked; otherwise the folder's table is opened.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clivy::access::{ApiKey, KEY_BYTES, KeyName, Lifetime, NewKey, OwnerId, Role};
use clivy::clock::{Clock, SystemClock};
use clivy::conversation::ids::EpochMs;
use clivy::http::{Http, Network};
use clivy::random;
use clivy::table::{Revoked, Table};
use http::{Method, Request, StatusCode};
use inbox::Time;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::args::{KeyAction, KeysAt};
use crate::data::{Data, Reach};

/// How long a run may take to say how it is reached, once it holds the folder.
const RUN_STARTS: Duration = Duration::from_secs(5);
/// How long an inbox may take to answer.
const ANSWERS: Duration = Duration::from_secs(30);

/// Does what was asked, and prints what came of it: a key on the standard output alone, everything else on the standard error.
///
/// # Errors
/// The folder holds no data, the inbox refuses, or there is no such key. The message says which, without the secret.
pub async fn run(action: KeyAction, admin_secret: Option<String>) -> anyhow::Result<()> {
    match action {
        KeyAction::Create {
            owner,
            role,
            name,
            days,
            at,
        } => {
            let keys = Keys::at(&at, admin_secret).await?;
            let (days, lifetime) = match days {
                None => (None, Lifetime::Unlimited),
                Some((days, lifetime)) => (Some(days), lifetime),
            };
            let new = NewKey {
                owner,
                role,
                name,
                lifetime,
            };
            let made = keys.create(new, days).await?;
            println!("{}", made.key);
            eprintln!("{}", where_to_use(&made, &keys));
        }
        KeyAction::List { owner, at } => {
            let keys = Keys::at(&at, admin_secret).await?;
            let listed = keys.list(&owner).await?;
            if listed.is_empty() {
                eprintln!("{:?} has no keys", owner.as_str());
            }
            let now = SystemClock.now();
            for key in listed {
                println!("{}", line(&key, now));
            }
        }
        KeyAction::Revoke { owner, id, at } => {
            let keys = Keys::at(&at, admin_secret).await?;
            keys.revoke(&owner, &id).await?;
            eprintln!("{id} opens nothing any more");
        }
    }
    Ok(())
}

/// A key as the admin routes tell of it.
#[derive(Debug, Deserialize)]
struct Listed {
    id: String,
    name: String,
    role: Role,
    created_at: Time,
    expires_at: Option<Time>,
    revoked_at: Option<Time>,
}

/// A key that was made.
#[derive(Deserialize)]
struct Made {
    key: String,
    #[serde(flatten)]
    listed: Listed,
}

impl From<ApiKey> for Listed {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.hash.id(),
            name: key.name,
            role: key.role,
            created_at: Time(key.created_at),
            expires_at: key.expires_at.map(Time),
            revoked_at: key.revoked_at.map(Time),
        }
    }
}

/// Where the keys are.
enum Keys {
    /// In a folder that no run uses; the lock is held meanwhile.
    Table(Table, #[expect(dead_code, reason = "held, not read")] Data),
    /// Behind an inbox.
    Inbox(Network, Reach),
}

impl Keys {
    async fn at(at: &KeysAt, admin_secret: Option<String>) -> anyhow::Result<Self> {
        if let Some(inbox) = &at.inbox {
            let admin_secret =
                admin_secret.context("ADMIN_SECRET must be set to that inbox's own")?;
            let inbox = inbox.trim_end_matches('/').to_owned();
            return Ok(Self::Inbox(
                Network::new()?,
                Reach {
                    inbox,
                    admin_secret,
                },
            ));
        }
        Self::of_folder(&at.data).await
    }

    /// Whoever holds the folder's lock, a run that starts or another of these commands, has a moment to say how it is reached,
    /// or to be done.
    async fn of_folder(path: &Path) -> anyhow::Result<Self> {
        anyhow::ensure!(
            path.is_dir(),
            "there is no data in {}: start `cargo run -p local` once, or name its folder with --data",
            path.display()
        );
        let found = async {
            loop {
                if let Some(data) = Data::locked(path)? {
                    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
                    let table = data.table(clock).await?;
                    return Ok(Self::Table(table, data));
                }
                if let Some(reach) = Data::reach(path)? {
                    return Ok(Self::Inbox(Network::new()?, reach));
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let found = tokio::time::timeout(RUN_STARTS, found).await;
        found.with_context(|| {
            format!(
                "{} is in use, and its run does not say how it is reached; try again in a moment",
                path.display()
            )
        })?
    }

    async fn create(&self, new: NewKey, days: Option<u32>) -> anyhow::Result<Made> {
        match self {
            Self::Table(table, _) => {
                let (secret, key) = new.make(&random::bytes::<KEY_BYTES>()?, SystemClock.now());
                table.put_api_key(&key).await?;
                Ok(Made {
                    key: secret.expose().to_owned(),
                    listed: key.into(),
                })
            }
            Self::Inbox(network, reach) => {
                let body = wanted(&new.owner, new.role, &new.name, days);
                let made = reach.ask(network, Method::POST, "", Some(body)).await?;
                serde_json::from_value(made).map_err(|_| not_ours())
            }
        }
    }

    async fn list(&self, owner: &OwnerId) -> anyhow::Result<Vec<Listed>> {
        match self {
            Self::Table(table, _) => {
                let mut keys = table.api_keys(owner).await?;
                keys.sort_by_key(|key| std::cmp::Reverse((key.created_at, key.hash.id())));
                Ok(keys.into_iter().map(Listed::from).collect())
            }
            Self::Inbox(network, reach) => {
                #[derive(Deserialize)]
                struct All {
                    items: Vec<Listed>,
                }
                let path = format!("?owner={}", escaped(owner.as_str()));
                let all = reach.ask(network, Method::GET, &path, None).await?;
                let all: All = serde_json::from_value(all).map_err(|_| not_ours())?;
                Ok(all.items)
            }
        }
    }

    async fn revoke(&self, owner: &OwnerId, id: &str) -> anyhow::Result<()> {
        match self {
            Self::Table(table, _) => {
                match table.revoke_api_key(owner, id, SystemClock.now()).await? {
                    Revoked::Done => Ok(()),
                    Revoked::NoSuchKey => anyhow::bail!("there is no such key"),
                }
            }
            Self::Inbox(network, reach) => {
                let path = format!("/{}?owner={}", escaped(id), escaped(owner.as_str()));
                reach
                    .ask(network, Method::DELETE, &path, None)
                    .await
                    .map(drop)
            }
        }
    }
}

fn wanted(owner: &OwnerId, role: Role, name: &KeyName, days: Option<u32>) -> Value {
    json!({"owner": owner.as_str(), "role": role, "name": name.as_str(), "expires_in_days": days})
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn not_ours() -> anyhow::Error {
    anyhow::anyhow!("the inbox's answer is not one that this version knows")
}

impl Reach {
    /// Asks an admin route; null when its answer is empty.
    async fn ask(
        &self,
        network: &Network,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let inbox = &self.inbox;
        let request = Request::builder()
            .method(&method)
            .uri(format!("{inbox}/api/admin/keys{path}"))
            .header("authorization", format!("Bearer {}", self.admin_secret))
            .header("content-type", "application/json")
            .body(body.map_or_else(Default::default, |body| body.to_string().into()))
            .with_context(|| format!("{inbox} is no address, or ADMIN_SECRET no secret"))?;
        let answer = network
            .send(request, ANSWERS)
            .await
            .with_context(|| format!("the inbox at {inbox} does not answer"))?;
        let json: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        match answer.status() {
            status if status.is_success() => Ok(json),
            StatusCode::UNAUTHORIZED => anyhow::bail!("{inbox} has another ADMIN_SECRET"),
            StatusCode::NOT_FOUND if method == Method::DELETE => {
                anyhow::bail!("there is no such key, or {inbox} has no ADMIN_SECRET")
            }
            StatusCode::NOT_FOUND => anyhow::bail!("{inbox} has no ADMIN_SECRET, or is no inbox"),
            status => {
                let why = ["detail", "title"]
                    .iter()
                    .find_map(|word| json.get(*word)?.as_str());
                anyhow::bail!(
                    "the inbox says {}: {}",
                    status.as_u16(),
                    why.unwrap_or("nothing")
                )
            }
        }
    }
}

fn where_to_use(made: &Made, keys: &Keys) -> String {
    let Listed {
        id,
        role,
        expires_at,
        ..
    } = &made.listed;
    let until = expires_at.map_or_else(
        || "until it is revoked".to_owned(),
        |at| format!("until {}", day(at)),
    );
    let inbox = match keys {
        Keys::Inbox(_, reach) => reach.inbox.clone(),
        Keys::Table(..) => "http://127.0.0.1:8071, once `cargo run -p local` is up".to_owned(),
    };
    format!(
        "\nThis key is shown once. Its id is {id}, its role {}; it is valid {until}.\nLog in with it at {inbox}, \
         or send it as `Authorization: Bearer …` to the API there.",
        role.as_str()
    )
}

fn line(key: &Listed, now: EpochMs) -> String {
    let state = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", day(at)),
        (None, Some(at)) if at.0 <= now => format!("expired {}", day(at)),
        (None, Some(at)) => format!("until {}", day(at)),
        (None, None) => "unlimited".to_owned(),
    };
    let made = day(key.created_at);
    let role = key.role.as_str();
    format!("{}  {role:6}  made {made}  {state}  {}", key.id, key.name)
}

/// A moment, to the minute, in UTC.
fn day(at: Time) -> String {
    let at = Timestamp::from_millisecond(at.0.0).unwrap_or_default();
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
