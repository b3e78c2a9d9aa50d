#!/usr/bin/env bash
# The one-machine run, its inbox in headless Chromium: customers write, a person answers, pauses, resumes, retries, edits.
#
#   infra/check-inbox-page.sh [folder for the pictures]
#
# The pictures go to target/browser; `infra/check-inbox-page.sh docs` renews those of the README.
set -euo pipefail

cd "$(dirname "$0")/.."
. infra/tools/env.sh
export CHROMIUM="${CHROMIUM:-chromium}"
need cargo node npm "$CHROMIUM"
CHROMIUM="$(command -v "$CHROMIUM")"
pictures="${1:-target/browser}"
mkdir -p "$pictures"

cargo build --locked --package local --bin local
binary="$(cargo metadata --no-deps --offline --format-version 1 |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/debug/local"

log="$(mktemp)"
# The demo model and the demo gateway answer, whatever the caller's environment says.
env -u OPENROUTER_API_KEY -u OPENROUTER_BASE_URL "$binary" --ephemeral --listen 127.0.0.1:0 >"$log" 2>&1 </dev/null &
pid=$!
stop() {
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    rm -f "$log"
}
trap stop EXIT

url=""
for _ in $(seq 1 120); do
    url="$(sed -n 's|^Clivy runs at \(http://[^ ]*\)$|\1|p' "$log")"
    [ -z "$url" ] || break
    if ! kill -0 "$pid" 2>/dev/null; then
        break
    fi
    sleep 0.25
done
if [ -z "$url" ]; then
    echo "the one-machine run does not start; its last lines:" >&2
    tail -n 20 "$log" >&2
    exit 1
fi

npm --prefix infra/browser ci --no-audit --no-fund --silent
node --test infra/browser/inbox.test.mjs
if ! node infra/browser/inbox.mjs "$url" "$pictures"; then
    echo "the run's last lines:" >&2
    tail -n 40 "$log" >&2
    exit 1
fi
