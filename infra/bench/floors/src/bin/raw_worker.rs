//! A turn's calls of AWS, the model and the gateway, side by side and one after the other as the worker makes them, and nothing
//! else: no decision, no prompt, no draft that is read back, no logs, no metrics. Its records say themselves what to write.

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use aws_sdk_dynamodb::types::{
    AttributeValue, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    Update,
};
use floors::{map, n, now_ms, s, sdk, setting};
use futures_util::future::{join_all, try_join3};
use futures_util::try_join;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};

struct Calls {
    dynamodb: aws_sdk_dynamodb::Client,
    sqs: aws_sdk_sqs::Client,
    http: reqwest::Client,
    table: String,
    queue_url: String,
    model_url: String,
}

/// What the bench writes into a record of this function.
#[derive(Deserialize)]
struct Turn {
    pk: String,
    bot: String,
    contact: String,
    key: String,
    gateway_url: String,
    prompt: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sdk = sdk().await;
    let calls = &*Box::leak(Box::new(Calls {
        dynamodb: aws_sdk_dynamodb::Client::new(&sdk),
        sqs: aws_sdk_sqs::Client::new(&sdk),
        http: reqwest::Client::builder().build()?,
        table: setting("TABLE_NAME")?,
        queue_url: setting("QUEUE_URL")?,
        model_url: setting("OPENROUTER_BASE_URL")?,
    }));
    let handler = service_fn(move |event: LambdaEvent<SqsEvent>| async move {
        for ended in join_all(
            event
                .payload
                .records
                .iter()
                .map(|record| calls.turn(record)),
        )
        .await
        {
            ended?;
        }
        Ok::<_, lambda_runtime::Error>(json!({"batchItemFailures": []}))
    });
    lambda_runtime::run(handler)
        .await
        .map_err(anyhow::Error::from_boxed)
}

impl Calls {
    async fn turn(&self, record: &SqsMessage) -> anyhow::Result<()> {
        let turn: Turn = serde_json::from_str(record.body.as_deref().unwrap_or_default())?;
        let now = now_ms();
        let owner = record.message_id.as_deref().unwrap_or_default();
        try_join!(self.claim(&turn, owner, now), self.newest(&turn))?;
        let said = Box::pin(self.ask(&turn, record)).await?;
        self.draft(&turn, &said, now).await?;
        let id = "3EB0A1B2C3D4E5F60718";
        let text = json!({"Phone": turn.contact, "Body": said, "Id": id});
        self.gateway(&turn, "/chat/send/text", &text).await?;
        let paused = json!({"Phone": turn.contact, "State": "paused"});
        try_join!(
            Box::pin(self.commit(&turn, &said, id, now)),
            self.gateway(&turn, "/chat/presence", &paused)
        )?;
        Ok(())
    }

    fn head(turn: &Turn) -> std::collections::HashMap<String, AttributeValue> {
        map([("pk", s(&turn.pk)), ("sk", s("HEAD"))])
    }

    async fn claim(&self, turn: &Turn, owner: &str, now: u128) -> anyhow::Result<()> {
        let values = map([
            (":zero", n(0)),
            (":one", n(1)),
            (":owner", s(owner)),
            (":until", n(now + 180_000)),
            (":now", n(now)),
            (":waited", n(now - 15_000)),
            (":many", n(50)),
            (":key", s(&turn.key)),
        ]);
        self.dynamodb
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Self::head(turn)))
            .update_expression(
                "SET fence = if_not_exists(fence, :now) + :one, c_fence = if_not_exists(fence, :now) + :one, \
                 c_owner = :owner, c_until = :until, c_mids = pend, c_since = pend_since, \
                 tries = if_not_exists(tries, :zero) + :one REMOVE pend, pend_since, retry_at",
            )
            .condition_expression(
                "contains(pend, :key) AND attribute_not_exists(c_fence) \
                 AND (last_mid = :key OR pend_since <= :waited OR size(pend) >= :many) \
                 AND (attribute_not_exists(paused_until) OR paused_until <= :now) \
                 AND (attribute_not_exists(retry_at) OR retry_at <= :now)",
            )
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await?;
        Ok(())
    }

    async fn newest(&self, turn: &Turn) -> anyhow::Result<()> {
        self.dynamodb
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", s(&turn.pk))
            .expression_attribute_values(":prefix", s("M#"))
            .scan_index_forward(false)
            .limit(30)
            .consistent_read(true)
            .send()
            .await?;
        Ok(())
    }

    /// The model's answer; beside it the visibility, the read ticks and "typing…".
    async fn ask(&self, turn: &Turn, record: &SqsMessage) -> anyhow::Result<String> {
        let visibility = async {
            self.sqs
                .change_message_visibility()
                .queue_url(&self.queue_url)
                .receipt_handle(record.receipt_handle.as_deref().unwrap_or_default())
                .visibility_timeout(185)
                .send()
                .await?;
            Ok::<_, anyhow::Error>(())
        };
        let jid = format!("{}@s.whatsapp.net", turn.contact);
        let read = json!({"Id": [turn.key], "Chat": jid, "Sender": jid});
        let composing = json!({"Phone": turn.contact, "State": "composing"});
        let ticks = async {
            self.gateway(turn, "/chat/markread", &read).await?;
            self.gateway(turn, "/chat/presence", &composing).await
        };
        let prompt = json!({"model": "bench/model", "max_tokens": 800, "user": turn.key,
            "messages": [{"role": "user", "content": turn.prompt}]});
        let url = format!("{}/chat/completions", self.model_url);
        let asked = async {
            let answer: Value = serde_json::from_slice(&self.post(&url, &prompt).await?)?;
            let said = answer.pointer("/choices/0/message/content");
            Ok(said.and_then(Value::as_str).unwrap_or_default().to_owned())
        };
        let ((), (), said) = try_join3(visibility, ticks, asked).await?;
        Ok(said)
    }

    async fn draft(&self, turn: &Turn, said: &str, now: u128) -> anyhow::Result<()> {
        let outcome = json!({"status": "answered", "model": "bench/model", "is_free": false, "spent": {"calls": 1,
            "tokens_in": 900, "tokens_out": 70, "tokens_cached": 64, "cost_usd": 0.000_25, "latency_ms": 30}});
        self.dynamodb
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Self::head(turn)))
            .update_expression(
                "SET c_text = :text, c_rid = :rid, c_outcome = :outcome, c_sends = :sends",
            )
            .condition_expression(
                "c_fence > :fence AND attribute_not_exists(c_text) \
                 AND (attribute_not_exists(paused_until) OR paused_until <= :now)",
            )
            .expression_attribute_values(":text", s(said))
            .expression_attribute_values(":rid", s("3EB0A1B2C3D4E5F60718"))
            .expression_attribute_values(":outcome", s(outcome.to_string()))
            .expression_attribute_values(":sends", n(1))
            .expression_attribute_values(":fence", n(0))
            .expression_attribute_values(":now", n(now))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await?;
        Ok(())
    }

    async fn commit(&self, turn: &Turn, said: &str, id: &str, now: u128) -> anyhow::Result<()> {
        let update = |update: Update| TransactWriteItem::builder().update(update).build();
        let reply = map([
            ("pk", s(&turn.pk)),
            ("sk", s(format!("M#{now:013}#{id}"))),
            ("mid", s(id)),
            ("author", s("bot")),
            ("kind", s("text")),
            ("text", s(said)),
            ("platform_at", n(now)),
            ("received_at", n(now)),
            ("delivered", AttributeValue::Bool(true)),
            ("burst", n(1)),
            (
                "turn",
                AttributeValue::M(map([
                    ("model", s("bench/model")),
                    ("status", s("answered")),
                    ("cost", n(0.000_25)),
                ])),
            ),
            ("expires_at", n(now / 1000 + 90 * 86_400)),
        ]);
        let reply = Put::builder()
            .table_name(&self.table)
            .set_item(Some(reply))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::None)
            .build()?;
        self.dynamodb
            .transact_write_items()
            .transact_items(update(self.end_claim(turn, said, now)?))
            .transact_items(update(self.turn_record(turn, id, now)?))
            .transact_items(update(self.usage(turn)?))
            .transact_items(TransactWriteItem::builder().put(reply).build())
            .send()
            .await?;
        Ok(())
    }

    fn end_claim(&self, turn: &Turn, said: &str, now: u128) -> anyhow::Result<Update> {
        let values = map([
            (":burst", n(1)),
            (":now", n(now)),
            (":fence", n(0)),
            (":text", s(said)),
            (":kind", s("text")),
            (":author", s("bot")),
            (":rate_since", n(now)),
            (":rate_answered", n(1)),
            (":today", n(now / 86_400_000)),
        ]);
        Ok(Update::builder()
            .table_name(&self.table)
            .set_key(Some(Self::head(turn)))
            .update_expression(
                "SET burst = :burst, ended_at = :now, list_at = :now, last_text = :text, last_kind = :kind, \
                 last_author = :author, rate_since = :rate_since, rate_answered = :rate_answered, counted_day = :today \
                 REMOVE c_fence, c_owner, c_until, c_since, c_mids, c_text, c_rid, c_outcome, c_sends, \
                 tries, spent, retry_at, owed_pk, owed_since",
            )
            .condition_expression("c_fence > :fence AND attribute_not_exists(pend)")
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()?)
    }

    fn turn_record(&self, turn: &Turn, id: &str, now: u128) -> anyhow::Result<Update> {
        let attempt = map([
            ("number", n(1)),
            ("started_at", n(now)),
            ("ended_at", n(now)),
            ("model", s("bench/model")),
            ("class", s("ok")),
            ("message", s("")),
        ]);
        let values = map([
            (":list", s(format!("B#{}", turn.bot))),
            (":status", s("answered")),
            (":keys", AttributeValue::L(vec![s(&turn.key)])),
            (
                ":attempts",
                AttributeValue::L(vec![AttributeValue::M(attempt)]),
            ),
            (":rid", s(id)),
            (":model", s("bench/model")),
            (":n", n(70)),
            (":cost", n(0.000_25)),
            (":now", n(now)),
            (":burst", n(1)),
            (":contact", s(&turn.contact)),
            (":expires", n(now / 1000 + 90 * 86_400)),
        ]);
        Ok(Update::builder()
            .table_name(&self.table)
            .set_key(Some(map([("pk", s(&turn.pk)), ("sk", s("T#0000000001"))])))
            .update_expression(
                "SET #status = :status, #keys = :keys, attempts = :attempts, tries = :burst, reply_id = :rid, \
                 model = :model, tokens_in = :n, tokens_out = :n, tokens_cached = :n, cost_usd = :cost, \
                 llm_latency_ms = :n, llm_calls = :burst, wasted = :n, began_at = :now, ended_at = :now, \
                 burst = :burst, contact = :contact, list_pk = :list, list_at = :now, expires_at = :expires",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#keys", "keys")
            .set_expression_attribute_values(Some(values))
            .build()?)
    }

    /// Sixteen counters of the bot's hour.
    fn usage(&self, turn: &Turn) -> anyhow::Result<Update> {
        let mut update = Update::builder().table_name(&self.table).set_key(Some(map([
            ("pk", s(format!("U#{}#202601", turn.bot))),
            ("sk", s("D#01#H#00")),
        ])));
        let mut parts = Vec::new();
        for index in 0..16 {
            parts.push(format!("#{index} :{index}"));
            update = update
                .expression_attribute_names(format!("#{index}"), format!("counter_{index}"))
                .expression_attribute_values(format!(":{index}"), n(1));
        }
        Ok(update
            .update_expression(format!("ADD {}", parts.join(", ")))
            .build()?)
    }

    async fn gateway(&self, turn: &Turn, path: &str, body: &Value) -> anyhow::Result<()> {
        self.post(&format!("{}{path}", turn.gateway_url), body)
            .await?;
        Ok(())
    }

    async fn post(&self, url: &str, body: &Value) -> anyhow::Result<Vec<u8>> {
        let request = self
            .http
            .post(url)
            .header("content-type", "application/json")
            .header(
                "authorization",
                "Bearer sk-or-v1-bench-bench-bench-bench-bench-bench-bench",
            )
            .body(body.to_string());
        let answer = request.send().await?.error_for_status()?;
        Ok(answer.bytes().await?.to_vec())
    }
}
