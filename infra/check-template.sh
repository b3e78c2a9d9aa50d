#!/usr/bin/env bash
# Lints template.yaml, and builds the functions with the deployment's own command, for this machine's architecture. Nothing
# is downloaded and no Rust target is added: the compiler is plain cargo, and the target is the one that is installed.
#
# What is looked at is whether they build and start, so they are optimised less than for a deployment, which takes two minutes
# a function on two cores. FULL=1 builds what is deployed.
set -euo pipefail

cd "$(dirname "$0")/.."
. infra/tools/env.sh
need cargo cargo-lambda sam cfn-lint sha256sum

case "$(uname -m)" in
    x86_64) architecture=x86_64 target=x86_64-unknown-linux-gnu ;;
    aarch64 | arm64) architecture=arm64 target=aarch64-unknown-linux-gnu ;;
    *)
        echo "no Lambda runs on $(uname -m)" >&2
        exit 1
        ;;
esac
# cargo-lambda would try to download a target that is missing.
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    echo "missing: the Rust target $target" >&2
    exit 1
fi

sam validate --lint
cfn-lint template.yaml

if [ -z "${FULL:-}" ]; then
    # The last word on optimisation, also for the crates that the manifest optimises for size.
    export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 RUSTFLAGS=-Copt-level=0
fi
lock="$(sha256sum Cargo.lock)"
rm -rf .aws-sam/build
CARGO_LAMBDA_COMPILER=cargo sam build --parameter-overrides "Architecture=$architecture"
if [ "$lock" != "$(sha256sum Cargo.lock)" ]; then
    echo "the build changed Cargo.lock" >&2
    exit 1
fi

# What Lambda is given: one executable named bootstrap for each function.
for function in Webhook Worker Sweeper Credits Inbox Smoke; do
    bootstrap=".aws-sam/build/$function/bootstrap"
    if [ ! -x "$bootstrap" ]; then
        echo "$function has no bootstrap" >&2
        exit 1
    fi
    # It starts: without settings it stops by itself, naming those it misses.
    if said="$(env -i "$bootstrap" 2>&1)"; then
        echo "$function starts without settings" >&2
        exit 1
    fi
    if [[ "$said" != *"missing settings"* ]]; then
        echo "$function stopped, but not for its missing settings: $said" >&2
        exit 1
    fi
    echo "$function: $(stat --format %s "$bootstrap") bytes"
done
