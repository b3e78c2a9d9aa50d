#!/usr/bin/env bash
# A person's way through a page of the one-machine run, in headless Chromium. phone: three bubbles, one answer, the faults.
# inbox: customers write, a person answers, pauses, resumes, retries, edits.
#
#   infra/check-page.sh phone|inbox [folder for the pictures]
#
# The pictures go to target/browser; `infra/check-page.sh phone docs` renews those of the README.
set -euo pipefail

cd "$(dirname "$0")/.."
. infra/tools/env.sh
case "${1:-}" in
    phone) rules=pages.test.mjs pictures=(phone-desktop.png phone-mobile.png) ;;
    inbox) rules=inbox.test.mjs pictures=() ;;
    *)
        sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
page="$1" into="${2:-target/browser}"
export CHROMIUM="${CHROMIUM:-chromium}"
need cargo python3 node npm "$CHROMIUM"
CHROMIUM="$(command -v "$CHROMIUM")"
. infra/tools/one-machine.sh
mkdir -p "$into"

npm --prefix infra/browser ci --no-audit --no-fund --silent
node --test "infra/browser/$rules"
start_one_machine
node "infra/browser/$page.mjs" "$run" "$into" "${pictures[@]}" || fail "the $page page does not do as it should"
# It also stops as it should.
stop_one_machine
