#!/bin/sh
# Called by cargo in rustc's place for the crates of this workspace (RUSTC_WORKSPACE_WRAPPER, set by infra/fuzz.sh): compiles
# them optimised and with the counters that guide libFuzzer. What they are built on stays as the tests have it built.
exec "$@" -Copt-level=2 -Cdebug-assertions=on -Coverflow-checks=on \
    -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
