#!/usr/bin/env bash
# A client generated from the OpenAPI document as it is checked in, type-checked, and used against a running API over simulated chains:
# every operation is generated; quotes, swaps, pages and problems are what their types say. Argument: the photon program.
set -euo pipefail
program="$1"
here="$(cd "$(dirname "$0")" && pwd)"

folder="$(mktemp -d)"
token="photon_$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')"
(umask 077 && printf '%s read,quote,trade,withdraw,admin\n' "$token" > "$folder/api.tokens")
trap 'rm -rf "$folder"' EXIT
cp -r "$here/client" "$folder/client"
cd "$folder/client"
npm ci --no-progress --loglevel=error
npx openapi-typescript "$here/../src/api/openapi.json" --output api.d.ts --silent
node operations.mjs "$here/../src/api/openapi.json"
npx tsc

coproc node { exec "$program" bench exchange --swaps 100 --serve "$folder" 2> "$folder/log"; }
trap 'kill "$node_PID" 2>/dev/null || true; rm -rf "$folder"' EXIT
read -r -t 60 address <&"${node[0]}"
timeout 60 node out/client.js "$address" "$token"
