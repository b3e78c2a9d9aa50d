#!/bin/sh
# A second opinion: the functions behind the DynamoDB, SQS, SSM and event source mapping of ministack instead of ours.
# usage: check-ministack-mapping.sh
# Needs ministack and cargo-lambda on the PATH (pip install ministack==1.5.33 cargo-lambda==1.9.2). The test starts what it needs,
# on 127.0.0.1 and free ports, and every process goes with it, however it ends.
set -eu
cd "$(dirname "$0")/.."
for needed in cargo cargo-lambda ministack; do
  command -v "$needed" >/dev/null || {
    echo "missing: $needed (pip install ministack==1.5.33 cargo-lambda==1.9.2)" >&2
    exit 1
  }
done
# The embedded SSM answers as ministack's.
cargo test --workspace --test security -- --ignored --nocapture
exec cargo test --workspace --test ministack_mapping -- --ignored --nocapture
