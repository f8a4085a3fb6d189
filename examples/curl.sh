#!/usr/bin/env bash
# Create, fill, search and ask a collection with curl, also through OpenAI's interface.
#
# Needs: the address of a running service (`twindex serve FOLDER --port 8080`), but no model. If the
#        service has a key, set API_KEY.
# Prints: the replies. The collection `example-curl` is deleted at the end.
#
#     bash examples/curl.sh http://127.0.0.1:8080
set -euo pipefail

url=${1:?address of the service}
birds=$url/v1/collections/example-curl
json='Content-Type: application/json'
call() { curl --silent --show-error --fail-with-body -H "api-key: ${API_KEY:-none}" "$@"; echo; }
trap 'call -X DELETE "$birds"' EXIT

call -X PUT "$birds" -H "$json" -d '{"legs": {"lexical": {"kind": "lexical"}}}' > /dev/null
call "$birds/documents/bulk" -H 'Content-Type: application/x-ndjson' --data-binary @- <<'LINES'
{"id": "kiwi", "title": "Kiwi", "text": "The kiwi cannot fly. It lives in New Zealand."}
{"id": "swift", "title": "Swift", "text": "Swifts fly while they sleep."}
LINES
call "$birds/search" -H "$json" -d '{"query": "birds that cannot fly", "limit": 1}'
call "$birds/answer" -H "$json" -d '{"question": "Where does the kiwi live?"}'

# OpenAI's interface: an answer as a stream of chunks.
call --no-buffer "$url/v1/chat/completions" -H "$json" -d '{
  "model": "rag:example-curl", "stream": true,
  "messages": [{"role": "user", "content": "Where does the kiwi live?"}]
}'
