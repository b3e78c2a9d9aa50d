#!/usr/bin/env bash
# Licences, banned crates and sources of everything in Cargo.lock, by the rules of deny.toml. Advisories are not checked:
# their database is not among the places that CI reaches.
set -euo pipefail

cd "$(dirname "$0")/.."
. infra/tools/env.sh
need cargo cargo-deny

cargo deny --offline --locked check licenses bans sources
