#!/usr/bin/env bash
# Thousands of odd requests, made from the OpenAPI document, against a running API over simulated chains: no answer may be a server error,
# and none may differ from what the document says. Bounded in time. Arguments: the photon program, a folder for tools.
set -euo pipefail
program="$1" tools="$2"
version=4.32.5

if ! "$tools/schemathesis/bin/schemathesis" --version 2>/dev/null | grep -qF "$version"; then
  python3 -m venv "$tools/schemathesis"
  "$tools/schemathesis/bin/pip" install --quiet "schemathesis==$version"
fi

folder="$(mktemp -d)"
token="photon_$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')"
(umask 077 && printf '%s read,quote,trade,withdraw,admin\n' "$token" > "$folder/api.tokens")
coproc node { exec "$program" bench exchange --swaps 100 --serve "$folder" 2> "$folder/log"; }
trap 'kill "$node_PID" 2>/dev/null || true; rm -rf "$folder"' EXIT
read -r -t 60 address <&"${node[0]}"

# Event streams have no end, and a node that drains would refuse the rest.
cd "$folder"
timeout 300 "$tools/schemathesis/bin/schemathesis" run "http://$address/openapi.json" \
  --header "Authorization: Bearer $token" \
  --exclude-path /v1/events --exclude-path /v1/drain \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance \
  --phases examples,coverage,fuzzing --max-examples 15 --workers 1 --seed 7 --request-timeout 30 --no-color

kill -0 "$node_PID"
