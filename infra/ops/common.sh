# Sourced by the commands of this folder. They find an installation by
#
#   CLIVY_STACK     the stack's name (clivy-prod): addresses and names are read from its outputs with the AWS CLI; or, each
#                   before that, CLIVY_INBOX_URL, CLIVY_TABLE, CLIVY_QUEUE_URL, CLIVY_DLQ_URL
#   CLIVY_API_KEY   a key of the inbox, for the commands that ask its API; never an argument, which every process sees
#
# and by the AWS CLI's own settings (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL ...).
# What they print may hold customers' numbers and words: it is for a person's terminal, not for a log (I11).

set -euo pipefail
region="${AWS_DEFAULT_REGION:-${AWS_REGION:-}}"
# shellcheck source=infra/tools/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tools/env.sh"
# The lints' region is no default here: it would win over the profile's.
unset AWS_DEFAULT_REGION
if [ -n "$region" ]; then export AWS_DEFAULT_REGION="$region"; fi

fail() {
    echo "$(basename "$0"): $1" >&2
    exit 1
}

# usage N ARGUMENTS...: without N arguments, or with --help, the comment at the top of the command is its help.
usage() {
    local least="$1" argument
    shift
    for argument in "$@"; do
        if [ "$argument" = --help ] || [ "$argument" = -h ]; then
            sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
            exit 0
        fi
    done
    if [ "$#" -lt "$least" ]; then
        sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
        exit 2
    fi
}

# found VARIABLE OUTPUT: the variable's value, or the stack's output.
found() {
    local value="${!1:-}"
    if [ -z "$value" ]; then
        [ -n "${CLIVY_STACK:-}" ] || fail "set CLIVY_STACK or $1"
        need aws >&2
        value="$(aws cloudformation describe-stacks --stack-name "$CLIVY_STACK" --output text \
            --query "Stacks[0].Outputs[?OutputKey=='$2'].OutputValue | [0]")"
        if [ -z "$value" ] || [ "$value" = None ]; then fail "the stack $CLIVY_STACK has no output $2"; fi
    fi
    printf '%s\n' "$value"
}

# in_path TEXT: as a part of a URL's path or query.
in_path() {
    python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1], safe=""))' "$1"
}

# field NAME: the member of the JSON object on standard input; nothing when it is null or absent.
field() {
    python3 -c 'import json, sys; value = json.load(sys.stdin).get(sys.argv[1]); print("" if value is None else value)' "$1"
}

# api METHOD PATH [BODY]: what the inbox answers. An answer that is an error goes to standard error, and fails.
api() {
    local method="$1" path="$2" base answer
    [ -n "${CLIVY_API_KEY:-}" ] || fail "set CLIVY_API_KEY"
    [[ "$CLIVY_API_KEY" =~ ^[A-Za-z0-9._~+/=-]+$ ]] || fail "CLIVY_API_KEY is no key"
    base="$(found CLIVY_INBOX_URL InboxUrl)"
    local body=()
    if [ "$#" -gt 2 ]; then body=(--header "Content-Type: application/json" --data "$3"); fi
    # By standard input: an argument could be read from the list of processes.
    if ! answer="$(printf 'header = "Authorization: Bearer %s"\n' "$CLIVY_API_KEY" |
        curl --silent --show-error --fail-with-body --max-time 60 --config - --request "$method" "${body[@]}" "${base%/}$path")"; then
        printf '%s\n' "$answer" >&2
        fail "$method $path was refused"
    fi
    printf '%s\n' "$answer"
}

# sqs COMMAND...: as `aws sqs`. The CLI of version 1 does not take this service's address from the environment.
sqs() {
    local address="${AWS_ENDPOINT_URL_SQS:-${AWS_ENDPOINT_URL:-}}"
    aws ${address:+--endpoint-url "$address"} sqs "$@"
}

# attribute QUEUE_URL NAME
attribute() {
    sqs get-queue-attributes --queue-url "$1" --attribute-names "$2" --query "Attributes.$2" --output text
}
