#!/usr/bin/env bash
# The commands of infra/ops, each for real against a one-machine run: its API, and with the AWS CLI its queues and table.
# Then, against ministack, what the one-machine run has not: a stack with outputs, and a table that can be restored.
set -euo pipefail

cd "$(dirname "$0")/.."
. infra/tools/env.sh
need cargo curl python3 aws ministack
. infra/tools/one-machine.sh

# is WHAT EXPECTED FOUND
is() {
    [ "$2" = "$3" ] || fail "$1: expected \"$2\", found \"$3\""
    echo "ok: $1"
}

ADMIN_SECRET="$(od -An -tx1 -N24 /dev/urandom | tr -d ' \n')"
export ADMIN_SECRET
# One try a burst, so that a model that fails makes a dead letter at once.
start_one_machine DEBOUNCE_SECONDS=1 AI_MAX_ATTEMPTS=1 -- --demo-latency-ms 0

CLIVY_INBOX_URL="$inbox"
CLIVY_API_KEY="$("$binary" key create --inbox "$CLIVY_INBOX_URL" --owner demo --role owner --name ops 2>/dev/null)"
# The engines take any signature; the CLI wants something to sign with.
export CLIVY_INBOX_URL CLIVY_API_KEY AWS_ENDPOINT_URL="$run" AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local
unset CLIVY_STACK AWS_PROFILE AWS_SESSION_TOKEN
CLIVY_TABLE="$(aws dynamodb list-tables --query 'TableNames[0]' --output text)"
CLIVY_QUEUE_URL="$(aws --endpoint-url "$run" sqs list-queues --query 'QueueUrls[?!ends_with(@, `-dlq`)] | [0]' --output text)"
CLIVY_DLQ_URL="$(aws --endpoint-url "$run" sqs list-queues --query 'QueueUrls[?ends_with(@, `-dlq`)] | [0]' --output text)"
export CLIVY_TABLE CLIVY_QUEUE_URL CLIVY_DLQ_URL

say() {
    curl -fsS -X POST "$run/webhook/ai" -H 'Content-Type: application/json' -o /dev/null -d "{\"event\": \"Message\",
        \"instanceName\": \"demo\", \"data\": {\"Info\": {\"ID\": \"$2\", \"Sender\": \"$1@s.whatsapp.net\"},
        \"Message\": {\"conversation\": \"$3\"}}}"
}
model() { # model FAULT: the next calls of the demo model meet it; none ends it
    if [ "$1" = none ]; then
        curl -fsS -o /dev/null -X DELETE "$run/demo/faults?target=model"
    else
        curl -fsS -o /dev/null -X POST "$run/demo/faults" -H 'Content-Type: application/json' -d "{\"target\": \"model\", \"fault\": \"$1\", \"calls\": 9}"
    fi
}
from_json() { # from_json EXPRESSION: of `said`, the JSON on standard input
    python3 -c "import json, sys; said = json.load(sys.stdin); print($1)"
}
turns() { # turns STATUS: how many of the bot
    infra/ops/turns.sh demo "$1" | wc -l
}
turns_are() { [ "$(turns "$1")" = "$2" ]; }

# --- the doors
is "doors.sh finds all doors open, and locked" 5 "$(CLIVY_WEBHOOK_URL="$run/webhook/ai" infra/ops/doors.sh | grep -c '^ok: ')"
if CLIVY_WEBHOOK_URL="$run/nowhere" infra/ops/doors.sh >/dev/null 2>"$folder/said"; then fail "doors.sh finds a door that is not there"; fi
grep -q 'the webhook' "$folder/said" || fail "doors.sh does not say which door: $(cat "$folder/said")"
echo "ok: doors.sh says which door is not as it should be"

# --- two customers whose turns fail
replayed=6281100020001 redriven=6281100020002
model empty_answer
say "$replayed" A1 "Halo, jam buka toko?"
until_true "the first turn has failed" turns_are failed 1
say "$redriven" B1 "Ada Gayo?"
until_true "the second turn has failed" turns_are failed 2
is "turns.sh names the failed turns" "$redriven.1 $replayed.1" "$(infra/ops/turns.sh demo | cut -f1 | xargs)"
is "health.sh tells of the dead letters" "degraded 2 dead_letters" \
    "$(infra/ops/health.sh | from_json 'said["status"], said["dead_letters"]["value"]["visible"], said["reasons"][0]' | tr -d "(),'")"

# --- one is replayed, the other redriven
model none
is "replay.sh queues a failed turn" queued "$(infra/ops/replay.sh demo "$replayed.1")"
until_true "the replayed turn is answered" turns_are answered 1
if infra/ops/replay.sh demo "$replayed.1" >/dev/null 2>"$folder/said"; then fail "a turn that was retried is retried again"; fi
grep -q '"status":409' "$folder/said" || fail "the refusal is not shown: $(cat "$folder/said")"
echo "ok: replay.sh shows why a turn is not tried again"
is "redrive.sh moves all dead letters" "dead letters: 2 moved: 2" "$(infra/ops/redrive.sh 50 | xargs)"
until_true "the redriven turn is answered" turns_are answered 2
is "redriving what was replayed answers nothing twice" "2 0" "$(sleep 3; echo "$(turns answered) $(turns failed)")"
is "redrive.sh with no dead letters moves none" "dead letters: 0 moved: 0" "$(infra/ops/redrive.sh | xargs)"

# --- what is owed: a person has paused a conversation in which a customer writes
contact=6281100020003
say "$contact" C0 "Halo"
until_true "the third customer is answered" turns_are answered 3
curl -fsS -o /dev/null -X POST "$CLIVY_INBOX_URL/api/bots/demo/conversations/$contact/pause" \
    -H "Authorization: Bearer $CLIVY_API_KEY" -H 'Content-Type: application/json' -d '{"minutes": 10}'
is "nothing is owed" "" "$(infra/ops/owed.sh)"
say "$contact" C1 "Boleh tanya?"
until_true "an answer is owed" grep -q . <(infra/ops/owed.sh)
is "owed.sh hides the number" "demo ...0003 customer" "$(infra/ops/owed.sh | cut -f3- | xargs)"
is "owed.sh --full shows it" "demo $contact customer" "$(infra/ops/owed.sh --full | cut -f3- | xargs)"

# --- an export of more than one page
for n in $(seq 1 120); do
    say "$contact" "P$n" "pesan $n"
done
infra/ops/export.sh demo "$contact" >"$folder/export"
is "export.sh has every message once, oldest first" "123 123 Halo pesan 120" \
    "$(from_json 'len(said["messages"]), len({m["id"] for m in said["messages"]}), said["messages"][0]["text"], said["messages"][-1]["text"]' \
        <"$folder/export" | tr -d "(),'")"
is "export.sh has the conversation" "$contact" "$(from_json 'said["conversation"]["contact"]' <"$folder/export")"

# --- a restored table's conversation
definition="$(aws dynamodb describe-table --table-name "$CLIVY_TABLE" --output json --query \
    'Table.{AttributeDefinitions: AttributeDefinitions[?AttributeName==`pk` || AttributeName==`sk`], KeySchema: KeySchema}')"
aws dynamodb create-table --table-name restored --billing-mode PAY_PER_REQUEST --cli-input-json "$definition" >/dev/null
for sk in M#1 M#2; do
    for table in restored "$CLIVY_TABLE"; do
        [ "$table/$sk" = "$CLIVY_TABLE/M#2" ] || aws dynamodb put-item --table-name "$table" --item \
            "{\"pk\": {\"S\": \"C#demo#lost\"}, \"sk\": {\"S\": \"$sk\"}, \"in\": {\"S\": \"$table\"}}"
    done
done
is "copy-conversation.sh copies what is missing" "copied: 1, there already: 1" \
    "$(infra/ops/copy-conversation.sh restored demo lost)"
is "copy-conversation.sh overwrites nothing" "$CLIVY_TABLE restored" "$(aws dynamodb query --table-name "$CLIVY_TABLE" \
    --key-condition-expression 'pk = :pk' --expression-attribute-values '{":pk": {"S": "C#demo#lost"}}' \
    --query 'Items[].in.S' --output text | xargs)"
is "copy-conversation.sh twice is once" "copied: 0, there already: 2" "$(infra/ops/copy-conversation.sh restored demo lost)"
if infra/ops/copy-conversation.sh restored demo nobody 2>/dev/null; then fail "a conversation that is nowhere is copied"; fi

# --- refusals
if infra/ops/restore.sh again 2>"$folder/said"; then fail "restore.sh says nothing of a restore that was refused"; fi
if CLIVY_API_KEY=clv_wrong infra/ops/health.sh >/dev/null 2>"$folder/said"; then fail "a wrong key opens the health route"; fi
if grep -q clv_wrong "$folder/said"; then fail "the key is printed"; fi
if env -u CLIVY_TABLE infra/ops/owed.sh 2>"$folder/said"; then fail "owed.sh found a table that nobody named"; fi
grep -q 'set CLIVY_STACK or CLIVY_TABLE' "$folder/said" || fail "owed.sh does not say what is missing"
infra/ops/replay.sh --help | grep -q 'infra/ops/replay.sh BOT TURN' || fail "a command has no help"

# --- the runbook's own `aws` lines: the CLI knows them, their options and what they require; nothing is asked
lines=0
while read -r line; do
    code=0
    eval "$line --generate-cli-skeleton output" >/dev/null 2>"$folder/said" || code=$?
    # 2 is bad usage. The made-up answers that this prints do not all pass the CLI's own validation, which is 255.
    [ "$code" != 2 ] || fail "docs/OPERATIONS.md: $line: $(tail -n 1 "$folder/said")"
    lines=$((lines + 1))
done < <(awk '/^```console$/ { inside = 1; next } /^```/ { inside = 0 } inside && /^aws /' docs/OPERATIONS.md)
[ "$lines" -ge 15 ] || fail "only $lines aws lines were found in docs/OPERATIONS.md"
echo "ok: the AWS CLI knows the runbook's $lines lines"

stop_one_machine

# --- against ministack: what is found by a stack's name, and a restore
start_ministack
export AWS_ENDPOINT_URL="$ministack_url" CLIVY_STACK=clivy-check
unset CLIVY_TABLE CLIVY_QUEUE_URL CLIVY_DLQ_URL CLIVY_INBOX_URL
cat >"$folder/stack.yaml" <<'STACK'
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - { AttributeName: pk, AttributeType: S }
        - { AttributeName: sk, AttributeType: S }
        - { AttributeName: owed_pk, AttributeType: S }
        - { AttributeName: owed_since, AttributeType: N }
      KeySchema: [{ AttributeName: pk, KeyType: HASH }, { AttributeName: sk, KeyType: RANGE }]
      GlobalSecondaryIndexes:
        - IndexName: owed
          KeySchema: [{ AttributeName: owed_pk, KeyType: HASH }, { AttributeName: owed_since, KeyType: RANGE }]
          Projection: { ProjectionType: KEYS_ONLY }
  Queue: { Type: AWS::SQS::Queue }
  DeadLetterQueue: { Type: AWS::SQS::Queue }
Outputs:
  TableName: { Value: !Ref Table }
  QueueUrl: { Value: !Ref Queue }
  DeadLetterQueueUrl: { Value: !Ref DeadLetterQueue }
STACK
aws cloudformation create-stack --stack-name "$CLIVY_STACK" --template-body "file://$folder/stack.yaml" >/dev/null
aws cloudformation wait stack-create-complete --stack-name "$CLIVY_STACK"
output() {
    aws cloudformation describe-stacks --stack-name "$CLIVY_STACK" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue | [0]"
}
for shard in 7 0; do
    aws dynamodb put-item --table-name "$(output TableName)" --item "{\"pk\": {\"S\": \"C#demo#628110000000$shard\"},
        \"sk\": {\"S\": \"HEAD\"}, \"owed_pk\": {\"S\": \"W#$shard\"}, \"owed_since\": {\"N\": \"170000000000$shard\"}}"
done
is "owed.sh finds the table by the stack's name, and reads all shards" "...0000 ...0007" "$(infra/ops/owed.sh | cut -f4 | xargs)"
is "restore.sh restores the table" "back is there" "$(infra/ops/restore.sh back | tail -n 1)"
is "the restored table has the items" "C#demo#6281100000000 C#demo#6281100000007" \
    "$(aws dynamodb scan --table-name back --query 'sort(Items[].pk.S)' --output text | xargs)"
is "the restored table lets items expire" expires_at "$(aws dynamodb describe-time-to-live --table-name back --output text \
    --query 'TimeToLiveDescription.AttributeName')"
is "the restored table can be restored too" ENABLED "$(aws dynamodb describe-continuous-backups --table-name back --output text \
    --query 'ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus')"
if CLIVY_STACK=other infra/ops/owed.sh 2>/dev/null; then fail "a stack that is not there has a table"; fi

echo "the commands of infra/ops work"
