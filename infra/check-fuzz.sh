#!/usr/bin/env bash
# A short coverage-guided run of every fuzz target: SECONDS_EACH (default 5) seconds of each, about a minute in all after the build. Stops at
# the first input for which a property does not hold, and says how to run it again. The tests of the crate replay the corpora and a
# random run besides; `infra/fuzz.sh TARGET RUNS` is a long run.
set -euo pipefail

cd "$(dirname "$0")/.."
seconds="${SECONDS_EACH:-5}"
log="$(mktemp)"
trap 'rm -f "$log"' EXIT

targets="$(sed -n 's/^    targets::\([a-z_]*\)::TARGET,$/\1/p' tests/fuzz/src/lib.rs)"
[ -n "$targets" ]
for target in $targets; do
    if ! infra/fuzz.sh "$target" 1000000000 -max_total_time="$seconds" -verbosity=1 >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "$target: a property does not hold. Run it again: infra/fuzz.sh $target target/fuzz/$target-found/FILE" >&2
        exit 1
    fi
    runs="$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    covered="$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)"
    # A run that runs nothing would pass too.
    if [ "${runs:-0}" -lt 1000 ]; then
        tail -n 20 "$log" >&2
        echo "$target: only ${runs:-no} executions" >&2
        exit 1
    fi
    printf '%-16s %9d executions, %6d edges, no property broken\n' "$target" "$runs" "$covered"
done
