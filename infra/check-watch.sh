#!/usr/bin/env bash
# The functions under `cargo lambda watch`: `local --functions` drives one burst through them to one reply, and so does
# ministack's own event source mapping. The test starts and stops the programs; this script builds and finds them.
#
#   infra/check-watch.sh [arguments for cargo test]
set -euo pipefail

cd "$(dirname "$0")/.."
. infra/tools/env.sh
need cargo cargo-lambda ministack

# Built first, one by one as cargo-lambda does it, so that no time limit of the test has to wait for the compiler.
for function in webhook worker sweeper credits; do
    cargo build --locked --package "$function" --bin "$function"
done
cargo build --locked --package local --bin local
cargo test --locked --package tests --test watch --no-run

if ! cargo test --locked --package tests --test watch -- --ignored --list | grep -q ': test$'; then
    echo "tests/tests/watch has no ignored test: nothing was checked" >&2
    exit 1
fi
CARGO_LAMBDA="$(command -v cargo-lambda)" MINISTACK="$(command -v ministack)" \
    cargo test --locked --package tests --test watch -- --ignored --nocapture "$@"
