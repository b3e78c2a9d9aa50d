#!/usr/bin/env bash
# Installs, by name and with pinned versions, the programs that the checks of infra/ need: into $CLIVY_TOOLS
# (default: ~/.cache/clivy-tools), and Debian's packages where a program is not there at all. What is there in the
# pinned version is kept.
#
#   infra/tools/install.sh [deployment]     `deployment`: only what building and deploying take
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

# cargo_tool NAME VERSION [OPTION...]: a program of crates.io, if that version is not there.
cargo_tool() {
    local name="$1" version="$2"
    shift 2
    if [ "$("$CLIVY_TOOLS/bin/$name" "${name#cargo-}" --version 2>/dev/null | cut -d ' ' -f 2)" != "$version" ]; then
        # Its own target folder: cargo would put it below the checkout's otherwise, if CARGO_TARGET_DIR is set.
        CARGO_TARGET_DIR="$CLIVY_TOOLS/$name-target" cargo install --quiet --locked --force \
            --root "$CLIVY_TOOLS" --version "$version" "$@" "$name"
        rm -rf "$CLIVY_TOOLS/$name-target"
    fi
}

# at_once COMMAND...: begins it, so that one computes while another waits for a registry; `until_done` waits for all that were
# begun, and fails if one did.
begun=()
at_once() {
    "$@" &
    begun+=("$!")
}
until_done() {
    local one
    for one in "${begun[@]}"; do
        wait "$one"
    done
    begun=()
}

mkdir -p "$CLIVY_TOOLS/bin"
command -v cc >/dev/null || debian gcc libc6-dev
command -v python3 >/dev/null || debian python3 python3-venv
python3 -c 'import ensurepip, venv' 2>/dev/null || debian python3-venv
command -v curl >/dev/null || debian curl ca-certificates

at_once python_tools awscli aws
python_tools aws sam cfn-lint cargo-lambda
# The linker of a release. cargo-lambda looks for it on the PATH.
ln -sf "$CLIVY_TOOLS"/aws/lib/python3*/site-packages/ziglang/zig "$CLIVY_TOOLS/bin/zig"
# Unoptimised, as cargo-deny: that is built in a third of the time, and has little to do.
at_once cargo_tool cargo-cyclonedx "$CARGO_CYCLONEDX_VERSION" --debug
if [ "${1:-}" = deployment ]; then
    until_done
    need cargo cc python3 curl sam aws cargo-lambda cargo-cyclonedx zig
    exit
fi

command -v g++ >/dev/null || debian g++
command -v npm >/dev/null || debian nodejs npm
[ -n "${CHROMIUM:-}" ] || command -v chromium >/dev/null || debian chromium
need cargo cc g++ curl python3 node npm "${CHROMIUM:-chromium}"

at_once python_tools checkov checkov
python_tools ministack ministack
python_tools schemathesis schemathesis
python_tools scanners detect-secrets zizmor
until_done
cargo_tool cargo-deny "$CARGO_DENY_VERSION" --debug

# Programs inside npm's packages. Without scripts, and without what the packages want to be used with (a whole CDK).
if ! cmp -s "$here/npm/package-lock.json" "$CLIVY_TOOLS/npm/installed.json"; then
    rm -rf "$CLIVY_TOOLS/npm"
    mkdir -p "$CLIVY_TOOLS/npm"
    cp "$here/npm/package.json" "$here/npm/package-lock.json" "$CLIVY_TOOLS/npm/"
    npm --prefix "$CLIVY_TOOLS/npm" ci --ignore-scripts --legacy-peer-deps --no-audit --no-fund --silent
    cp "$here/npm/package-lock.json" "$CLIVY_TOOLS/npm/installed.json"
fi
# AWS's own build of cfn-guard, static; to compile it takes two minutes and more.
guard="$CLIVY_TOOLS/npm/node_modules/@cdklabs/cdk-validator-cfnguard/bin/ubuntu/$(uname -m)/cfn-guard"
chmod +x "$guard"
ln -sf "$guard" "$CLIVY_TOOLS/bin/cfn-guard"

# The crates of every target: cargo-deny reads the whole tree, and the tests fetch nothing.
cargo fetch --locked --manifest-path "$root/Cargo.toml"

need sam cfn-lint cargo-lambda aws ministack schemathesis cargo-deny cargo-cyclonedx checkov detect-secrets zizmor cfn-guard
sam --version
cfn-lint --version
aws --version
cargo-lambda lambda --version
cargo-deny --version
cfn-guard --version
zizmor --version
