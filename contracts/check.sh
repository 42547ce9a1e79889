#!/bin/sh
# Everything that must hold of the contracts, from a fresh clone: node 20 and npm are all it needs.
set -eu
cd "$(dirname "$0")"

say() {
    printf '\n== %s\n' "$1"
}

# Runs forge; shows the counts, and everything where a test fails.
forge_test() {
    log="out/test-$1.log"
    mkdir -p out
    if FOUNDRY_PROFILE="$1" ./tools/forge test >"$log" 2>&1; then
        sed -n '/^Ran [0-9]* tests\{0,1\} for /h; /^Suite result/{x;p;}' "$log"
        tail -n 1 "$log"
    else
        cat "$log"
        exit 1
    fi
}

say 'The tools, as locked'
npm ci --no-progress --loglevel=error
say 'The artefacts are what the sources give'
node build.mjs --check
say 'No instruction in them that should not be'
node tools/scan.mjs
say 'Gas'
node gas.mjs --check
say "Tests on today's rules"
forge_test default
say 'Tests on the rules of the oldest chain'
forge_test byzantium
say 'All is well'
