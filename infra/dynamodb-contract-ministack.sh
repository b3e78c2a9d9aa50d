#!/usr/bin/env bash
# Second opinion: runs the DynamoDB contract suite against ministack (PyPI: ministack==1.5.33), which it starts and stops.
#
#   infra/dynamodb-contract-ministack.sh [arguments for cargo test]
#
# MINISTACK: the ministack program (default: ministack on the PATH).
# Its known deviations are in infra/ministack-dynamodb-deviations.txt; a listed case that passes is a failure too.
set -euo pipefail

cd "$(dirname "$0")/.."
ministack="${MINISTACK:-ministack}"
if ! command -v "$ministack" >/dev/null; then
    echo "ministack is missing: pip install ministack==1.5.33, or name it with MINISTACK=..." >&2
    exit 1
fi

# Built first: ministack shall not wait for the compiler.
cargo test --package tests --test table_contract --no-run

port="$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
log="$(mktemp)"
BIND_HOST=127.0.0.1 GATEWAY_PORT="$port" MINISTACK_HOST=127.0.0.1 "$ministack" >"$log" 2>&1 &
pid=$!
stop() {
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    rm -f "$log"
}
trap stop EXIT

ready() {
    python3 - "$port" <<'PYTHON'
import sys, urllib.request
request = urllib.request.Request(
    f"http://127.0.0.1:{sys.argv[1]}/", data=b"{}", method="POST",
    headers={"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"})
urllib.request.urlopen(request, timeout=2).read()
PYTHON
}
for attempt in $(seq 1 120); do
    if ready 2>/dev/null; then
        break
    fi
    if ! kill -0 "$pid" 2>/dev/null || [ "$attempt" = 120 ]; then
        echo "ministack does not answer; its last lines:" >&2
        tail -n 20 "$log" >&2
        exit 1
    fi
    sleep 0.25
done

DYNAMODB_CONTRACT_ENDPOINT="http://127.0.0.1:$port" \
    DYNAMODB_CONTRACT_DEVIATIONS="$PWD/infra/ministack-dynamodb-deviations.txt" \
    cargo test --package tests --test table_contract -- "$@"
