#!/usr/bin/env bash
# The templates and the workflows by policy: cfn-lint, our rules of infra/guard (cfn-guard) and checkov with the exceptions of
# infra/policy, each rule shown to bite; GitHub's own checks (its editors' service) and zizmor for what
# runs there.
set -euo pipefail

cd "$(dirname "$0")/.."
. infra/tools/env.sh
need cfn-lint cfn-guard checkov node zizmor

cfn-lint infra/pipeline.yaml
PYTHONDONTWRITEBYTECODE=1 "$CLIVY_TOOLS/aws/bin/python" infra/policy/check.py template.yaml infra/pipeline.yaml
node infra/policy/workflows.mjs "$CLIVY_TOOLS/npm/node_modules" .github/workflows/*.yml .github/actions/*/action.yml
zizmor --quiet --offline --no-progress --config .github/zizmor.yml .github

# And zizmor sees what it is here for: an action by its tag, and a title of anybody's that becomes a command.
spoiled="$(mktemp -d)"
trap 'rm -rf "$spoiled"' EXIT
mkdir -p "$spoiled/.github/workflows"
cat >"$spoiled/.github/workflows/spoiled.yml" <<'WORKFLOW'
on: pull_request_target
jobs:
  one:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v4
      - run: echo "${{ github.event.pull_request.title }}"
WORKFLOW
said="$(zizmor --offline --no-progress --config .github/zizmor.yml --format plain "$spoiled" 2>/dev/null || true)"
for rule in unpinned-uses template-injection dangerous-triggers excessive-permissions artipacked; do
    grep -q "\[$rule\]" <<<"$said" || { echo "zizmor does not see $rule in a spoiled workflow" >&2; exit 1; }
done
