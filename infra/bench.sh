#!/usr/bin/env bash
# Measures the functions as Lambda runs them, beside floors and the Node and Python twins: builds everything, then runs
# infra/bench. docs/PERFORMANCE.md says how to read the figures. Arguments go to the bench: --rounds, --json FILE, --no-concurrency.
set -euo pipefail

cd "$(dirname "$0")/.."
. infra/tools/env.sh
need cargo python3 node npm

peers="$(infra/bench/peers/install.sh)"
# Each function by itself, as for a deployment: what other packages need of a dependency must not be linked into it.
for package in webhook worker floors; do
    cargo build --release --package "$package"
done
release="${CARGO_TARGET_DIR:-target}/release"
exec cargo run --profile bench --package bench -- --release "$release" --peers "$peers" "$@"
