#!/usr/bin/env bash
# A conversation with a real language model, from the visitor's side, through a real widgetd.
#
#   scripts/smoke-real.sh
#
# Starts the model server of scripts/real-model.sh and widgetd, each on a free port, widgetd with a configuration and a
# folder that go when it ends. Then: three streamed turns, one whole answer, an answer that the visitor walks away from
# (the model server must stop generating it), and the conversation resumed. Prints the transcript with times.
#
# Needs curl and jq, what scripts/real-model.sh needs, and target/release/widgetd, which it builds if it is missing.
# Takes half a minute. Exits with 1 at the first thing that is wrong, and prints what both servers said.
#
# Environment:
#   WIDGETD  the binary to start                  (default: target/release/widgetd)
#   VENV     where the model server is installed  (default: .venv-model in the project)
# shellcheck disable=SC2016 # a $ in single quotes is jq's
set -euo pipefail
export LC_ALL=C

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tmp=$(mktemp -d)
model_pid='' widgetd_pid='' visitor_pid=''

clean_up() {
    local pid
    for pid in $visitor_pid $widgetd_pid $model_pid; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

fail() {
    local log
    for log in model widgetd; do
        printf -- '--- the end of what %s said\n' "$log" >&2
        tail -n 20 "$tmp/$log.log" >&2 2>/dev/null || true
    done
    printf -- '---\nsmoke-real.sh: %s\n' "$*" >&2
    exit 1
}
trap 'fail "line $LINENO: $BASH_COMMAND"' ERR
set -o errtrace

for tool in curl jq; do
    command -v "$tool" >/dev/null || fail "needs $tool: install it with your package manager"
done

# address_of NAME PID SECONDS: the address that a server prints once it serves.
address_of() {
    local address tries
    for ((tries = 0; tries < $3 * 20; tries++)); do
        address=$(sed -nE 's#.*(http://127\.0\.0\.1:[0-9]+).*#\1#p' "$tmp/$1.out" | head -n 1)
        if [ -n "$address" ]; then
            printf '%s' "$address"
            return
        fi
        kill -0 "$2" 2>/dev/null || break
        sleep 0.05
    done
    return 1
}

start_model() {
    CTX=4096 "$project/scripts/real-model.sh" 0 >"$tmp/model.out" 2>"$tmp/model.log" </dev/null &
    model_pid=$!
    # The first time it is installed, which is a download of 130 MB.
    model=$(address_of model "$model_pid" 600) || fail 'the model server did not start'
}

start_widgetd() {
    local binary=${WIDGETD:-${CARGO_TARGET_DIR:-$project/target}/release/widgetd}
    if [ ! -x "$binary" ]; then
        [ -z "${WIDGETD:-}" ] || fail "cannot run $binary"
        (cd "$project" && cargo build --release --locked) || fail 'widgetd could not be built'
    fi
    # Two agents of one model: a brief one to talk with, and one whose answers last long enough to walk away from.
    cat >"$tmp/widget.toml" <<TOML
[[model]]
name = "smollm2"
url = "$model/v1"
model = "smollm2-135m-instruct"

[[agent]]
id = "brief"
name = "Brief"
allowed_origins = ["self"]
models = ["smollm2"]
system_prompt = "You work in a bicycle shop in Bremen. Answer in one short sentence."

[agent.budget]
answer_tokens = 80

[[agent]]
id = "lengthy"
name = "Lengthy"
allowed_origins = ["self"]
models = ["smollm2"]
system_prompt = "You are a novelist. You write long and detailed stories."

[agent.budget]
answer_tokens = 2000
TOML
    "$binary" --config "$tmp/widget.toml" --listen 127.0.0.1:0 --data "$tmp/data" \
        >"$tmp/widgetd.out" 2>"$tmp/widgetd.log" </dev/null &
    widgetd_pid=$!
    widgetd=$(address_of widgetd "$widgetd_pid" 10) || fail "widgetd did not start: $(cat "$tmp/widgetd.out")"
}

# post PATH JSON [CURL OPTION]…: the answer's body; fails, with the answer, unless its status is 2xx.
post() {
    local path=$1 json=$2
    shift 2
    curl --silent --show-error --fail-with-body --no-buffer --max-time 120 --header "Origin: $widgetd" \
        --header 'Content-Type: application/json' --data "$json" "$@" "$widgetd$path"
}

# init AGENT [VISITOR]: sets `session` to the answer and `token` to its token.
init() {
    local request
    request=$(jq --null-input '{agent_id: $ARGS.positional[0], visitor_id: $ARGS.positional[1]} | del(.[] | nulls)' --args "$@")
    session=$(post /v1/widget/init "$request") || fail "init: $session"
    token=$(jq --raw-output .token <<<"$session")
}

as_visitor() {
    post "$@" --header "Authorization: Bearer $token"
}

# holds WHAT CONDITION JSON [JQ OPTION]…: fails unless jq's condition is true of the JSON.
holds() {
    local what=$1 condition=$2 json=$3
    shift 3
    jq --exit-status "$@" "$condition" <<<"$json" >/dev/null || fail "$what: $json"
}

# seconds FROM TO: between two values of EPOCHREALTIME.
seconds() {
    jq --null-input --raw-output "($2 - $1) * 100 | round / 100"
}

print_turn() {
    printf '\nvisitor    %s\nassistant  %s\n           (%s)\n' "$1" "$2" "$3"
}

# One streamed turn: prints it, and appends its texts to `said`.
stream_turn() {
    local content=$1 started=$EPOCHREALTIME first='' line events answer
    : >"$tmp/events"
    while IFS= read -r line; do
        printf '%s\n' "$line" >>"$tmp/events"
        [[ -n $first || $line != 'event: token' ]] || first=$EPOCHREALTIME
    done < <(as_visitor /v1/widget/messages/stream "$(jq --null-input --arg content "$content" '{$content}')")
    local ended=$EPOCHREALTIME
    events=$(sed -n 's/^data: //p' "$tmp/events" | jq --slurp .) || fail "the stream is not one: $(cat "$tmp/events")"
    [ -n "$first" ] || fail "the stream has no token: $(cat "$tmp/events")"
    holds 'the stream does not go from start by tokens to done' \
        '.[0].type == "start" and .[-1].type == "done" and (.[1:-1] | length > 0 and all(.type == "token" and .text != ""))' "$events"
    holds 'the model did not say what it used' '.[-1].usage | .input_tokens > 10 and .output_tokens > 0' "$events"
    answer=$(jq '[.[] | select(.type == "token") | .text] | join("")' <<<"$events")
    said=$(jq --arg content "$content" --argjson answer "$answer" '. + [$content, $answer]' <<<"$said")
    print_turn "$content" "$(jq --raw-output . <<<"$answer")" "first token after $(seconds "$started" "${first:-$ended}") s, all after $(
        seconds "$started" "$ended") s; $(jq --raw-output '.[-1] | "\(.usage.output_tokens) tokens, \(.finish_reason)"' <<<"$events")"
}

# One turn whose answer comes as a whole.
whole_turn() {
    local content=$1 started=$EPOCHREALTIME answer
    answer=$(as_visitor /v1/widget/messages "$(jq --null-input --arg content "$content" '{$content}')") || fail "messages: $answer"
    holds 'the whole answer is not complete' '.message.status == "complete" and (.message.content | length > 0) and .usage.input_tokens > 10' "$answer"
    said=$(jq --arg content "$content" --argjson answer "$answer" '. + [$content, $answer.message.content]' <<<"$said")
    print_turn "$content" "$(jq --raw-output .message.content <<<"$answer")" "whole, after $(seconds "$started" "$EPOCHREALTIME") s; $(
        jq --raw-output '"\(.usage.output_tokens) tokens, \(.finish_reason)"' <<<"$answer")"
}

# How many answers the model server is generating.
generating() {
    curl --silent --show-error --fail "$model/slots" | jq '[.[] | select(.is_processing)] | length'
}

# wait_until SECONDS COMMAND…: until the command succeeds; prints how long that took.
wait_until() {
    local limit=$1 started=$EPOCHREALTIME
    shift
    while ! "$@"; do
        ((${EPOCHREALTIME/./} - ${started/./} < limit * 1000000)) || return 1
        sleep 0.02
    done
    seconds "$started" "$EPOCHREALTIME"
}

has_tokens() {
    (($(grep --count '^event: token' "$tmp/walked-away" || true) >= 10))
}

is_idle() {
    (($(generating) == 0))
}

# Whether the part of the answer that the visitor walked away from is stored. Not asked too often: /init has its limit.
is_partial() {
    sleep 0.2
    init lengthy "$(jq --raw-output .visitor_id <<<"$session")"
    jq --exit-status '.messages[-1].status == "partial"' <<<"$session" >/dev/null
}

# A visitor asks for a long story and leaves after ten tokens: the model must not go on for nobody.
walk_away() {
    local content='Tell me a very long story about a lighthouse, with many chapters.' freed refusal
    init lengthy
    # exec: the process to be killed is curl itself.
    (exec curl --silent --no-buffer --max-time 120 --header "Origin: $widgetd" --header 'Content-Type: application/json' \
        --header "Authorization: Bearer $token" --data "{\"content\":\"$content\"}" "$widgetd/v1/widget/messages/stream") >"$tmp/walked-away" &
    visitor_pid=$!
    wait_until 30 has_tokens >/dev/null || fail "the story does not begin: $(cat "$tmp/walked-away")"
    (($(generating) == 1)) || fail "the model server should be generating one answer: $(curl --silent "$model/slots")"
    refusal=$(as_visitor /v1/widget/messages '{"content":"Are you there?"}' 2>/dev/null) && fail "a second message was taken meanwhile: $refusal"
    holds 'a second message meanwhile' '.status == 409 and .code == "generation_in_progress"' "$refusal"
    kill "$visitor_pid"
    freed=$(wait_until 2 is_idle) || fail "the model server still generates 2 s after the visitor left: $(curl --silent "$model/slots")"
    wait "$visitor_pid" || true
    visitor_pid=''
    wait_until 3 is_partial >/dev/null || fail "the answer is not stored as partial: $session"
    init lengthy "$(jq --raw-output .visitor_id <<<"$session")"
    holds 'the stored part is not what the visitor read' '.messages[-1].content | startswith($read)' "$session" \
        --arg read "$(sed -n 's/^data: //p' "$tmp/walked-away" | jq --raw-input --raw-output --slurp \
            '[split("\n")[] | try fromjson catch empty | select(.type == "token") | .text] | join("")')"
    print_turn "$content" "$(jq --raw-output '.messages[-1].content' <<<"$session") …" \
        "the visitor left; the model server was free again after $freed s"
}

# The visitor comes back, and finds what was said.
resume() {
    local visitor
    visitor=$(jq --raw-output .visitor_id <<<"$1")
    init brief "$visitor"
    holds 'the conversation is not resumed' '.resumed and .visitor_id == $before.visitor_id and .conversation_id == $before.conversation_id' \
        "$session" --argjson before "$1"
    holds 'the messages are not those that were said' '[.messages[].content] == $said' "$session" --argjson said "$said"
    printf '\nresumed, with %s messages:\n' "$(jq '.messages | length' <<<"$session")"
    jq --raw-output '.messages[] | "  \(.created_at)  \(.role)\(if .status then " (\(.status))" else "" end): \(.content | .[0:60] | gsub("\\s+"; " "))"' <<<"$session"
}

stop() {
    local name=$1 pid=$2 code=0
    kill "$pid"
    wait "$pid" || code=$?
    ((code == 0)) || fail "$name ended with exit code $code"
}

start_model
start_widgetd
printf 'widgetd at %s, model server at %s\n' "$widgetd" "$model"

init brief
first_session=$session
holds 'init' '.resumed == false and .messages == []' "$session"
said='[]'
stream_turn 'Hello! My name is Ada and I am looking for a red bicycle.'
stream_turn 'Which size would I need?'
stream_turn 'What was my name again?'
whole_turn 'Thank you. When do you open?'
is_idle || fail 'the model server still generates after the answers have ended'
walk_away
resume "$first_session"

stop widgetd "$widgetd_pid"
widgetd_pid=''
stop 'the model server' "$model_pid"
model_pid=''
printf '\nAll of it went as it should.\n'
