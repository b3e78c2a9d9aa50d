#!/usr/bin/env bash
# The inbox keeps what its OpenAPI document says: every route of a one-machine run is asked with valid and invalid input, and
# every answer must be a documented one of the documented shape, and never a 5xx.
#
#   infra/check-api.sh [options of schemathesis, such as --include-path /api/keys]
set -euo pipefail

cd "$(dirname "$0")/.."
. infra/tools/env.sh
need cargo curl python3 schemathesis
. infra/tools/one-machine.sh

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
start_one_machine DEBOUNCE_SECONDS=1 -- --bots "$bots" --demo-latency-ms 0
export INBOX="$inbox"

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
until_true "both customers are answered" has_said 'step="committed"' 2

if ! PYTHONPATH=. PYTHONDONTWRITEBYTECODE=1 schemathesis --config-file infra/api/schemathesis.toml \
    run "$INBOX/api/openapi.json" --checks all --no-color "$@"; then
    fail "the inbox does not keep its contract"
fi

# Whatever was asked, it was asked to the end: the key still opens the inbox, and the bot is still there.
curl -fsS -o /dev/null -H "Authorization: Bearer $API_KEY" "$INBOX/api/session" || fail "the key was lost on the way"
if grep -q 'step="panicked"' "$log"; then
    fail "a handler panicked"
fi

stop_one_machine
