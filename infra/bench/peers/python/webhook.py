"""The webhook's job as it is usually written for Lambda in Python: boto3's low-level clients, made once per instance;
signature, trigger with a delay, one transaction. The calls are those of infra/bench/floors/src/bin/raw_webhook.rs."""

import hashlib
import hmac
import json
import os
import time
from datetime import datetime

import boto3

dynamodb = boto3.client("dynamodb")
sqs = boto3.client("sqs")
HMAC_KEY = os.environ["HMAC_KEY"].encode()
QUEUE_URL = os.environ["QUEUE_URL"]
TABLE_NAME = os.environ["TABLE_NAME"]


def answer(status, body):
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}


def is_signed(event):
    expected = hmac.new(HMAC_KEY, event["body"].encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, event["headers"].get("x-hmac-signature", ""))


def handler(event, _context):
    if not is_signed(event):
        return answer(401, {"error": "the signature is wrong"})
    body = json.loads(event["body"])
    bot, info = body["instanceName"], body["event"]["Info"]
    mid, name = info["ID"], info["PushName"]
    phone = info["Chat"].split("@")[0]
    text = body["event"]["Message"]["conversation"]
    now = int(time.time() * 1000)
    platform_at = int(datetime.fromisoformat(info["Timestamp"]).timestamp() * 1000)
    key = f"M#{platform_at:013}#{mid}"
    pk = f"C#{bot}#{phone}"
    trigger = {"v": 1, "bot_id": bot, "contact": phone.ljust(58, "."), "mid": key, "first_ms": now}
    sqs.send_message(QueueUrl=QUEUE_URL, MessageBody=json.dumps(trigger), DelaySeconds=3, MessageGroupId=bot)
    dynamodb.transact_write_items(
        TransactItems=[
            {
                "Put": {
                    "TableName": TABLE_NAME,
                    "Item": {
                        "pk": {"S": pk},
                        "sk": {"S": key},
                        "mid": {"S": mid},
                        "author": {"S": "customer"},
                        "kind": {"S": "text"},
                        "text": {"S": text},
                        "platform_at": {"N": str(platform_at)},
                        "received_at": {"N": str(now)},
                        "expires_at": {"N": str(now // 1000 + 90 * 86400)},
                    },
                    "ConditionExpression": "attribute_not_exists(pk)",
                }
            },
            {
                "Update": {
                    "TableName": TABLE_NAME,
                    "Key": {"pk": {"S": pk}, "sk": {"S": "HEAD"}},
                    "UpdateExpression": (
                        "SET bot_id = :bot, contact = :contact, born_at = if_not_exists(born_at, :now), list_pk = :list, "
                        "list_at = :now, last_text = :text, last_kind = :kind, last_author = :author, last_mid = :key, "
                        "last_at = :now, pend_since = if_not_exists(pend_since, :now), owed_pk = :owed, "
                        "owed_since = if_not_exists(owed_since, :now), contact_name = :name, search_text = :search "
                        "ADD pend :keys, unread :one REMOVE erasing_until"
                    ),
                    "ConditionExpression": "(attribute_not_exists(erasing_until) OR erasing_until <= :now)",
                    "ExpressionAttributeValues": {
                        ":bot": {"S": bot},
                        ":contact": {"S": phone},
                        ":list": {"S": f"B#{bot}"},
                        ":now": {"N": str(now)},
                        ":text": {"S": text},
                        ":kind": {"S": "text"},
                        ":author": {"S": "customer"},
                        ":name": {"S": name},
                        ":search": {"S": f"{name.lower()} {phone} 0{phone[2:]}"},
                        ":key": {"S": key},
                        ":keys": {"SS": [key]},
                        ":owed": {"S": "W#3"},
                        ":one": {"N": "1"},
                    },
                }
            },
        ]
    )
    return answer(200, {"status": "queued", "message_id": mid})
