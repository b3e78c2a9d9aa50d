#!/usr/bin/env bash
# Everything that the inbox knows of a contact: the conversation and all of its messages, oldest first. JSON. For a customer
# who asks what is stored about them. DELETE on the conversation's route of the API erases it.
#
#   infra/ops/export.sh BOT CONTACT > FILE
. "$(dirname "$0")/common.sh"
usage 2 "$@"
need curl python3
# The file is for nobody else.
umask 077

path="/api/bots/$(in_path "$1")/conversations/$(in_path "$2")"
pages="$(mktemp)"
trap 'rm -f "$pages"' EXIT
api GET "$path" >"$pages"
cursor=""
while true; do
    page="$(api GET "$path/messages?limit=100${cursor:+&cursor=$(in_path "$cursor")}")"
    printf '%s\n' "$page" >>"$pages"
    cursor="$(field next <<<"$page")"
    [ -n "$cursor" ] || break
done
# A page an answer, an answer a line.
python3 - "$1" "$pages" <<'PYTHON'
import json, sys

bot, file = sys.argv[1:]
with open(file, encoding="utf-8") as lines:
    conversation, *pages = (json.loads(line) for line in lines)
messages = [message for page in pages for message in page["items"]]
messages.reverse()
exported = {"bot": bot, "conversation": conversation, "messages": messages}
json.dump(exported, sys.stdout, ensure_ascii=False, indent=2)
print()
PYTHON
