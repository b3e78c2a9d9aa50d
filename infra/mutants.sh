#!/usr/bin/env bash
# Changes one place at a time and runs the tests: what no test notices is listed. `core` changes the pure rules (conversation, breaker,
# prompt), `table` the table's operations. Hours on two cores; `--shard 0/8` takes an eighth. Further arguments go to cargo mutants.
#
#   infra/mutants.sh core
#   infra/mutants.sh core --iterate         (after more tests: what was caught before is not tried again)
#   infra/mutants.sh table --shard 0/8
#
# The results are in target/mutants/results-core and -table.
#
# The tests run in a reduced copy of the workspace: with the whole SDK behind it, every change would take a minute to build.
# `core` runs the unit tests of `shared` without what speaks to AWS, `table` all of them and the table's contract against the embedded engine.
set -euo pipefail

cd "$(dirname "$0")/.."
. infra/tools/env.sh
need cargo python3
cargo mutants --version >/dev/null 2>&1 || {
    echo "cargo-mutants is missing: cargo install cargo-mutants --locked --version 27.1.0" >&2
    exit 1
}
what="${1:?core or table}"
shift
copy="target/mutants/$what"
python3 infra/mutants/reduce.py "$what" "$copy"
export CARGO_TARGET_DIR="$PWD/target/mutants/build-$what" CARGO_INCREMENTAL=1
results="$PWD/target/mutants/results-$what"
mkdir -p "$results"
cd "$copy"
case "$what" in
core) exec cargo mutants --in-place --timeout 20 --output "$results" \
    --file 'shared/src/conversation/**' --file 'shared/src/breaker/**' --file 'shared/src/prompt/**' "$@" -- --lib ;;
table)
    # The baseline of cargo-mutants is the mutated package's own tests; these are another's too.
    cargo test --quiet --package clivy --package tests --lib --test table_contract
    exec cargo mutants --in-place --baseline skip --timeout 180 --output "$results" \
        --file 'shared/src/table/**' --test-package clivy,tests "$@" -- --lib --test table_contract
    ;;
esac
