//! The webhook's two calls of AWS for a customer's message, and nothing else: no signature, no rules, no logs, no metrics.
//! The calls are those of `shared/src/queue.rs` and `shared/src/table/store.rs`, attribute by attribute.

use anyhow::Context;
use aws_sdk_dynamodb::types::{
    AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use aws_sdk_sqs::types::{MessageSystemAttributeNameForSends, MessageSystemAttributeValue};
use floors::{map, n, now_ms, s, sdk, setting};
use lambda_http::{Request, RequestExt, service_fn};
use serde_json::{Value, json};

struct Calls {
    dynamodb: aws_sdk_dynamodb::Client,
    sqs: aws_sdk_sqs::Client,
    table: String,
    queue_url: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let sdk = sdk().await;
    let calls = &*Box::leak(Box::new(Calls {
        dynamodb: aws_sdk_dynamodb::Client::new(&sdk),
        sqs: aws_sdk_sqs::Client::new(&sdk),
        table: setting("TABLE_NAME")?,
        queue_url: setting("QUEUE_URL")?,
    }));
    let handler = service_fn(move |request: Request| async move {
        calls
            .store(&request)
            .await
            .map_err(anyhow::Error::into_boxed_dyn_error)
    });
    lambda_http::run(handler)
        .await
        .map_err(anyhow::Error::from_boxed)
}

impl Calls {
    async fn store(&self, request: &Request) -> anyhow::Result<String> {
        let body: Value = serde_json::from_slice(request.body())?;
        let info = body.pointer("/event/Info").context("no message")?;
        let text_of =
            |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let mid = text_of(info.get("ID"));
        let bot = text_of(body.get("instanceName"));
        let phone = text_of(info.get("Chat"));
        let phone = phone.split('@').next().unwrap_or_default().to_owned();
        let text = text_of(body.pointer("/event/Message/conversation"));
        let name = text_of(info.get("PushName"));
        let now = now_ms();
        let key = format!("M#{now:013}#{mid}");
        let trigger = json!({"v": 1, "bot_id": bot, "mid": key, "first_ms": now,
            // As long as a sealed contact.
            "contact": format!("{phone:.<58}")});
        let context = request.lambda_context_ref().context("no context")?;
        let trace = MessageSystemAttributeValue::builder()
            .data_type("String")
            .set_string_value(context.xray_trace_id.clone())
            .build()?;
        self.sqs
            .send_message()
            .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace)
            .queue_url(&self.queue_url)
            .message_body(trigger.to_string())
            .delay_seconds(3)
            .message_group_id(&bot)
            .send()
            .await?;
        let pk = format!("C#{bot}#{phone}");
        let message = map([
            ("pk", s(&pk)),
            ("sk", s(&key)),
            ("mid", s(&mid)),
            ("author", s("customer")),
            ("kind", s("text")),
            ("text", s(&text)),
            ("platform_at", n(now)),
            ("received_at", n(now)),
            ("delivered", AttributeValue::Bool(true)),
            ("expires_at", n(now / 1000 + 90 * 86_400)),
        ]);
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(message))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::None);
        let values = map([
            (":bot", s(&bot)),
            (":contact", s(&phone)),
            (":list", s(format!("B#{bot}"))),
            (":now", n(now)),
            (":text", s(&text)),
            (":kind", s("text")),
            (":author", s("customer")),
            (":name", s(&name)),
            (":search", s(format!("{name} {phone} 0{phone}"))),
            (":key", s(&key)),
            (":keys", AttributeValue::Ss(vec![key.clone()])),
            (":owed", s("W#3")),
            (":one", n(1)),
        ]);
        let head = Update::builder()
            .table_name(&self.table)
            .set_key(Some(map([("pk", s(&pk)), ("sk", s("HEAD"))])))
            .update_expression(
                "SET bot_id = :bot, contact = :contact, born_at = if_not_exists(born_at, :now), \
                 list_pk = :list, list_at = :now, last_text = :text, last_kind = :kind, last_author = :author, \
                 last_mid = :key, last_at = :now, pend_since = if_not_exists(pend_since, :now), \
                 owed_pk = :owed, owed_since = if_not_exists(owed_since, :now), contact_name = :name, \
                 search_text = :search ADD pend :keys, unread :one REMOVE erasing_until",
            )
            .condition_expression("(attribute_not_exists(erasing_until) OR erasing_until <= :now)")
            .set_expression_attribute_values(Some(values));
        self.dynamodb
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put.build()?).build())
            .transact_items(TransactWriteItem::builder().update(head.build()?).build())
            .send()
            .await?;
        Ok(json!({"status": "queued", "message_id": mid}).to_string())
    }
}
