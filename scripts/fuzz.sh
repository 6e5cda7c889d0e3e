#!/usr/bin/env bash
# Fuzzes what reads bytes from outside: model streams, requests, origins, JSON bodies. One target after the other.
#
#   scripts/fuzz.sh [SECONDS [TARGET...]]
#
#   scripts/fuzz.sh              all targets for 8 s each, as in scripts/test.sh
#   scripts/fuzz.sh 600          the long form
#   scripts/fuzz.sh 600 origin   one target
#
# Needs the Rust toolchain of rust-toolchain.toml and a C++ compiler, for libFuzzer; no nightly Rust, no cargo-fuzz.
# Begins from the seeds in tests/fuzz/corpus and from what earlier runs kept in target/fuzz/found.
# Prints a line a target. At the first input that breaks a promise it says where that input is, and exits with 1.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

SECONDS_EACH=${1:-8}
TARGETS=("${@:2}")
if ((${#TARGETS[@]} == 0)); then
    TARGETS=(model_stream request origin json_body)
fi

WORK=${CARGO_TARGET_DIR:-$PWD/target}/fuzz
HOST=$(rustc -vV | sed -n 's/^host: //p')

# What cargo-fuzz passes for coverage. A sanitizer would need a nightly Rust; none of our code that runs here is unsafe.
COVERAGE=(
    --cfg fuzzing
    -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares
    -Cllvm-args=-simplifycfg-branch-fold-threshold=0
)

build() {
    # The versions of the program itself; cargo adds libFuzzer to them.
    cp Cargo.lock tests/fuzz/Cargo.lock
    # --target: else build scripts would be instrumented too, and nothing would collect it there.
    RUSTFLAGS="${COVERAGE[*]}" cargo build --quiet --release --manifest-path tests/fuzz/Cargo.toml \
        --target "$HOST" --target-dir "$WORK"
}

fuzz() {
    local target=$1 log=$WORK/$1.log
    mkdir -p "$WORK/found/$target" "$WORK/broken"
    # New inputs are kept in the first folder.
    if ! "$WORK/$HOST/release/$target" "$WORK/found/$target" "tests/fuzz/corpus/$target" \
        -max_total_time="$SECONDS_EACH" -timeout=10 -rss_limit_mb=1024 -artifact_prefix="$WORK/broken/$target-" \
        >"$log" 2>&1; then
        grep -v '^#' "$log" | tail -40 >&2
        printf '\nFAILED: %s. The input is named above; once mended, keep it in tests/fuzz/corpus/%s, where the tests replay it.\n' \
            "$target" "$target" >&2
        exit 1
    fi
    printf 'ok   %-13s %s\n' "$target" "$(sed -n 's/^Done //p' "$log"), $(coverage "$log")"
}

# How much of the program the inputs reached, from the log's last line of progress.
coverage() {
    sed -n 's/.* cov: \([0-9]*\) .*/\1 branches reached/p' "$1" | tail -1
}

printf 'Fuzzing for %s s each\n' "$SECONDS_EACH"
build
for target in "${TARGETS[@]}"; do
    fuzz "$target"
done
