#!/usr/bin/env bash
# Measures the release build on this machine, beside the model alone and nginx, in turns, in one run: BENCHMARKS.md is made
# of what it prints.
#
#   scripts/bench.sh [--rounds N] [FIGURE...]     all figures, the median of 5 rounds: some ten minutes
#
# Needs what `cargo build --release` needs, and nginx: it is installed by apt-get if this runs as root on Debian or Ubuntu.
# All traffic stays on the loopback interface. Prints a table in Markdown, a line as soon as it is known. Let nothing else
# run meanwhile.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

PATH=$PATH:/usr/sbin
if ! command -v nginx >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        printf 'nginx is missing: install nginx-light and run this again.\n' >&2
        exit 1
    fi
    apt-get update --quiet=2
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends nginx-light >/dev/null
fi

cargo build --quiet --release --locked
cargo build --quiet --release --locked --example measure
printf '%s, %s cores, Linux %s, %s\n\n' "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)" "$(nproc)" "$(uname -r)" "$(date -u +%F)"
exec "${CARGO_TARGET_DIR:-target}/release/examples/measure" "$@"
