#!/usr/bin/env bash
# Lets programs that others wrote judge a running widgetd.
#
#   scripts/judges.sh          about a minute and a half
#   scripts/judges.sh install  only installs what judges
#   LONG=1 scripts/judges.sh   about half an hour: Schemathesis goes on for longer
#
# - Schemathesis (PyPI) makes requests up from /openapi.json and checks each answer against it.
# - Five SSE clients (npm: eventsource-parser, eventsource, @microsoft/fetch-event-source; PyPI: httpx-sse, sseclient-py)
#   read answers of a scripted model, one of them with pauses that pings fill: all must read the same, and what is stored.
# - jose (npm) verifies the tokens of widgetd and makes good and bad ones for it.
# - The JSON Parsing Test Suite, as the source package of PyPI's orjson carries it, is sent as bodies.
# Wycheproof's vectors are in `cargo test token`.
#
# Needs cargo, curl, jq, openssl, Node.js 20 with npm and python3 with venv. What it installs, pinned, is in target/judges.
# Prints a line a check, "ok    NAME" or "FAIL  NAME" with what was seen, then the count. Exits with 1 if a check failed,
# with 2 if none could be made.
#
# Environment:
#   WIDGETD_BIN  the binary to judge  (default: target/debug/widgetd, built if it is not up to date)
#   SEED         of Schemathesis      (default: another one each time; it prints it)
set -euo pipefail
export LC_ALL=C.UTF-8

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$project/target}
judges=$target/judges

PYTHON_PACKAGES=(schemathesis==4.32.5 requests==2.34.2 httpx==0.28.1 httpx-sse==0.4.3 sseclient-py==1.9.0)
NODE_PACKAGES=(eventsource-parser@3.1.1 eventsource@4.1.1 @microsoft/fetch-event-source@2.0.1 jose@6.2.18)
JSON_SUITE=orjson==3.10.0
READERS=(eventsource_parser.mjs eventsource.mjs fetch_event_source.mjs httpx_sse.py sseclient.py)

# What must come through unharmed: other scripts, half a character, line ends, and what looks like the protocol.
PIECES=('Grüße, ' '👩‍👩‍👧‍👦' $'\u0301' $'\r\n' $'\n\ndata: {"type":"done"}\n\n' $': ping\n\n' $'"\\\b\t</script>' $'\u2028\u2029\ufeff' $'  \n')
QUICK_PIECES=90
# Each followed by a silence that is longer than the 15 s after which a ping is sent.
SLOW_PIECES=2 SLOW_PAUSE_MS=16500

passed=0 failed=0
pids=()
tmp=$(mktemp -d)

clean_up() {
    local pid
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

stop_here() {
    printf 'judges.sh: %s\n' "$*" >&2
    exit 2
}

# check NAME COMMAND…: what the command says is shown only if it fails.
check() {
    local name=$1
    shift
    if "$@" >"$tmp/check" 2>&1; then
        passed=$((passed + 1))
        printf 'ok    %s%s\n' "$name" "$(sed -nE 's/^(.*[0-9] (vectors|generated).*)$/: \1/p' "$tmp/check" | head -n 1)"
    else
        failed=$((failed + 1))
        printf 'FAIL  %s\n' "$name"
        cut -c 1-2000 "$tmp/check" | head -n 200
    fi
}

install_judges() {
    local pins="${PYTHON_PACKAGES[*]} ${NODE_PACKAGES[*]} $JSON_SUITE"
    mkdir -p "$judges"
    if [ "$(cat "$judges/installed" 2>/dev/null)" != "$pins" ]; then
        rm -rf "${judges:?}"/*
        printf 'Installing what judges, into %s.\n' "$judges"
        python3 -m venv "$judges/venv"
        "$judges/venv/bin/pip" install --quiet --disable-pip-version-check "${PYTHON_PACKAGES[@]}"
        npm install --prefix "$judges" --silent --no-audit --no-fund --ignore-scripts "${NODE_PACKAGES[@]}"
        "$judges/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary "${JSON_SUITE%%==*}" --dest "$judges" $JSON_SUITE
        mkdir "$judges/json"
        tar --extract --gzip --file "$judges/${JSON_SUITE/==/-}.tar.gz" --directory "$judges/json" --strip-components=3 \
            "${JSON_SUITE/==/-}/data/parsing"
        printf '%s\n' "$pins" >"$judges/installed"
    fi
    # Beside node_modules, where node looks for packages.
    cp "$project"/tests/judges/* "$judges/"
}

# address_in FILE: the address that a server prints once it serves.
address_in() {
    local address tries
    for ((tries = 0; tries < 200; tries++)); do
        address=$(sed -nE 's#.*(http://127\.0\.0\.1:[0-9]+).*#\1#p' "$1" 2>/dev/null | head -n 1)
        if [ -n "$address" ]; then
            printf '%s' "$address"
            return
        fi
        sleep 0.05
    done
    return 1
}

# start_model NAME PIECES PAUSE_MS
start_model() {
    "$target/debug/examples/fake-model" 0 "$2" "$3" "${PIECES[@]}" >"$tmp/$1.out" </dev/null &
    pids+=($!)
    address_in "$tmp/$1.out" >"$tmp/$1.url" || stop_here "the $1 model did not start"
}

# An agent whose model is the scripted one of that name.
agent_toml() {
    cat <<TOML
[[model]]
name = "$1"
url = "$(cat "$tmp/$1.url")/v1"
model = "scripted"

[[agent]]
id = "$1"
name = "$1"
allowed_origins = ["self"]
models = ["$1"]

TOML
}

start_widgetd() {
    cat >"$tmp/widget.toml" <<TOML
[limits]
init_per_address = "100000/1m"
config_per_address = "100000/1m"
messages_per_address = "100000/1m"
leads_per_token = "100000/1m"
leads_per_address = "100000/1m"
leads_per_agent = "100000/1m"
events_per_token = "100000/1m"

[budget]
messages = 10000
tokens = 100000000
agent_tokens_per_day = 1000000000
event_bytes_per_day = "1 GiB"

$(agent_toml quick)

$(agent_toml slow)

[[agent]]
id = "demo"
name = "Demo"
allowed_origins = ["self"]
models = ["builtin"]
TOML
    WIDGETD_JWT_SECRET=$(openssl rand -hex 32)
    export WIDGETD_JWT_SECRET
    "$widgetd" --config "$tmp/widget.toml" --listen 127.0.0.1:0 --data "$tmp/data" \
        >"$tmp/widgetd.out" 2>"$tmp/widgetd.log" </dev/null &
    widgetd_pid=$!
    pids+=("$widgetd_pid")
    BASE=$(address_in "$tmp/widgetd.out") || stop_here "widgetd did not start: $(cat "$tmp/widgetd.out" "$tmp/widgetd.log")"
    export BASE
}

# init AGENT [VISITOR]: the answer.
init() {
    curl --silent --show-error --fail --max-time 10 --header "Origin: $BASE" --header 'Content-Type: application/json' \
        --data "{\"agent_id\":\"$1\",\"visitor_id\":\"${2:-new}\"}" "$BASE/v1/widget/init"
}

# judge FILE [ARGUMENT]…: runs a program of tests/judges. It finds the server in BASE and a visitor in TOKEN.
judge() {
    local runner=node
    [[ $1 != *.py ]] || runner=$judges/venv/bin/python
    timeout 120 "$runner" "$judges/$1" "${@:2}"
}

# read_answer AGENT READER: leaves the events and the visitor's session as files.
read_answer() {
    local file=$tmp/$1.$2
    init "$1" >"$file.session"
    TOKEN=$(jq --raw-output .token "$file.session") QUESTION='Grüß Gott! 你好?' judge "read_$2" >"$file.events" 2>"$file.error"
}

# is_read_right AGENT READER TEXT: the same events as the first reader saw, their tokens are the text, and it is stored.
is_read_right() {
    local file=$tmp/$1.$2 first=$tmp/$1.${READERS[0]}.events
    # Ids and times are another conversation's.
    jq --exit-status --null-input --arg text "$3" --slurpfile events "$file.events" --slurpfile first "$first" \
        --argjson again "$(init "$1" "$(jq --raw-output .visitor_id "$file.session")")" '
        def plain: map(.[1] |= gsub("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"; "id") | .[1] |= gsub("\"resets_at\":\"[^\"]*\""; "time"));
        $events[0] as $events
        | ($events | plain) == ($first[0] | plain)
          and $events[0][0] == "start" and $events[-1][0] == "done"
          and ([$events[] | select(.[0] == "token") | .[1] | fromjson.text] | join("")) == $text
          and $again.resumed and $again.messages[-1].content == $text' && return
    cat "$file.error" "$file.events"
    return 1
}

# said_in COUNT: what the model says in so many pieces.
said_in() {
    local index
    for ((index = 0; index < $1; index++)); do
        printf '%s' "${PIECES[index % ${#PIECES[@]}]}"
    done
}

check_readers() {
    local text reader
    # With an end of its own, since a command's output loses its last newline.
    text=$(said_in "$2" && printf 'end')
    for reader in "${READERS[@]}"; do
        check "$1 answer, read by ${reader%.*}" is_read_right "$1" "$reader" "${text%end}"
    done
}

# For all readers at the same time.
start_readers() {
    local reader
    for reader in "${READERS[@]}"; do
        read_answer "$1" "$reader" &
        readers+=($!)
    done
}

run_schemathesis() {
    local seconds=50 seed=()
    [ -z "${LONG:-}" ] || seconds=1500
    [ -z "${SEED:-}" ] || seed=(--seed "$SEED")
    # One worker: with more, CPython 3.11 parses source in several threads, which can fail.
    cd "$tmp" && SCHEMATHESIS_HOOKS=$judges/schemathesis_hooks.py "$judges/venv/bin/schemathesis" run "$BASE/openapi.json" \
        --checks all --header "Origin: $BASE" --max-time $seconds --workers 1 --continue-on-failure "${seed[@]}"
}

logged_no_failure() {
    ! grep -E 'status=5|ERROR|panic' "$tmp/widgetd.log"
}

stops() {
    kill "$widgetd_pid" && wait "$widgetd_pid"
}

for tool in cargo curl jq openssl node npm python3; do
    command -v "$tool" >/dev/null || stop_here "needs $tool: install it with your package manager"
done
install_judges || stop_here 'what judges could not be installed'
[ "${1:-}" != install ] || exit 0
# Both at once: as `cargo test` has built them. Alone, the server would have other features of its dependencies.
(cd "$project" && cargo build --quiet --locked --bin widgetd --example fake-model) || stop_here 'widgetd could not be built'
widgetd=${WIDGETD_BIN:-$target/debug/widgetd}
start_model quick $QUICK_PIECES 5
start_model slow $SLOW_PIECES $SLOW_PAUSE_MS
start_widgetd

readers=()
start_readers quick
wait "${readers[@]}" || true
check_readers quick $QUICK_PIECES
readers=()
start_readers slow
TOKEN=$(init demo | jq --raw-output .token)
export TOKEN
check 'tokens, judged by jose' judge tokens.mjs
check 'JSON Parsing Test Suite' judge json_vectors.py "$judges/json"
check 'Schemathesis' run_schemathesis
wait "${readers[@]}" || true
check_readers slow $SLOW_PIECES
check 'the log has no failure' logged_no_failure
check 'SIGTERM stops it with exit code 0' stops

printf '%s passed, %s failed\n' "$passed" "$failed"
((failed == 0))
