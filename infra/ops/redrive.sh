#!/usr/bin/env bash
# Puts the dead letters back into the queue, and waits until that is done. Safe at any time and any number of times (I13).
#
#   infra/ops/redrive.sh [LETTERS_PER_SECOND]      (default 5, so that a model that has just recovered is not flooded)
. "$(dirname "$0")/common.sh"
usage 0 "$@"
need aws

rate="${1:-5}"
[[ "$rate" =~ ^[1-9][0-9]{0,2}$ ]] || fail "letters per second is a number from 1 to 500"
dlq="$(found CLIVY_DLQ_URL DeadLetterQueueUrl)"
queue="$(found CLIVY_QUEUE_URL QueueUrl)"
source_arn="$(attribute "$dlq" QueueArn)"

echo "dead letters: $(attribute "$dlq" ApproximateNumberOfMessages)"
# The destination is named: parked turns were never in the queue, so SQS knows none for them.
sqs start-message-move-task --source-arn "$source_arn" --destination-arn "$(attribute "$queue" QueueArn)" \
    --max-number-of-messages-per-second "$rate" --output text >/dev/null

# Interrupted, the task goes on by itself.
while true; do
    read -r status moved < <(sqs list-message-move-tasks --source-arn "$source_arn" --max-results 1 --output text \
        --query 'Results[0].[Status, ApproximateNumberOfMessagesMoved]')
    case "$status" in
        RUNNING) sleep 2 ;;
        COMPLETED) break ;;
        *) fail "the task is $status: aws sqs list-message-move-tasks --source-arn $source_arn says why" ;;
    esac
done
echo "moved: $moved"
