#!/usr/bin/env bash
# What the installation says about itself: queues, the oldest answer owed, breakers, credits, the sweeper. JSON.
#
#   infra/ops/health.sh
. "$(dirname "$0")/common.sh"
usage 0 "$@"
need curl python3

api GET /health/detailed | python3 -m json.tool
