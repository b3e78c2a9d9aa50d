#!/usr/bin/env bash
# A bot's turns that stand so, the one that ended last first: id, end, error, model. The id is what replay.sh takes.
#
#   infra/ops/turns.sh BOT [STATUS]      (default failed; also undelivered, answered, skipped, braked, left_to_person ...)
. "$(dirname "$0")/common.sh"
usage 1 "$@"
need curl python3

path="/api/bots/$(in_path "$1")/turns?limit=100&status=$(in_path "${2:-failed}")"
cursor=""
while true; do
    page="$(api GET "$path${cursor:+&cursor=$(in_path "$cursor")}")"
    python3 -c '
import json, sys
for turn in json.load(sys.stdin)["items"]:
    print(turn["id"], turn["ended_at"] or "-", turn["error"] or "-", turn["model"] or "-", sep="\t")' <<<"$page"
    cursor="$(field next <<<"$page")"
    [ -n "$cursor" ] || break
done
