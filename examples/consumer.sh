#!/bin/sh
# Prints the signals of a model as they come, each once (docs/book/gateway.md): asks for those from the last one's close.
# usage: ASSAY_KEY=… consumer.sh URL MODEL_ID        needs curl and jq
set -eu
last=-1 start=1970-01-01T00:00:00Z
while :; do
    # The key goes through a pipe: everyone on the machine sees arguments.
    page=$(printf 'header = "Authorization: Bearer %s"\n' "$ASSAY_KEY" |
        curl --silent --show-error --fail --max-time 20 --config - "$1/v1/signals/$2?limit=200&start=$start")
    new=$(printf '%s' "$page" | jq -c --argjson last "$last" '.items[].signal | select(.seq > $last)')
    if [ -n "$new" ]; then
        printf '%s\n' "$new" | jq -r '[.seq, .ts, .symbol, .action, .price_ref] | map(tostring) | join(" ")'
        last=$(printf '%s\n' "$new" | jq -s 'last.seq') start=$(printf '%s\n' "$new" | jq -sr 'last.ts')
    else
        sleep 1
    fi
done
