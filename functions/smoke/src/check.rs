//! The test: one message of a customer who does not exist, through the new webhook and the new worker, gets one reply.
//!
//! The versions are invoked directly, because the alias still leads to the old ones. The webhook sends its trigger to the real
//! queue, though, and the queue's worker is the old one: it would answer after the debounce. So the new worker is given the same
//! trigger at once, and the reply counts only if the model was asked before the queue could have brought the trigger to anybody.
//! If the old one was faster, or if the model failed, another customer asks. The queue's own trigger is waited for: it must not
//! bring a second reply.

use std::time::Duration;

use clivy::channel::wuzapi::sign;
use clivy::conversation::bot::Bot;
use clivy::conversation::ids::{Contact, ConversationId, EpochMs, MessageKey, hex};
use clivy::conversation::outcome::TurnStatus;
use clivy::conversation::trigger::Trigger;
use clivy::queue;
use serde_json::{Value, json};

use crate::{Failure, Part, Smoke, bot};

/// Customers that ask, one after another, until the new worker has answered one.
const CUSTOMERS: u32 = 3;
/// Between two of them: IAM lets in what is new after some seconds.
const PAUSE: Duration = Duration::from_secs(5);
/// The webhook's own timeout is 10 s.
const WEBHOOK_PATIENCE: Duration = Duration::from_secs(15);
/// The worker's own timeout is 180 s.
const WORKER_PATIENCE: Duration = Duration::from_secs(185);
/// How long after the debounce the queue's trigger has surely been handled: a delay is a minimum, and a worker may start.
const QUEUE_SECONDS: u64 = 10;

/// Runs the test.
pub async fn check(smoke: &Smoke) -> Result<(), Failure> {
    let mut customers = 0;
    loop {
        customers += 1;
        match customer(smoke).await {
            Ok(asked) => return no_second_reply(smoke, &asked).await,
            Err(failure) if failure.may_pass() && customers < CUSTOMERS => {
                tracing::warn!(step = "smoke_again", %failure, "another customer asks");
                tokio::time::sleep(PAUSE).await;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// A customer whose message the new versions have answered.
struct Asked {
    id: ConversationId,
    event: Value,
}

/// One customer asks.
async fn customer(smoke: &Smoke) -> Result<Asked, Failure> {
    let bot = &bot::ensure(smoke).await?;
    // A version that has not started yet would lose the race against the queue.
    worker(smoke, &json!({"Records": []})).await?;
    let mut phone = "999".to_owned();
    // 999 is no country. A stranger every time: a history would cost tokens, and a hook at the same time must not meet this one.
    for byte in clivy::random::bytes::<6>()? {
        phone.push_str(&format!("{:02}", byte % 100));
    }
    let contact = Contact::new(&phone).map_err(|_| Failure::Bot)?;
    let id = ConversationId {
        bot_id: bot.bot_id.clone(),
        contact,
    };
    let sent_at = smoke.clock.now();
    accepted(smoke, bot, &id).await?;
    let newest = smoke.table.newest(&id, 1).await?;
    let key = newest.into_iter().next().ok_or(Failure::NotStored)?.key;
    let event = sqs_event(smoke, &id, key)?;
    worker(smoke, &event).await?;
    match replies(smoke, &id).await? {
        // The queue's worker has the message, or nobody has sent anything.
        0 => return Err(Failure::NoReply),
        1 => {}
        more => return Err(Failure::Replies(more)),
    }
    is_the_new_workers(smoke, &id, sent_at).await?;
    Ok(Asked { id, event })
}

/// The webhook takes the message.
async fn accepted(smoke: &Smoke, bot: &Bot, id: &ConversationId) -> Result<(), Failure> {
    let body = message(smoke.clock.now(), &id.contact)?.to_string();
    let signature = bot.gateway.hmac_key.as_deref();
    let signature = signature.map(|key| sign(key, body.as_bytes()));
    let event = api_event(&body, &signature.unwrap_or_default());
    let (url, version) = (&smoke.settings.invoke_url, &smoke.settings.webhook_version);
    let answer = smoke
        .aws
        .invoke(url, version, &event, WEBHOOK_PATIENCE)
        .await
        .map_err(|error| Failure::Version(Part::Webhook, error))?;
    let status = answer.get("statusCode").and_then(Value::as_u64);
    let said = answer.get("body").and_then(Value::as_str);
    let said: Value = serde_json::from_str(said.unwrap_or_default()).unwrap_or_default();
    let is_stored = ["queued", "duplicate"]
        .iter()
        .any(|word| said.get("status").and_then(Value::as_str) == Some(word));
    match status {
        Some(200) if is_stored => Ok(()),
        status => Err(Failure::NotAccepted(status.unwrap_or_default())),
    }
}

/// The worker takes a batch and gives no record of it back.
async fn worker(smoke: &Smoke, event: &Value) -> Result<(), Failure> {
    let (url, version) = (&smoke.settings.invoke_url, &smoke.settings.worker_version);
    let answer = smoke
        .aws
        .invoke(url, version, event, WORKER_PATIENCE)
        .await
        .map_err(|error| Failure::Version(Part::Worker, error))?;
    match answer.get("batchItemFailures").and_then(Value::as_array) {
        Some(failures) if failures.is_empty() => Ok(()),
        _ => Err(Failure::GivenBack),
    }
}

async fn replies(smoke: &Smoke, id: &ConversationId) -> Result<usize, Failure> {
    Ok(smoke.table.smoke_replies(&id.contact).await?)
}

/// Who replied: the model, since the fallback text is a reply too and not what a working version gives; and the new worker, since
/// nobody else could begin so early. The trigger that the webhook has sent since `sent_at` is delayed by the debounce at least.
async fn is_the_new_workers(
    smoke: &Smoke,
    id: &ConversationId,
    sent_at: EpochMs,
) -> Result<(), Failure> {
    let head = smoke.table.head(id).await?;
    let bursts = head.map_or(0, |head| head.bursts);
    let turn = smoke.table.turn(id, bursts).await?;
    let turn = turn.ok_or(Failure::NotAnswered("unknown"))?;
    if turn.status != TurnStatus::Answered {
        return Err(Failure::NotAnswered(turn.status.as_str()));
    }
    let queue_at = sent_at.plus_ms(i64::from(smoke.settings.debounce_seconds) * 1000);
    match turn.attempts.last() {
        Some(attempt) if attempt.started_at < queue_at => Ok(()),
        _ => Err(Failure::Overtaken),
    }
}

/// The same trigger comes again, to the new worker here and to the old one by the queue: nobody replies again (I5, I13).
async fn no_second_reply(smoke: &Smoke, asked: &Asked) -> Result<(), Failure> {
    worker(smoke, &asked.event).await?;
    let debounce = u64::from(smoke.settings.debounce_seconds);
    tokio::time::sleep(Duration::from_secs(debounce + QUEUE_SECONDS)).await;
    match replies(smoke, &asked.id).await? {
        1 => Ok(()),
        more => Err(Failure::Replies(more)),
    }
}

/// A text message as wuzapi posts it.
fn message(now: EpochMs, contact: &Contact) -> Result<Value, Failure> {
    let mid = hex(&clivy::random::bytes::<10>()?).to_uppercase();
    let at = jiff::Timestamp::from_second(now.0.div_euclid(1000)).unwrap_or_default();
    let jid = format!("{}@s.whatsapp.net", contact.as_str());
    Ok(json!({
        "type": "Message",
        "instanceName": bot::NAME,
        "event": {
            "Info": {
                "ID": mid, "Chat": jid, "Sender": jid, "IsFromMe": false, "IsGroup": false,
                "Type": "text", "PushName": "Smoke test", "Timestamp": at.to_string()
            },
            "Message": {"conversation": "Halo, apakah Anda siap?"}
        }
    }))
}

/// A POST to the webhook as the HTTP API hands it on (payload format 2.0).
fn api_event(body: &str, signature: &str) -> Value {
    const PATH: &str = "/webhook/ai";
    json!({
        "version": "2.0",
        "routeKey": format!("POST {PATH}"),
        "rawPath": PATH,
        "rawQueryString": "",
        "headers": {
            "content-type": "application/json",
            "host": "smoke.test",
            "x-hmac-signature": signature
        },
        "requestContext": {
            "apiId": "smoke", "stage": "$default", "requestId": "smoke",
            "routeKey": format!("POST {PATH}"), "timeEpoch": 0,
            "http": {
                "method": "POST", "path": PATH, "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1", "userAgent": "smoke"
            }
        },
        "body": body,
        "isBase64Encoded": false
    })
}

/// The message's trigger, as the queue hands it on. It was never in the queue, so nothing there has this receipt: the worker's
/// wish to see the record later is refused, which it takes as it takes any lost wish.
fn sqs_event(smoke: &Smoke, id: &ConversationId, key: MessageKey) -> Result<Value, Failure> {
    let trigger = Trigger::answer(id.clone(), key, smoke.clock.now());
    let body = queue::body(&smoke.pseudonyms, &trigger).map_err(|_| Failure::Bot)?;
    Ok(json!({"Records": [{
        "messageId": "smoke", "receiptHandle": "smoke", "body": body,
        "attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": {},
        "eventSource": "aws:sqs"
    }]}))
}
