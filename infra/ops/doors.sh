#!/usr/bin/env bash
# Are the doors open, and locked? Asks webhook and inbox from outside, as a deployment's last step: nobody's data, no key needed.
#
#   infra/ops/doors.sh
#
# CLIVY_WEBHOOK_URL: the webhook's address, if not the stack's.
. "$(dirname "$0")/common.sh"
usage 0 "$@"
need curl

webhook="$(found CLIVY_WEBHOOK_URL WebhookUrl)"
inbox="$(found CLIVY_INBOX_URL InboxUrl)"
inbox="${inbox%/}"

# door WHAT STATUS CURL'S ARGUMENTS...: the answer's status is that one.
door() {
    local what="$1" wanted="$2" status
    shift 2
    status="$(curl --silent --show-error --max-time 35 --retry 3 --retry-all-errors --output /dev/null --write-out '%{http_code}' "$@")" ||
        fail "$what: no answer"
    [ "$status" = "$wanted" ] || fail "$what: $status instead of $wanted"
    echo "ok: $what"
}
# 200 also when something is slow; 503 when table or queue do not answer.
door "the inbox is healthy" 200 "$inbox/health/ready"
door "its page is there" 200 "$inbox/"
door "its API wants a key" 401 "$inbox/health/detailed"
door "the webhook knows no such bot" 404 --request POST --header 'Content-Type: application/json' \
    --data '{"event": "Message", "instanceName": "nobody-has-this-name", "data": {"Info": {"ID": "door", "Sender": "1@s.whatsapp.net"}, "Message": {"conversation": "?"}}}' \
    "$webhook"
door "the webhook refuses what is no message" 400 --request POST --data 'no message' "$webhook"
