#!/usr/bin/env bash
# Second opinion: runs the contract suite of SQS or of the table against ministack, which it starts and stops.
#
#   infra/check-ministack-contract.sh sqs|dynamodb [arguments for cargo test]
#
# Its known deviations are in infra/ministack-NAME-deviations.txt; a listed case that passes is a failure too.
set -euo pipefail

cd "$(dirname "$0")/.."
. infra/tools/env.sh
case "${1:-}" in
    sqs) suite=sqs_contract ;;
    dynamodb) suite=table_contract ;;
    *)
        sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
engine="$1"
shift
need cargo curl python3 ministack
. infra/tools/one-machine.sh

# Built first: ministack shall not wait for the compiler.
# Of the whole workspace: what `cargo test` has built serves here too.
cargo test --locked --workspace --test "$suite" --no-run
start_ministack
env "${engine^^}_CONTRACT_ENDPOINT=$ministack_url" \
    "${engine^^}_CONTRACT_DEVIATIONS=$PWD/infra/ministack-$engine-deviations.txt" \
    cargo test --locked --workspace --test "$suite" -- "$@"
