#!/usr/bin/env bash
# Deploys what infra/build-release.sh has built, for the architecture of that environment (samconfig.toml; arm64 if it names none).
#
#   infra/deploy-release.sh ENVIRONMENT FOLDER
#
# EXECUTION_ROLE_ARN: optional, the role that CloudFormation takes (infra/pipeline.yaml). Approval is GitHub's matter: SAM asks
# nothing here.
set -euo pipefail

cd "$(dirname "$0")/.."
. infra/tools/env.sh
[ $# -eq 2 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
environment="$1" folder="$2"
need python3 sam sha256sum tar

architecture="$(python3 - "$environment" <<'PYTHON'
import sys, tomllib
with open("samconfig.toml", "rb") as file:
    overrides = tomllib.load(file)[sys.argv[1]]["deploy"]["parameters"]["parameter_overrides"]
print(dict(entry.split("=", 1) for entry in overrides).get("Architecture", "arm64"))
PYTHON
)"
archive="clivy-$architecture.tar.gz"
(cd "$folder" && sha256sum --check "$archive.sha256")
rm -rf .aws-sam/build
mkdir -p .aws-sam/build
tar --extract --gzip --file "$folder/$archive" --directory .aws-sam/build
# Another prefix each time: SAM publishes a version, and moves the aliases, only for code or template that it has not seen.
sam deploy --config-env "$environment" --template-file .aws-sam/build/template.yaml --no-confirm-changeset \
    --s3-prefix "clivy/$(date -u +%Y%m%dT%H%M%SZ)" --no-fail-on-empty-changeset ${EXECUTION_ROLE_ARN:+--role-arn "$EXECUTION_ROLE_ARN"}
