#!/usr/bin/env bash
# What comes in and what could leak out: licences, banned crates and sources of everything in Cargo.lock (deny.toml), a list of
# each function's parts (SBOM), and secrets in the repository (infra/supply).
#
#   infra/check-supply.sh [advisories]
#
# `advisories` looks for known vulnerabilities too. Their database is a repository that CI of this project does not reach, so
# this runs where it can be fetched: in the workflow on GitHub.
set -euo pipefail

cd "$(dirname "$0")/.."
. infra/tools/env.sh
need cargo cargo-deny cargo-cyclonedx detect-secrets

if [ "${1:-}" = advisories ]; then
    cargo deny --locked check advisories
    exit
fi
cargo deny --offline --locked check licenses bans sources
echo "advisories: not looked at here; .github/workflows/ci.yml does"
infra/sbom.sh "$(rustc -vV | sed -n 's/^host: //p')" target/sbom
"$CLIVY_TOOLS/scanners/bin/python" infra/supply/scan.py
