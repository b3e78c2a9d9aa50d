#!/usr/bin/env bash
# The inbox keeps what its OpenAPI document says: every route of a one-machine run is asked with valid and invalid input, and
# every answer must be a documented one of the documented shape, and never a 5xx.
#
#   infra/check-api.sh [options of schemathesis, such as --include-path /api/keys]
set -euo pipefail

cd "$(dirname "$0")/.."
. infra/tools/env.sh
need cargo curl python3 schemathesis

cargo build --locked --package local --bin local
binary="$(cargo metadata --no-deps --offline --format-version 1 |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/debug/local"

folder="$(mktemp -d)"
log="$folder/log"
pid=""
stop() {
    if [ -n "$pid" ]; then
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
trap stop EXIT
fail() {
    echo "$1; the run's last lines:" >&2
    tail -n 30 "$log" >&2
    exit 1
}
# until_said WHAT TIMES: waits until the run has said so, so often.
until_said() {
    for _ in $(seq 1 240); do
        if [ "$(grep -c -- "$1" "$log")" -ge "$2" ]; then
            return
        fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.25
    done
    fail "the one-machine run never said $1"
}

# The demo's bot, and one of the same owner to delete and replace.
bots="$folder/bots.toml"
cat local/demo.toml - >"$bots" <<'BOT'

[[bot]]
id = "cadangan"
owner = "demo"
name = "Cadangan"

[bot.gateway]
kind = "wuzapi"
url = "demo"
token = "spare-token"
BOT

ADMIN_SECRET="$(od -An -tx1 -N24 /dev/urandom | tr -d ' \n')"
export ADMIN_SECRET
# The demo model and the demo gateway answer, whatever the caller's environment says.
env -u OPENROUTER_API_KEY -u OPENROUTER_BASE_URL DEBOUNCE_SECONDS=1 "$binary" --ephemeral --listen 127.0.0.1:0 \
    --bots "$bots" --demo-latency-ms 0 >"$log" 2>&1 </dev/null &
pid=$!
until_said '^Clivy runs at ' 1
run="$(sed -n 's|^Clivy runs at \(http://[^ ]*\)$|\1|p' "$log")"
INBOX="$(sed -n 's|^  inbox  *\(http://[^/ ]*\)/.*|\1|p' "$log")"
export INBOX

# The id of a key is on the standard error, the key itself on the standard output.
key() {
    "$binary" key create --inbox "$INBOX" --owner demo --role owner --name "$1" 2>"$folder/said"
}
API_KEY="$(key "contract check")"
KEY_ID="$(sed -n 's/.* Its id is \([0-9a-f]*\),.*/\1/p' "$folder/said")"
key "to be revoked" >"$folder/spare"
SPARE_KEY="$(sed -n 's/.* Its id is \([0-9a-f]*\),.*/\1/p' "$folder/said")"
export API_KEY KEY_ID SPARE_KEY

# Two customers, and an answer for each.
export CONTACTS="6281100020001 6281100020002"
for contact in $CONTACTS; do
    curl -fsS -X POST "$run/webhook/ai" -H 'Content-Type: application/json' -o /dev/null -d "{\"event\": \"Message\",
        \"instanceName\": \"demo\", \"data\": {\"Info\": {\"ID\": \"m-$contact\", \"Sender\": \"$contact@s.whatsapp.net\"},
        \"Message\": {\"conversation\": \"Halo, jam buka toko?\"}}}"
done
until_said 'step="committed"' 2

if ! PYTHONPATH=. PYTHONDONTWRITEBYTECODE=1 schemathesis --config-file infra/api/schemathesis.toml \
    run "$INBOX/api/openapi.json" --checks all --no-color "$@"; then
    fail "the inbox does not keep its contract"
fi

# Whatever was asked, it was asked to the end: the key still opens the inbox, and the bot is still there.
curl -fsS -o /dev/null -H "Authorization: Bearer $API_KEY" "$INBOX/api/session" || fail "the key was lost on the way"
if grep -q 'step="panicked"' "$log"; then
    fail "a handler panicked"
fi

kill "$pid"
wait "$pid" || fail "the one-machine run did not stop cleanly"
pid=""
