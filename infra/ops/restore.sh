#!/usr/bin/env bash
# Restores the table, as it was at a moment of the last 35 days, into a new one beside it. The installation goes on with the
# table it has: what to do with the new one is in docs/OPERATIONS.md.
#
#   infra/ops/restore.sh NEW_TABLE [MOMENT]      (MOMENT such as 2026-11-21T09:30:00Z; default the latest possible one)
. "$(dirname "$0")/common.sh"
usage 1 "$@"
need aws

moment=(--use-latest-restorable-time)
if [ "$#" -gt 1 ]; then moment=(--restore-date-time "$2"); fi
table="$(found CLIVY_TABLE TableName)"
aws dynamodb restore-table-to-point-in-time --source-table-name "$table" --target-table-name "$1" "${moment[@]}" \
    --billing-mode-override PAY_PER_REQUEST --query 'TableDescription.TableStatus' --output text
echo "this takes from some minutes to hours"
# One wait gives up after 8 minutes.
until aws dynamodb wait table-exists --table-name "$1"; do
    status="$(aws dynamodb describe-table --table-name "$1" --query 'Table.TableStatus' --output text)"
    [ "$status" = CREATING ] || fail "$1 is $status"
done
# A restored table has neither: without the first it could not be restored itself, without the second nothing expires.
aws dynamodb update-continuous-backups --table-name "$1" --output text \
    --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true >/dev/null
aws dynamodb update-time-to-live --table-name "$1" --output text \
    --time-to-live-specification Enabled=true,AttributeName=expires_at >/dev/null
echo "$1 is there"
