#!/usr/bin/env bash
# Builds what is given to others: one static binary, and a tarball with all that an installation needs.
#
#   scripts/release.sh             builds, checks and packs
#   scripts/release.sh --no-build  checks and packs what was built before
#   scripts/release.sh --symbols   builds with symbols and does no more: to see what is large in it
#
# Makes target/release-VERSION/ with widgetd, widgetd-VERSION-ARCH-linux.tar.gz and SHA256SUMS. In the tarball are the binary,
# install.sh, deploy/, container/ (for the Dockerfile, with the demo's widget.toml), README.md, LICENSE, CHANGELOG.md, and manual
# pages and completions if widgetd makes them. The same commit with the same toolchain, C compiler and C library gives the same
# bytes.
#
# It is linked with musl. With glibc it was 900 KB larger, and a name that was looked up loaded the modules that
# /etc/nsswitch.conf names, and with them the machine's own glibc: where that was another version, the process died.
#
# Needs the Rust toolchain of rust-toolchain.toml with the target x86_64-unknown-linux-musl (or that of this machine's
# architecture), musl-gcc (in Debian's musl-tools), ld of binutils 2.38 or newer, file, readelf, curl, python3 and root for chroot.
# Prints sizes. Exits with 1 if a check fails.
set -euo pipefail
export LC_ALL=C

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# In bytes.
SIZE_MAX=8000000
arch=$(uname -m)
triple=$arch-unknown-linux-musl
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
name=widgetd-$version-$arch-linux
out=target/release-$version
# Apart from the other builds: the flags differ, and each would throw the other's away.
target=target/release-build
binary=$target/$triple/release/widgetd
scratch=$(mktemp -d)
server_pid='' hook_pid=''

clean_up() {
    local pid
    for pid in $server_pid $hook_pid; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

fail() {
    printf 'release.sh: %s\n' "$*" >&2
    exit 1
}

build() {
    command -v musl-gcc >/dev/null || fail 'musl-gcc is missing: install musl-tools'
    [ -d "$(rustc --print target-libdir --target "$triple")" ] ||
        fail "Rust's library for musl is missing: run: rustup target add $triple"
    # No path of this machine is to be in it. Packed relocations take 180 KB less. Random bytes come from the system call:
    # else they would come from /dev/urandom, since a static program finds no function by its name.
    # shellcheck disable=SC2054 # the comma is for the linker
    local flags=(-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs
        "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo" "--remap-path-prefix=$PWD=/widgetd"
        --cfg 'getrandom_backend="linux_getrandom"')
    # By this name the crates that compile C look for their compiler.
    local cc=CC_${triple//-/_}
    env "$cc=musl-gcc" RUSTFLAGS="${flags[*]}" CARGO_TARGET_DIR="$target" \
        cargo rustc --release --locked --bin widgetd --target "$triple" -- "$@"
}

check_file() {
    file --brief "$binary"
    file --brief "$binary" | grep --quiet 'static-pie linked' || fail 'not a static-pie'
    if readelf --program-headers --dynamic --wide "$binary" | grep --extended-regexp 'INTERP|NEEDED'; then
        fail 'it wants a loader or a library'
    fi
    if grep --quiet --text --fixed-strings "$HOME/" "$binary"; then
        fail "paths of this machine are in it: $HOME"
    fi
    local size
    size=$(stat --format=%s "$binary")
    printf '%s bytes\n' "$size"
    ((size <= SIZE_MAX)) || fail "more than $SIZE_MAX bytes"
}

# wait_for WHAT COMMAND…: until it succeeds, ten seconds at most.
wait_for() {
    local what=$1 tries
    shift
    for ((tries = 0; tries < 200; tries++)); do
        if "$@" 2>/dev/null; then return; fi
        sleep 0.05
    done
    cat "$scratch"/*.log >&2
    fail "$what did not come"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# A root in which there is nothing but widgetd and its configuration.
check_empty_root() {
    local root=$scratch/root port
    mkdir "$root"
    cp "$binary" widget.toml "$root"
    chroot "$root" /widgetd --version
    chroot "$root" /widgetd check >/dev/null
    port=$(free_port)
    chroot "$root" /widgetd --listen "127.0.0.1:$port" --data /data >"$scratch/out.log" 2>"$scratch/err.log" &
    server_pid=$!
    wait_for 'the server' curl --silent --fail --output /dev/null "http://127.0.0.1:$port/readyz"
    AGENT=demo scripts/smoke.sh "http://127.0.0.1:$port" >"$scratch/smoke.log" 2>&1 || {
        cat "$scratch/smoke.log" >&2
        fail 'the smoke found something'
    }
    kill "$server_pid"
    wait "$server_pid" || fail 'it did not stop well'
    server_pid=''
    printf 'it serves in an empty root\n'
}

# A webhook at a name that only the root's /etc/hosts knows is reached.
check_names() {
    local root=$scratch/root port said
    port=$(free_port)
    python3 - "$port" <<'PY' &
import http.server, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Hook).serve_forever()
PY
    hook_pid=$!
    cat - widget.toml >"$root/webhook.toml" <<TOML
[[webhook]]
name = "drill"
url = "http://hooks.widgetd.test:$port/"
allow_private = true
format = "slack"

TOML
    mkdir "$root/etc"
    printf '127.0.0.1 hooks.widgetd.test\n' >"$root/etc/hosts"
    # Nobody answers there.
    printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' >"$root/etc/resolv.conf"
    wait_for 'the receiver' curl --silent --output /dev/null --data '' "http://127.0.0.1:$port/"
    said=$(cd "$scratch" && chroot "$root" /widgetd --config /webhook.toml webhook test 2>&1) ||
        fail "a name of /etc/hosts was not found: $said"
    printf 'it finds names\n'
}

# Manual pages and completions, if this widgetd makes them.
made_texts() {
    local into=$1 shell file commands
    commands=$("$binary" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
    if grep --quiet --line-regexp man <<<"$commands"; then
        mkdir "$into/man"
        "$binary" man >"$into/man/widgetd.1"
    fi
    if grep --quiet --line-regexp completions <<<"$commands"; then
        mkdir "$into/completions"
        for shell in bash:widgetd.bash zsh:_widgetd fish:widgetd.fish; do
            file=${shell##*:}
            "$binary" completions "${shell%%:*}" >"$into/completions/$file"
        done
    fi
}

pack() {
    local into=$scratch/$name when
    mkdir -p "$into" "$out"
    install --mode=755 "$binary" scripts/install.sh "$into"
    install --mode=644 README.md LICENSE CHANGELOG.md "$into"
    mkdir "$into/deploy"
    install --mode=644 scripts/deploy/* "$into/deploy"
    made_texts "$into"
    # What deploy/Dockerfile puts into its image beside the binary. The demo's configuration is nowhere else: a widgetd that is
    # called in the folder itself would take it for its own.
    mkdir -p "$into/container/data" "$into/container/etc/widgetd"
    install --mode=644 widget.toml "$into/container/etc/widgetd"
    when=$(git log --max-count=1 --format=%ct 2>/dev/null || date --reference=Cargo.lock +%s)
    tar --create --directory "$scratch" --sort=name --mtime="@$when" --owner=0 --group=0 --numeric-owner --format=ustar \
        --mode=u+rwX,go+rX,go-w "$name" | gzip --best --no-name >"$out/$name.tar.gz"
    install --mode=755 "$binary" "$out/widgetd"
    (cd "$out" && sha256sum "$name.tar.gz" widgetd >SHA256SUMS)
    tar --list --gzip --file "$out/$name.tar.gz"
    (cd "$out" && stat --format='%s %n' "$name.tar.gz" widgetd && cat SHA256SUMS)
}

case "${1:-}" in
    '') build ;;
    --no-build) ;;
    --symbols)
        build -C strip=none
        exit
        ;;
    *)
        printf 'usage: scripts/release.sh [--no-build | --symbols]\n' >&2
        exit 2
        ;;
esac
[ "$(id -u)" = 0 ] || fail 'the checks need root, for chroot'
check_file
check_empty_root
check_names
pack
