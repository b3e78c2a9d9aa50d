#!/bin/sh
# The second way to run: `cargo lambda watch` serves the functions, `local --functions` drives one burst through them.
# usage: check-watch.sh
# Needs cargo-lambda on the PATH (pip install cargo-lambda==1.9.2). The test starts what it needs, on 127.0.0.1 and free ports,
# and every process goes with it, however it ends.
set -eu
cd "$(dirname "$0")/.."
for needed in cargo cargo-lambda; do
  command -v "$needed" >/dev/null || { echo "missing: $needed (pip install cargo-lambda==1.9.2)" >&2; exit 1; }
done
exec cargo test --workspace --test watch -- --ignored --nocapture
