#!/usr/bin/env bash
# Checks what is for Prometheus and Grafana, with Prometheus's own promtool: the text of /metrics of a server that was used a
# little, the alerts and their tests, and that each metric that an alert or a panel of the dashboard asks for is in that text.
#
#   scripts/metrics.sh
#
# Needs curl, jq, promtool (Debian's package prometheus), and target/release/widgetd, which it builds if it is missing.
# Prints a line a check, and exits with 1 at the first that fails.
#
# Environment:
#   WIDGETD   the binary to start   (default: target/release/widgetd)
set -euo pipefail
export LC_ALL=C

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
alerts=$project/scripts/alerts.yml
dashboard=$project/scripts/grafana.json
tmp=$(mktemp -d)
server_pid=''

clean_up() {
    if [ -n "$server_pid" ]; then
        kill "$server_pid" 2>/dev/null || true
        wait "$server_pid" 2>/dev/null || true
    fi
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

fail() {
    printf 'FAIL  %s\n' "$*" >&2
    exit 1
}

# check NAME COMMAND…: what the command prints is shown if it fails, and which names are asked for in vain.
check() {
    local name=$1 code
    shift
    : >"$tmp/unknown"
    # Not in an `if` or before `||`: there a function would go on after a command in it that fails.
    set +e
    (
        set -e
        "$@"
    ) >"$tmp/said" 2>&1
    code=$?
    set -e
    if ((code != 0)); then
        cat "$tmp/said" "$tmp/unknown" >&2
        fail "$name"
    fi
    printf 'ok    %s\n' "$name"
}

# A model that is not there, the embedded one behind it, prices and ceilings: so that each family has something to tell.
start_server() {
    local binary=${WIDGETD:-${CARGO_TARGET_DIR:-$project/target}/release/widgetd}
    if [ ! -x "$binary" ]; then
        [ -z "${WIDGETD:-}" ] || fail "cannot run $binary"
        (cd "$project" && cargo build --release --locked)
    fi
    cat >"$tmp/widget.toml" <<'TOML'
[admin]
listen = "127.0.0.1:0"

[ceiling]
tokens_per_day = 1000000
cost_per_month = 10.00

[[model]]
name = "not there"
url = "http://127.0.0.1:9/v1"
model = "none"
input_price = 0.15
output_price = 0.60

[[agent]]
id = "demo"
name = "Demo"
allowed_origins = ["self"]
models = ["not there", "builtin"]
TOML
    : >"$tmp/stdout" # it is read before the server may have opened it
    "$binary" --config "$tmp/widget.toml" --listen 127.0.0.1:0 --data "$tmp/data" \
        >"$tmp/stdout" 2>"$tmp/stderr" </dev/null &
    server_pid=$!
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        base=$(sed -nE 's#.*listening on (http://[^/]+)/.*#\1#p' "$tmp/stdout")
        metrics=$(sed -nE 's#^metrics +(http://.*)$#\1#p' "$tmp/stdout")
        [ -z "$base" ] || [ -z "$metrics" ] || return 0
        kill -0 "$server_pid" 2>/dev/null || break
        sleep 0.05
    done
    cat "$tmp/stdout" "$tmp/stderr" >&2
    fail 'widgetd did not start'
}

post() {
    local path=$1 body=$2
    shift 2
    curl --silent --max-time 20 --header "Origin: $base" --json "$body" "$@" "$base$path"
}

use_server() {
    local token
    token=$(post /v1/widget/init '{"agent_id":"demo"}' | jq --raw-output .token)
    [ "$token" != null ] || fail '/init gave no token'
    post /v1/widget/messages/stream '{"content":"Hello"}' --header "Authorization: Bearer $token" >"$tmp/stream"
    grep --quiet 'event: done' "$tmp/stream" || fail 'no answer was streamed'
    post /v1/widget/leads '{"email":"metrics@example.com"}' --header "Authorization: Bearer $token" >"$tmp/lead"
    curl --silent --max-time 20 --output "$tmp/none" "$base/there-is-nothing-here"
}

# Sorted names of all samples, and of the histograms that some of them are of.
told_names() {
    sed -nE 's/^(# TYPE )?([a-zA-Z_:][a-zA-Z0-9_:]*)(\{| ).*/\2/p' "$tmp/metrics.txt" | sort --unique
}

read_by_promtool() {
    promtool check metrics <"$tmp/metrics.txt"
}

# check_names FILE: that it asks for some, and for none that is not told.
check_names() {
    grep --only-matching --extended-regexp '\b(widgetd|process)_[a-z0-9_]+' "$1" >"$tmp/asked"
    sort --unique "$tmp/asked" | comm -23 - "$tmp/told" >"$tmp/unknown"
    [ ! -s "$tmp/unknown" ]
}

# The expressions of the dashboard as rules, which promtool can read; Grafana's variables become what they stand for.
dashboard_rules() {
    jq '
      [.panels[].targets[]?.expr, .annotations.list[].expr // empty]
      | map(gsub("\\$__rate_interval"; "5m") | gsub("\\$(job|instance)"; ".*"))
      | {groups: [{name: "dashboard", rules: [to_entries[] | {record: "panel:\(.key)", expr: .value}]}]}
    ' "$dashboard" >"$tmp/dashboard.yml" # JSON is YAML
    promtool check rules "$tmp/dashboard.yml"
}

# What Grafana needs of a dashboard to import it, and what ours promise: a data source that one chooses, no panel without a
# question, none on another.
dashboard_shape() {
    jq --exit-status '
      (.title and .uid and .schemaVersion >= 38)
      and any(.templating.list[]; .type == "datasource" and .name == "datasource")
      and ([.panels[].id] | length == (unique | length))
      and all(.panels[] | select(.type != "row"); .title and .targets and .datasource.uid == "${datasource}")
      and all(.panels[].targets[]?; .datasource.uid == "${datasource}")
      and (.panels as $all | all($all[]; . as $one | all($all[] | select(.id > $one.id);
        (.gridPos.y >= $one.gridPos.y + $one.gridPos.h) or ($one.gridPos.y >= .gridPos.y + .gridPos.h)
        or (.gridPos.x >= $one.gridPos.x + $one.gridPos.w) or ($one.gridPos.x >= .gridPos.x + .gridPos.w))))
    ' "$dashboard"
}

for tool in curl jq promtool; do
    command -v "$tool" >/dev/null || fail "needs $tool: install it with your package manager (promtool is in Debian's prometheus)"
done
start_server
use_server
curl --silent --show-error --fail --max-time 20 --output "$tmp/metrics.txt" "$metrics"
told_names >"$tmp/told"
samples=$(grep --count --invert-match '^#' "$tmp/metrics.txt")
check "promtool reads the $samples samples of /metrics" read_by_promtool
check 'alerts.yml' promtool check rules "$alerts"
check 'alerts.test.yml' promtool test rules "$project/scripts/alerts.test.yml"
check 'each metric of alerts.yml is told' check_names "$alerts"
check 'each metric of grafana.json is told' check_names "$dashboard"
check 'grafana.json asks in PromQL' dashboard_rules
check 'grafana.json is a dashboard' dashboard_shape
