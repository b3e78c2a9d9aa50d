#!/usr/bin/env bash
# A coverage-guided run of one fuzz target (tests/fuzz), with libFuzzer, on the pinned stable toolchain:
#
#   infra/fuzz.sh TARGET RUNS [libFuzzer's options]     RUNS executions; -max_total_time=SECONDS ends it earlier
#   infra/fuzz.sh TARGET minimize                       makes the corpus in the repository from everything found so far
#   infra/fuzz.sh TARGET FILE                           runs one input again, as a finding says
#
# PLAIN=1 leaves out what is compared with what (infra/fuzz/rustc-plain.sh): less guidance, and four times as many executions a second.
#
# What a run finds goes to target/fuzz/TARGET, next to its log; inputs that break a property to target/fuzz/TARGET-found.
set -euo pipefail

cd "$(dirname "$0")/.."
if [ $# -lt 2 ]; then
    sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
target="$1" what="$2"
shift 2
command -v c++ >/dev/null || {
    echo "missing: c++ (libFuzzer is C++; the package g++)" >&2
    exit 1
}

wrapper="$PWD/infra/fuzz/rustc${PLAIN:+-plain}.sh"
RUSTC_WORKSPACE_WRAPPER="$wrapper" cargo build --locked --quiet --workspace --bin fuzz --features fuzz/libfuzzer
found="target/fuzz/$target" broken="target/fuzz/$target-found" corpus="tests/fuzz/corpus/$target"
mkdir -p "$found" "$broken" "$corpus"
export CLIVY_FUZZ_TARGET="$target" RUST_BACKTRACE=0
# Another file than cargo's: a test run in between builds over that one.
cp -f target/debug/fuzz "target/fuzz/fuzz-$target"
fuzz="target/fuzz/fuzz-$target"

case "$what" in
minimize)
    rm -rf "target/fuzz/$target-small"
    mkdir -p "target/fuzz/$target-small"
    "$fuzz" -merge=1 -max_len=2048 "target/fuzz/$target-small" "$corpus" "$found"
    # A corpus is read by people and by every checkout: of those that add coverage the shortest two hundred.
    find "$corpus" -type f -delete
    find "target/fuzz/$target-small" -type f -size -4096c -printf '%s %p\n' | sort -n | head -n 200 | while read -r _ file; do
        cp "$file" "$corpus/"
    done
    ls "$corpus" | wc -l
    ;;
*[!0-9]*)
    "$fuzz" "$what" "$@"
    ;;
*)
    CLIVY_FUZZ_SEEDS="$found" "$fuzz" -runs=0 >/dev/null 2>&1
    "$fuzz" -runs="$what" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -use_value_profile=0 -print_final_stats=1 \
        -dict="$found.dict" -artifact_prefix="$broken/" "$@" "$found" "$corpus"
    ;;
esac
