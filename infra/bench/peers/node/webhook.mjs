// The webhook's job as it is usually written for Lambda in JavaScript: the low-level clients of the AWS SDK v3, made once per
// instance; signature, trigger with a delay, one transaction. The calls are those of infra/bench/floors/src/bin/raw_webhook.rs.
import { createHmac, timingSafeEqual } from "node:crypto";
import { DynamoDBClient, TransactWriteItemsCommand } from "@aws-sdk/client-dynamodb";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const dynamodb = new DynamoDBClient({});
// The endpoint of the environment, not the host of the queue's address: the services of the bench are on this machine.
const sqs = new SQSClient({ useQueueUrlAsEndpoint: false });
const { HMAC_KEY, QUEUE_URL, TABLE_NAME } = process.env;

const answer = (statusCode, body) => ({
  statusCode,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

function isSigned(event) {
  const expected = createHmac("sha256", HMAC_KEY).update(event.body).digest();
  const given = Buffer.from(event.headers["x-hmac-signature"] ?? "", "hex");
  return given.length === expected.length && timingSafeEqual(given, expected);
}

export async function handler(event) {
  if (!isSigned(event)) return answer(401, { error: "the signature is wrong" });
  const { instanceName: bot, event: said } = JSON.parse(event.body);
  const { ID: mid, Chat: chat, PushName: name, Timestamp: written } = said.Info;
  const phone = chat.split("@")[0];
  const text = said.Message.conversation;
  const now = Date.now();
  const platformAt = Date.parse(written);
  const key = `M#${String(platformAt).padStart(13, "0")}#${mid}`;
  const pk = `C#${bot}#${phone}`;
  await sqs.send(
    new SendMessageCommand({
      QueueUrl: QUEUE_URL,
      MessageBody: JSON.stringify({ v: 1, bot_id: bot, contact: phone.padEnd(58, "."), mid: key, first_ms: now }),
      DelaySeconds: 3,
      MessageGroupId: bot,
    }),
  );
  await dynamodb.send(
    new TransactWriteItemsCommand({
      TransactItems: [
        {
          Put: {
            TableName: TABLE_NAME,
            Item: {
              pk: { S: pk },
              sk: { S: key },
              mid: { S: mid },
              author: { S: "customer" },
              kind: { S: "text" },
              text: { S: text },
              platform_at: { N: String(platformAt) },
              received_at: { N: String(now) },
              expires_at: { N: String(Math.floor(now / 1000) + 90 * 86400) },
            },
            ConditionExpression: "attribute_not_exists(pk)",
          },
        },
        {
          Update: {
            TableName: TABLE_NAME,
            Key: { pk: { S: pk }, sk: { S: "HEAD" } },
            UpdateExpression:
              "SET bot_id = :bot, contact = :contact, born_at = if_not_exists(born_at, :now), list_pk = :list, " +
              "list_at = :now, last_text = :text, last_kind = :kind, last_author = :author, last_mid = :key, " +
              "last_at = :now, pend_since = if_not_exists(pend_since, :now), owed_pk = :owed, " +
              "owed_since = if_not_exists(owed_since, :now), contact_name = :name, search_text = :search " +
              "ADD pend :keys, unread :one REMOVE erasing_until",
            ConditionExpression: "(attribute_not_exists(erasing_until) OR erasing_until <= :now)",
            ExpressionAttributeValues: {
              ":bot": { S: bot },
              ":contact": { S: phone },
              ":list": { S: `B#${bot}` },
              ":now": { N: String(now) },
              ":text": { S: text },
              ":kind": { S: "text" },
              ":author": { S: "customer" },
              ":name": { S: name },
              ":search": { S: `${name.toLowerCase()} ${phone} 0${phone.slice(2)}` },
              ":key": { S: key },
              ":keys": { SS: [key] },
              ":owed": { S: "W#3" },
              ":one": { N: "1" },
            },
          },
        },
      ],
    }),
  );
  return answer(200, { status: "queued", message_id: mid });
}
