#!/usr/bin/env bash
# Installs the Node and Python twins of the webhook, with pinned packages, below $CLIVY_TOOLS/bench-peers, and prints that
# folder. What is there in this version is kept.
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source=infra/tools/env.sh
. "$here/../../tools/env.sh"
need node npm python3

to="$CLIVY_TOOLS/bench-peers"
version="$(cat "$here"/node/* "$here"/python/* | sha256sum)"
if [ "$(cat "$to/installed" 2>/dev/null)" != "$version" ]; then
    rm -rf "$to"
    mkdir -p "$to/python/app"
    cp -r "$here/node" "$to/node"
    npm --prefix "$to/node" ci --no-audit --no-fund --silent >&2
    # One file without comments and blanks, as it would be deployed.
    (cd "$to/node" && node_modules/.bin/esbuild runtime.mjs --bundle --minify --platform=node --target=node20 --format=esm \
        --log-level=warning --outfile=bundle.mjs \
        --banner:js='import { createRequire } from "node:module"; const require = createRequire(import.meta.url);')
    python3 -m venv "$to/python/venv"
    "$to/python/venv/bin/pip" install --quiet --disable-pip-version-check --no-input --requirement "$here/python/requirements.txt" >&2
    cp "$here/python/webhook.py" "$to/python/app/"
    # Lambda compiles what it is given too.
    "$to/python/venv/bin/python" -m compileall -q "$to/python/app"
    # Written last: an installation that was cut short is done again.
    printf '%s' "$version" >"$to/installed"
fi
echo "$to"
