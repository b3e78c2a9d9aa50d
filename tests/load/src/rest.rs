//! The end of a run: until nothing is under way, and what the table says of turns that were parked.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tests::process::one_machine::OneMachine;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::ledger::Sent;
use crate::outside::Outside;
use crate::token::{Customer, Token};
use crate::verdict::Parked;

const LOOK_EVERY: Duration = Duration::from_millis(200);
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Waits until every writer has posted what they had begun; those who cannot within `patience` are broken off, and what
/// they never got a 200 for counts as refused.
pub async fn until_posted(writers: JoinSet<()>, patience: Duration) {
    // Dropping them ends them.
    let _ = tokio::time::timeout(patience, writers.join_all()).await;
}

/// Waits until every customer is answered, telling every few seconds how many are not; gives up after `patience`, and then
/// the verdict counts what is lost.
pub async fn until_answered(outside: &Outside, patience: Duration, tell: impl Fn(usize)) {
    let began = Instant::now();
    let mut told = began;
    loop {
        let waiting = outside.waiting();
        if waiting == 0 || began.elapsed() >= patience {
            return;
        }
        if told.elapsed() >= TELL_EVERY {
            tell(waiting);
            told = Instant::now();
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until no conversation holds or owes anything; gives what is left after `patience`.
pub async fn until_nothing_is_owed(run: &OneMachine, patience: Duration) -> Option<String> {
    let began = Instant::now();
    loop {
        let left = run.owed().await?;
        if began.elapsed() >= patience {
            return Some(left);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until no trigger is left that could send something: delayed ones included. Gives up after `patience`.
pub async fn until_queue_is_empty(run: &OneMachine, patience: Duration) {
    let began = Instant::now();
    while run.queue().await != [0, 0, 0] && began.elapsed() < patience {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The parked turns of everybody who got a text that answers nothing.
pub async fn parked(run: &OneMachine, outside: &Outside) -> Parked {
    let customers: BTreeSet<Customer> = outside.ledger(|ledger| {
        let without = |text: &str| Token::all(text).next().is_none();
        let texts = ledger.replies().filter(|sent| without(&sent.text));
        texts.filter_map(Sent::customer).collect()
    });
    let mut parked = Parked::new();
    for customer in customers {
        for turn in turns(run, customer).await {
            if text(&turn, "status") == Some("failed")
                && let Some(reply_id) = text(&turn, "reply_id")
            {
                parked.insert(reply_id.to_owned(), bubbles(&turn));
            }
        }
    }
    parked
}

async fn turns(run: &OneMachine, customer: Customer) -> Vec<Value> {
    let pk = format!("C#{}#{}", customer.bot_id(), customer.phone());
    let query = json!({
        "TableName": local::world::TABLE,
        "KeyConditionExpression": "pk = :pk AND begins_with(sk, :turn)",
        "ExpressionAttributeValues": {":pk": {"S": pk}, ":turn": {"S": "T#"}},
    });
    let mut answer = run.aws("DynamoDB_20120810.Query", &query).await;
    // A conversation's turns of one run are far below a page of 1 MB.
    match answer.get_mut("Items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

/// A text attribute of an item.
fn text<'i>(item: &'i Value, name: &str) -> Option<&'i str> {
    item.get(name)?.get("S")?.as_str()
}

/// The bubbles of a turn's burst: their keys end with their message ids, and these with their tokens.
fn bubbles(turn: &Value) -> BTreeSet<Token> {
    let keys = turn.pointer("/keys/L").and_then(Value::as_array);
    let keys = keys.into_iter().flatten();
    keys.filter_map(|key| {
        let (_, mid) = key.get("S")?.as_str()?.rsplit_once('#')?;
        Token::of_mid(mid)
    })
    .collect()
}
