# Sourced by the scripts of infra/: where their programs are, and what to say when one is missing.
# CLIVY_TOOLS names the folder that install.sh fills; programs on the PATH serve where it has none.

CLIVY_TOOLS="${CLIVY_TOOLS:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/clivy-tools}"
CARGO_DENY_VERSION=0.20.2
CARGO_CYCLONEDX_VERSION=0.5.9
export PATH="$CLIVY_TOOLS/bin:$PATH"
# SAM would report home and ask for newer versions of itself.
export SAM_CLI_TELEMETRY=0
# Validation wants a region to know the resource types of; nothing is called there.
export AWS_DEFAULT_REGION="${AWS_DEFAULT_REGION:-us-east-1}"

# need PROGRAM...: fails, naming every program that is missing.
need() {
    local program missing=()
    for program in "$@"; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        echo "missing: ${missing[*]} (infra/tools/install.sh installs what the checks need)" >&2
        return 1
    fi
}
