#!/usr/bin/env bash
# Builds the fuzz targets and runs each for so many seconds (5 if not told), two at a time: fuzz/run.sh [seconds [target…]].
# Needs cargo-fuzz. What is built and found stays outside the clone; a crash is printed, and kept beside it.
set -euo pipefail
cd "$(dirname "$0")"
secs="${1:-5}"
shift || true
cache="${XDG_CACHE_HOME:-$HOME/.cache}"
target_dir="${FUZZ_TARGET_DIR:-$cache/photon-fuzz-target}"
corpus="$cache/photon-fuzz-corpus"
fuzz="${CARGO_FUZZ:-cargo-fuzz}"
host="$(rustc -vV | sed -n 's/^host: //p')"
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || mapfile -t targets < <(sed -n 's/^name = "\([a-z_]*\)"$/\1/p' Cargo.toml)

unset CARGO_TARGET_DIR
(cd .. && "$fuzz" fuzz build --sanitizer none --target-dir "$target_dir" --features program)

one() {
  mkdir -p "$corpus/$1"
  log="$corpus/$1.log"
  if (cd "$corpus" && "$target_dir/$host/release/$1" -max_total_time="$secs" -max_len=8192 -rss_limit_mb=1024 \
    -timeout=60 -artifact_prefix="$corpus/$1-" "$corpus/$1" "$seeds/$1") > "$log" 2>&1; then
    printf '%-16s %s\n' "$1" "$(tail -n 1 "$log")"
  else
    tail -n 40 "$log"
    echo "$1: found something, see $corpus" >&2
    return 1
  fi
}
export -f one
export corpus target_dir host secs seeds="$PWD/seeds"
printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c 'one {}'
