#!/usr/bin/env bash
# Installs, by name and with pinned versions, the programs that the checks of infra/ need: into $CLIVY_TOOLS
# (default: ~/.cache/clivy-tools), and Debian's packages where a program is not there at all. What is there in the
# pinned version is kept.
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
# shellcheck source=infra/tools/env.sh
. "$here/env.sh"

# debian PACKAGE...
debian() {
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        need sudo
        as_root=(sudo -n)
    fi
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# python_tools NAME PROGRAM...: an environment of the requirements NAME.txt, and its programs in $CLIVY_TOOLS/bin.
python_tools() {
    local name="$1" program
    local environment="$CLIVY_TOOLS/$name" list="$here/$name.txt"
    shift
    if ! cmp -s "$list" "$environment/installed.txt"; then
        rm -rf "$environment"
        python3 -m venv "$environment"
        "$environment/bin/pip" install --quiet --disable-pip-version-check --no-input --requirement "$list"
        # Written last: an installation that was cut short is done again.
        cp "$list" "$environment/installed.txt"
    fi
    for program in "$@"; do
        ln -sf "$environment/bin/$program" "$CLIVY_TOOLS/bin/$program"
    done
}

mkdir -p "$CLIVY_TOOLS/bin"
command -v cc >/dev/null || debian gcc libc6-dev
command -v g++ >/dev/null || debian g++
command -v python3 >/dev/null || debian python3 python3-venv
python3 -c 'import ensurepip, venv' 2>/dev/null || debian python3-venv
command -v curl >/dev/null || debian curl ca-certificates
command -v npm >/dev/null || debian nodejs npm
[ -n "${CHROMIUM:-}" ] || command -v chromium >/dev/null || debian chromium
need cargo cc g++ curl python3 node npm "${CHROMIUM:-chromium}"

python_tools aws sam cfn-lint cargo-lambda
python_tools awscli aws
python_tools ministack ministack
python_tools schemathesis schemathesis

if [ "$("$CLIVY_TOOLS/bin/cargo-deny" --version 2>/dev/null)" != "cargo-deny $CARGO_DENY_VERSION" ]; then
    # Its own target folder: cargo would put it below the checkout's otherwise, if CARGO_TARGET_DIR is set.
    CARGO_TARGET_DIR="$CLIVY_TOOLS/cargo-deny-target" cargo install --quiet --locked --force \
        --root "$CLIVY_TOOLS" --version "$CARGO_DENY_VERSION" cargo-deny
    rm -rf "$CLIVY_TOOLS/cargo-deny-target"
fi

# The crates of every target: cargo-deny reads the whole tree, and the tests fetch nothing.
cargo fetch --locked --manifest-path "$root/Cargo.toml"

need sam cfn-lint cargo-lambda aws ministack schemathesis cargo-deny
sam --version
cfn-lint --version
aws --version
cargo-lambda lambda --version
cargo-deny --version
