# Sourced, after env.sh, by the checks of infra/ that need a server on this machine: the one-machine run, or ministack. One
# at a time; what is started ends with the check, however that ends. `$folder` is for the check's own files, and goes too.

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

# fail WHY: ends the check, with what the server said last.
fail() {
    echo "$1; the server's last lines:" >&2
    tail -n 40 "$log" >&2
    exit 1
}

# until_true WHAT COMMAND...: waits until the command succeeds, for a minute at most.
until_true() {
    local what="$1"
    shift
    for _ in $(seq 1 240); do
        if "$@" >/dev/null 2>&1; then return; fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.25
    done
    fail "never: $what"
}

# has_said PATTERN TIMES: the server has said so, so often.
has_said() {
    [ "$(grep -c -- "$1" "$log")" -ge "$2" ]
}

# start_one_machine [NAME=VALUE...] [-- OPTION...]: builds and starts `local` with nothing kept, on free ports. Sets `binary`,
# `run` (its address) and `inbox` (the inbox's).
start_one_machine() {
    local settings=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        settings+=("$1")
        shift
    done
    shift || true
    cargo build --locked --workspace --bin local
    binary="$(cargo metadata --no-deps --offline --format-version 1 |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/debug/local"
    # The demo model and the demo gateway answer, whatever the caller's environment says.
    env -u OPENROUTER_API_KEY -u OPENROUTER_BASE_URL "${settings[@]}" \
        "$binary" --ephemeral --listen 127.0.0.1:0 "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    until_true "the one-machine run starts" has_said '^Clivy runs at ' 1
    run="$(sed -n 's|^Clivy runs at \(http://[^ ]*\)$|\1|p' "$log")"
    inbox="$(sed -n 's|^  inbox  *\(http://[^/ ]*\)/.*|\1|p' "$log")"
}

# stop_one_machine: a polite signal, and a clean end.
stop_one_machine() {
    kill "$pid"
    wait "$pid" || fail "the one-machine run did not stop cleanly"
    pid=""
}

# start_ministack: starts ministack on a free port. Sets `ministack_url`.
start_ministack() {
    local port
    port="$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
    ministack_url="http://127.0.0.1:$port"
    BIND_HOST=127.0.0.1 GATEWAY_PORT="$port" MINISTACK_HOST=127.0.0.1 ministack >"$log" 2>&1 </dev/null &
    pid=$!
    until_true "ministack answers" curl -fsS -m 2 -X POST "$ministack_url/" -d '{}' \
        -H 'X-Amz-Target: DynamoDB_20120810.ListTables' -H 'Content-Type: application/x-amz-json-1.0'
}
