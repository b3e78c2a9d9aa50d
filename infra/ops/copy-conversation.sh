#!/usr/bin/env bash
# Copies what a conversation has in another table (one that restore.sh made) and lacks in the installation's. What is there
# stays as it is, so doing it twice is doing it once (I13). Says how many items were copied.
#
#   infra/ops/copy-conversation.sh FROM_TABLE BOT CONTACT
. "$(dirname "$0")/common.sh"
usage 3 "$@"
need aws python3

table="$(found CLIVY_TABLE TableName)"
[ "$table" != "$1" ] || fail "$1 is the installation's table itself"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
key="$(python3 -c 'import json, sys; print(json.dumps({":pk": {"S": f"C#{sys.argv[1]}#{sys.argv[2]}"}}))' "$2" "$3")"
aws dynamodb query --table-name "$1" --key-condition-expression 'pk = :pk' --expression-attribute-values "$key" \
    --consistent-read --query Items --output json >"$folder/items"
python3 -c 'import json, sys; [print(json.dumps(item)) for item in json.load(sys.stdin)]' <"$folder/items" >"$folder/lines"
[ -s "$folder/lines" ] || fail "$1 has nothing of this conversation"

copied=0 kept=0
while read -r item; do
    printf '%s' "$item" >"$folder/item"
    if aws dynamodb put-item --table-name "$table" --item "file://$folder/item" \
        --condition-expression 'attribute_not_exists(pk)' 2>"$folder/error"; then
        copied=$((copied + 1))
    elif grep -q ConditionalCheckFailedException "$folder/error"; then
        kept=$((kept + 1))
    else
        cat "$folder/error" >&2
        fail "stopped after $copied items; run it again"
    fi
done <"$folder/lines"
echo "copied: $copied, there already: $kept"
