#!/usr/bin/env bash
# Tries a failed or undelivered turn again. Twice is once (I13): what was answered meanwhile is not answered again.
#
#   infra/ops/replay.sh BOT TURN [MODEL]      (TURN as turns.sh prints it: CONTACT.NUMBER)
. "$(dirname "$0")/common.sh"
usage 2 "$@"
need curl python3

body='{}'
if [ "$#" -gt 2 ]; then
    body="$(python3 -c 'import json, sys; print(json.dumps({"model": sys.argv[1]}))' "$3")"
fi
api POST "/api/bots/$(in_path "$1")/turns/$(in_path "$2")/retry" "$body" | field status
