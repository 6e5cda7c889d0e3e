#!/usr/bin/env bash
# Mixed load with clients that vanish; then threads, descriptors, memory and the database's log must be where they were, and the
# database must have grown by no more than what was said.
#
#   scripts/soak.sh [SECONDS]     120 by default; 3600 is the long form
#
# Needs what `cargo build --release` needs. Prints a look at the process now and then, and what is as it should be. Exits
# with 1 if something is not.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --quiet --release --locked
# The clients as `cargo test` has built them: only the server is watched.
cargo build --quiet --locked --bin widgetd --example measure
exec "${CARGO_TARGET_DIR:-target}/debug/examples/measure" soak "${1:-120}"
