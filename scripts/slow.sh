#!/usr/bin/env bash
# Besieges widgetd with slow and greedy clients, and says what its other visitors notice of it.
#
#   scripts/slow.sh          1 000 connections, about half a minute
#   scripts/slow.sh long     3 000 connections, about five minutes
#
# Each siege comes from many addresses of this machine: request heads that never end, small and large bodies that never
# end, answers that are hardly read; the same against the places that widgetd offers as it is shipped; 400 000 requests
# on one connection that is never read; and slowhttptest, which others wrote, from one address. Meanwhile /healthz and
# /init are asked, each on a new connection. Prints a line a siege: connections open at the server, threads before and
# during, memory at most, and "median / p99" of the waits. Fails if a visitor is not answered or waits too long, if a thread
# was started, at 60 MB of memory, 10 MB for the pipeline, or if too few connections were open for a siege. Too long is 5 ms
# at the median or 50 ms at p99 in the long form, which needs a machine that does nothing else; the short one, which runs
# beside other work, allows ten times as much.
#
# Needs curl, slowhttptest, which it installs if it runs as root on Debian or Ubuntu, and target/release/widgetd and the
# example siege, which it builds. Exits with 1 if a siege failed.
set -euo pipefail
export LC_ALL=C

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$project/target}
case ${1:-short} in
    # The siege as `cargo test` has built it: what it measures is the server, with ten times the time.
    short) connections=1000 seconds=2 ceiling=busy siege=debug ;;
    long) connections=3000 seconds=25 ceiling=aim siege=release ;;
    *)
        printf 'usage: scripts/slow.sh [long]\n' >&2
        exit 2
        ;;
esac
tmp=$(mktemp -d)
server_pid='' threads='' failed=0

stop_server() {
    if [ -n "$server_pid" ]; then
        kill "$server_pid" 2>/dev/null || true
        wait "$server_pid" 2>/dev/null || true
        server_pid=''
    fi
}
clean_up() {
    stop_server
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

fail() {
    printf 'slow.sh: %s\n' "$*" >&2
    tail -n 20 "$tmp"/*.log >&2 2>/dev/null || true
    exit 1
}

tools() {
    ulimit -n "$(ulimit -H -n)"
    # Each connection is a descriptor of the server and one of the siege.
    if (($(ulimit -n) < connections + 500)); then
        fail "needs $((connections + 500)) open files: raise the limit of open files (ulimit -n)"
    fi
    if ! command -v slowhttptest >/dev/null; then
        if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
            fail 'needs slowhttptest: install it with your package manager'
        fi
        apt-get update --quiet=2
        DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends slowhttptest >/dev/null
    fi
    # By itself: with an example it would have other features of its dependencies.
    (cd "$project" && cargo build --quiet --release --locked)
    if [ "$siege" = release ]; then
        (cd "$project" && cargo build --quiet --release --locked --example siege)
    else
        (cd "$project" && cargo build --quiet --locked --bin widgetd --example siege)
    fi
}

# start_server [KEY = VALUE]…: with these lines in [server]; sets server_pid, address and threads.
start_server() {
    stop_server
    {
        printf '[server]\n'
        [ $# = 0 ] || printf '%s\n' "$@"
        cat <<'TOML'

[limits]
init_per_address = "100000/1m"

[[agent]]
id = "demo"
name = "Demo"
allowed_origins = ["*"]
TOML
    } >"$tmp/widget.toml"
    rm -rf "$tmp/data"
    "$target/release/widgetd" --config "$tmp/widget.toml" --listen 127.0.0.1:0 --data "$tmp/data" --log warn \
        >"$tmp/out" 2>"$tmp/widgetd.log" </dev/null &
    server_pid=$!
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        address=$(sed -nE 's#.*http://(127\.0\.0\.1:[0-9]+).*#\1#p' "$tmp/out" | head -n 1)
        [ -z "$address" ] || break
        kill -0 "$server_pid" 2>/dev/null || break
        sleep 0.05
    done
    # Who is answered finds all threads started.
    curl --silent --fail --max-time 10 --output /dev/null "http://$address/healthz" || fail 'widgetd did not start'
    threads=$(sed -nE 's/^Threads:[[:space:]]*//p' "/proc/$server_pid/status")
}

# siege NAME KIND CONNECTIONS SECONDS
siege() {
    printf '%-36s ' "$1"
    "$target/$siege/examples/siege" "$address" "$server_pid" "$threads" "$ceiling" "$2" "$3" "$4" || failed=1
}

# outside NAME OPEN-AT-LEAST SLOWHTTPTEST-OPTION…: as many connections of slowhttptest, from one address.
outside() {
    local name=$1 open_min=$2 slow_pid
    shift 2
    slowhttptest "$@" -c "$connections" -r $((connections / 2)) -i 1 -l "$seconds" -p 10 -u "http://$address/openapi.json" \
        >"$tmp/slowhttptest.log" 2>&1 &
    slow_pid=$!
    sleep 1
    siege "slowhttptest, $name" none "$open_min" "$((seconds - 1))"
    wait "$slow_pid" || fail 'slowhttptest failed'
}

tools
places=$((connections + 200))
start_server "max_connections = $places"
printf '%s connections, %s s each\n' "$connections" "$seconds"
siege 'nobody' none 0 2
siege 'heads that never end' heads "$connections" "$seconds"
siege 'bodies that never end' bodies "$connections" "$seconds"
siege 'large bodies that never end' stalls "$connections" "$seconds"
siege 'answers that are hardly read' readers "$connections" "$seconds"
start_server
siege 'the same in 512 places: heads' heads "$connections" "$seconds"
siege '                        bodies' bodies "$connections" "$seconds"
siege '                        answers' readers "$connections" "$seconds"
start_server
siege '400 000 requests, never read' pipeline 400000 3
# Of one address widgetd takes no more than 32.
outside 'all from one address' 32 -H
start_server "max_connections = $places" "max_connections_per_address = $places"
outside 'heads' $((connections / 2)) -H
if [ "${1:-short}" = long ]; then
    outside 'bodies' $((connections / 2)) -B
    outside 'answers' $((connections / 2)) -X -k 3 -y 512 -w 64
fi

if ((failed)); then
    printf 'slow.sh: failed\n' >&2
    exit 1
fi
printf 'All were served.\n'
