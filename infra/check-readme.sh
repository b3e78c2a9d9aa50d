#!/usr/bin/env bash
# Runs the README's commands: every line of every `sh` block, as it is written there, in order.
#
# `cargo run -p local` goes to the background until the end, and the lines after it find it running. Its data folder is
# put aside while this runs. `cargo test --workspace` is a stage of .ci/run of its own, which is checked, not repeated.
set -euo pipefail

cd "$(dirname "$0")/.."
started=""
aside=""
out="$(mktemp)"
finish() {
    if [ -n "$started" ] && kill -0 "$started" 2>/dev/null; then
        pkill -INT -P "$started" || kill -INT "$started"
        wait "$started" || true
    fi
    rm -rf .clivy "$out"
    if [ -n "$aside" ]; then mv "$aside" .clivy; fi
}
trap finish EXIT
if [ -e .clivy ]; then
    aside=".clivy.aside.$$"
    mv .clivy "$aside"
fi

mapfile -t commands < <(awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside && NF' README.md)
[ "${#commands[@]}" -ge 3 ] || { echo "the README has no commands" >&2; exit 1; }

ran=0
for command in "${commands[@]}"; do
    echo "README: $command"
    case "$command" in
        "cargo run -p local")
            # An account of whoever runs this must not be charged.
            env -u OPENROUTER_API_KEY -u OPENROUTER_BASE_URL bash -c "exec $command" >"$out" 2>&1 &
            started="$!"
            for _ in $(seq 600); do
                if grep -q '^Clivy runs at' "$out"; then break; fi
                kill -0 "$started" || { cat "$out" >&2; exit 1; }
                sleep 1
            done
            grep -q '^Clivy runs at http://127.0.0.1:8070' "$out"
            ;;
        curl*)
            answer="$(bash -c "$command -sS")"
            echo "  $answer"
            grep -q '"status":"queued"' <<<"$answer"
            for _ in $(seq 30); do
                if grep -q 'step="committed"' "$out"; then break; fi
                sleep 1
            done
            grep -q 'step="committed"' "$out" || { cat "$out" >&2; exit 1; }
            ;;
        "cargo test --workspace")
            grep -q 'cargo test --locked --workspace' .ci/run
            ;;
        *) bash -c "$command" ;;
    esac
    ran=$((ran + 1))
done
echo "the README's $ran commands work"
