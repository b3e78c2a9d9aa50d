#!/usr/bin/env bash
# The conversations that are owed something now, longest first: since when, for how many seconds, bot, contact, to whom
# (customer: an answer; person: a message of theirs is to be sent). Paused conversations are owed too.
#
#   infra/ops/owed.sh [--full]      (--full: whole numbers of contacts instead of their last four digits)
. "$(dirname "$0")/common.sh"
usage 0 "$@"
need aws python3

shown=masked
if [ "${1:-}" = --full ]; then shown=full; fi
table="$(found CLIVY_TABLE TableName)"
# The shards of shared/src/table/keys.rs; the CLI reads all pages of each.
for shard in 0 1 2 3 4 5 6 7; do
    aws dynamodb query --table-name "$table" --index-name owed --output json \
        --key-condition-expression 'owed_pk = :shard' --expression-attribute-values "{\":shard\": {\"S\": \"W#$shard\"}}" \
        --query Items
done | python3 -c '
import json, sys, time
from datetime import datetime, timezone

text, rows = sys.stdin.read(), []
decoder, at = json.JSONDecoder(), 0
while at < len(text.rstrip()):
    items, end = decoder.raw_decode(text, at)
    at = end + len(text[end:]) - len(text[end:].lstrip())
    rows += items
rows.sort(key=lambda item: int(item["owed_since"]["N"]))
for item in rows:
    bot, contact = item["pk"]["S"].removeprefix("C#").rsplit("#", 1)
    since = int(item["owed_since"]["N"]) / 1000
    print(
        datetime.fromtimestamp(since, timezone.utc).isoformat(timespec="seconds"),
        max(0, round(time.time() - since)),
        bot,
        contact if sys.argv[1] == "full" else "..." + contact[-4:],
        "person" if item["sk"]["S"].startswith("M#") else "customer",
        sep="\t",
    )' "$shown"
