#!/usr/bin/env bash
# Walks every endpoint of a running widgetd and says what works.
#
#   scripts/smoke.sh                            starts widgetd on a free port with ./widget.toml, and stops it
#   scripts/smoke.sh https://chat.example.com   checks a server that is running, after a deployment for example
#
# Needs curl, jq and openssl; to start widgetd also target/release/widgetd, which it builds if it is missing.
# Prints a line a check, "ok    NAME", "FAIL  NAME: what was seen" or "skip  NAME: why", then the count. Exits with 1 if
# a check failed, with 2 if none could be made. Takes a few seconds.
#
# Environment:
#   AGENT               the agent that is talked to                   (default: demo)
#   ORIGIN              an origin that it allows                      (default: that of the server)
#   WIDGETD             the binary to start                           (default: target/release/widgetd)
#   WIDGETD_JWT_SECRET  the server's signing key, if it is set there: an expired token is then tried too
#
# On a running server it leaves a conversation of two messages (which cost tokens if a real model answers), a lead
# smoke-…@example.com and a few events. Leads are limited to ten a minute for each address: more than two runs a minute
# fail there.
# shellcheck disable=SC2016 # a $ in single quotes is jq's
set -euo pipefail
export LC_ALL=C

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
base=${1:-}
base=${base%/}
agent=${AGENT:-demo}
refused_origin=https://not-allowed.invalid
passed=0 failed=0 skipped=0
server_pid=

stop_here() {
    printf 'smoke.sh: %s\n' "$*" >&2
    exit 2
}

for tool in curl jq openssl; do
    command -v "$tool" >/dev/null || stop_here "needs $tool: install it with your package manager"
done

tmp=$(mktemp -d)
clean_up() {
    if [ -n "$server_pid" ]; then
        kill "$server_pid" 2>/dev/null || true
        wait "$server_pid" 2>/dev/null || true
    fi
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Serves on a free port, from a folder that goes with this script, and sets `base` to the address that it prints.
start_server() {
    local binary=${WIDGETD:-${CARGO_TARGET_DIR:-$project/target}/release/widgetd}
    if [ ! -x "$binary" ]; then
        [ -z "${WIDGETD:-}" ] || stop_here "cannot run $binary"
        (cd "$project" && cargo build --release --locked) || stop_here "widgetd could not be built"
    fi
    WIDGETD_JWT_SECRET=${WIDGETD_JWT_SECRET:-$(openssl rand -hex 32)}
    export WIDGETD_JWT_SECRET
    : >"$tmp/stdout" # it is read before the server may have opened it
    "$binary" --config "$project/widget.toml" --listen 127.0.0.1:0 --data "$tmp/data" \
        >"$tmp/stdout" 2>"$tmp/stderr" </dev/null &
    server_pid=$!
    for ((tries = 0; tries < 200; tries++)); do
        base=$(sed -nE 's#.*(http://127\.0\.0\.1:[0-9]+).*#\1#p' "$tmp/stdout" | head -n 1)
        [ -z "$base" ] || return 0
        kill -0 "$server_pid" 2>/dev/null || break
        sleep 0.05
    done
    cat "$tmp/stdout" "$tmp/stderr" >&2
    stop_here "widgetd did not start"
}

# ask METHOD PATH [CURL OPTION]…: sets `answer` to {status, headers, body, events?} as JSON.
ask() {
    local method=$1 path=$2
    shift 2
    : >"$tmp/head"
    : >"$tmp/body"
    curl --silent --show-error --max-time 60 --request "$method" --dump-header "$tmp/head" --output "$tmp/body" \
        "$@" "$base$path" 2>"$tmp/error" || true
    # The last head is the answer's: there may be a 100 before it.
    answer=$(jq --null-input --rawfile head "$tmp/head" --rawfile body "$tmp/body" --rawfile error "$tmp/error" '
        ($head | split("\r\n\r\n") | map(select(. != "")) | last // "" | split("\r\n")) as $lines
        | {
            status: ($lines[0] // "" | split(" ")[1] // "0" | tonumber),
            headers: (reduce ($lines[1:][] | capture("^(?<name>[^:]+):[ \t]*(?<value>.*)$")) as $header
                ({}; .[$header.name | ascii_downcase] |= if . then "\(.), \($header.value)" else $header.value end)),
            body: (if $body == "" then null else $body | . as $text | try fromjson catch $text end),
            error: $error
          }
        | if .headers["content-type"] // "" | startswith("text/event-stream") then
            .events = [$body | split("\n")[] | select(startswith("data: ")) | ltrimstr("data: ") | fromjson]
            | .names = [$body | split("\n")[] | select(startswith("event: ")) | ltrimstr("event: ")]
          else . end')
}

# Asks as a page on the allowed origin does.
post() {
    local path=$1 json=$2
    shift 2
    ask POST "$path" --header "Origin: $origin" --header 'Content-Type: application/json' --data "$json" "$@"
}

# … with the visitor's token.
say() {
    post "$@" --header "Authorization: Bearer $token"
}

# Words for `expect`.
words='
    def is($status): .status == $status and .headers["x-request-id"] != null
        and .headers["x-content-type-options"] == "nosniff";
    def problem($status; $code): is($status) and .body.status == $status and .body.code == $code
        and (.headers["content-type"] | startswith("application/problem+json"))
        and .body.request_id == .headers["x-request-id"] and (.body.detail | length > 0);
    def readable: .headers["access-control-allow-origin"] == $origin and (.headers.vary // "" | test("Origin"))
        and (.headers["access-control-expose-headers"] | test("Retry-After"));
    def unreadable: .headers["access-control-allow-origin"] == null;
    def waits: .headers["retry-after"] // "" | test("^[1-9][0-9]*$");
    def limited: (.headers.ratelimit // "" | test("r=[0-9]+")) and (.headers["ratelimit-policy"] // "" | test("q=[0-9]+"));
    def text: [.events[] | select(.type == "token") | .text] | join("");
'

# expect NAME CONDITION [JQ OPTION]…: the condition is jq's, over the last answer.
expect() {
    local name=$1 condition=$2
    shift 2
    if jq --exit-status --arg origin "$origin" "$@" "$words $condition" <<<"$answer" >/dev/null 2>&1; then
        passed=$((passed + 1))
        printf 'ok    %s\n' "$name"
    else
        failed=$((failed + 1))
        printf 'FAIL  %s: %s\n' "$name" "$(jq --raw-output 'del(.events, .names) | tostring | .[0:700]' <<<"$answer")"
    fi
}

skip() {
    skipped=$((skipped + 1))
    printf 'skip  %s: %s\n' "$1" "$2"
}

# What jq finds in the last answer.
get() {
    jq --raw-output "$1" <<<"$answer"
}

base64url() {
    openssl base64 -A | tr '+/' '-_' | tr -d '='
}

# The key's block (RFC 2104, section 2) with each byte xor $2, as printf's escapes.
padded_key() {
    local hex=$1 index
    for ((index = 0; index < 128; index += 2)); do
        printf '\\x%02x' $((16#${hex:index:2} ^ $2))
    done
}

# hmac_sha256 SECRET <message: by hand, since openssl takes a key only as an argument, where `ps` shows it.
hmac_sha256() {
    local hex
    hex=$(printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n')
    if ((${#hex} > 128)); then
        hex=$(printf '%s' "$1" | openssl dgst -sha256 -binary | od -An -v -tx1 | tr -d ' \n')
    fi
    while ((${#hex} < 128)); do hex+=00; done
    {
        printf '%b' "$(padded_key "$hex" 0x5c)"
        {
            printf '%b' "$(padded_key "$hex" 0x36)"
            cat
        } | openssl dgst -sha256 -binary
    } | openssl dgst -sha256 -binary
}

# forge HEADER CLAIMS SECRET: a token; without a secret its signature is empty.
forge() {
    local unsigned signature=
    unsigned=$(printf '%s' "$1" | base64url).$(printf '%s' "$2" | base64url)
    [ -z "$3" ] || signature=$(printf '%s' "$unsigned" | hmac_sha256 "$3" | base64url)
    printf '%s.%s' "$unsigned" "$signature"
}

# part N TOKEN: its header (0) or its claims (1).
part() {
    jq --raw-input --compact-output --argjson part "$1" \
        'split(".")[$part] | gsub("-"; "+") | gsub("_"; "/") | . + "=" * ((4 - length % 4) % 4) | @base64d | fromjson' <<<"$2"
}

check_operations() {
    ask GET /healthz
    [ "$(get .status)" != 0 ] || stop_here "$base does not answer: $(get .error)"
    expect 'healthz answers' 'is(200) and .body == {status: "ok"}'
    ask GET /readyz
    expect 'readyz is ready' 'is(200) and .body.status == "ready" and .body.storage == "ok" and (.body.models | type == "array")'
    ask GET /openapi.json
    expect 'openapi.json describes the API' \
        'is(200) and (.body.openapi | startswith("3.1")) and .body.paths["/v1/widget/messages/stream"].post != null'
    ask GET /
    expect 'the demo page is there, or nothing is' \
        '(is(200) and (.headers["content-type"] | startswith("text/html"))) or problem(404; "not_found")'
    ask GET /v1/widget/nothing
    expect 'an unknown path is 404' 'problem(404; "not_found")'
}

check_origins() {
    ask OPTIONS /v1/widget/leads --header "Origin: $origin" --header 'Access-Control-Request-Method: POST'
    expect 'a preflight from an allowed origin passes' \
        'is(204) and readable and (.headers["access-control-allow-headers"] | test("Authorization")) and .headers["access-control-max-age"] == "7200"'
    ask GET "/v1/widget/check?agent_id=$agent" --header "Origin: $origin"
    expect 'check allows the allowed origin' 'is(200) and .body.allowed == true and .body.hint == null'
    ask POST /v1/widget/init --header 'Content-Type: application/json' --data "$init"
    expect 'init without an origin is refused' 'problem(403; "origin_missing")'
    # The last one, because the answer decides what follows.
    ask GET "/v1/widget/check?agent_id=$agent" --header "Origin: $refused_origin"
    if [ -z "$server_pid" ] && [ "$(get .body.allowed)" = true ]; then
        skip 'refused origins' "agent \"$agent\" allows every origin"
        return
    fi
    expect 'check says what to add for a refused origin' \
        'is(200) and .body.allowed == false and (.body.hint | contains($refused)) and .headers["access-control-allow-origin"] == "*"' \
        --arg refused "$refused_origin"
    ask OPTIONS /v1/widget/leads --header "Origin: $refused_origin" --header 'Access-Control-Request-Method: POST'
    if [ "$(get .status)" = 204 ] && [ -z "$server_pid" ]; then
        skip 'a preflight from a refused origin is refused' 'another agent of this server allows every origin'
    else
        expect 'a preflight from a refused origin is refused' 'problem(403; "origin_not_allowed") and unreadable'
    fi
    ask POST /v1/widget/init --header "Origin: $refused_origin" --header 'Content-Type: application/json' --data "$init"
    expect 'init from a refused origin says what to do' \
        'problem(403; "origin_not_allowed") and unreadable and (.body.detail | contains($refused))' --arg refused "$refused_origin"
    ask GET "/v1/widget/config?agent_id=$agent" --header "Origin: $refused_origin"
    expect 'config is refused to a refused origin' 'problem(403; "origin_not_allowed") and unreadable'
    ask POST /v1/widget/leads --header "Origin: $refused_origin" --header 'Content-Type: application/json' \
        --header "Authorization: Bearer $token" --data '{}'
    expect 'a token is of no use on another site' 'problem(403; "origin_not_allowed") and unreadable'
}

# Sets `token`, `visitor` and `conversation`.
check_init() {
    post /v1/widget/init "$init"
    expect 'init begins a conversation' \
        'is(200) and readable and limited and .body.resumed == false and .body.messages == [] and .body.token_type == "Bearer" and .body.expires_in == 3600'
    expect 'init tells nothing but the looks of the agent' \
        '.body.agent | .id == $agent and (keys - ["id", "name", "language", "direction", "greeting", "starter_prompts", "theme", "lead_form", "rules", "restricted_paths", "strings"] == [])' \
        --arg agent "$agent"
    token=$(get '.body.token // ""')
    visitor=$(get '.body.visitor_id // ""')
    conversation=$(get '.body.conversation_id // ""')
    messages_remaining=$(get '.body.budget.messages_remaining // 0')
    if [ -z "$token" ]; then
        printf '%s\n' "There is no token, so nothing else can be checked. Does agent \"$agent\" allow the origin $origin?" \
            "Set AGENT and ORIGIN to what the server has." >&2
        finish
    fi
    ask POST /v1/widget/init --header "Origin: $origin" --header 'Content-Type: text/plain' --data "$init"
    expect 'init takes text/plain' 'is(200)'
    post /v1/widget/init '{"agent_id":"no-such-agent"}'
    expect 'an unknown agent is 404' 'problem(404; "agent_not_found")'
}

check_config() {
    ask GET "/v1/widget/config?agent_id=$agent" --header "Origin: $origin"
    expect 'config shows the agent' \
        'is(200) and readable and .body.id == $agent and (.headers["cache-control"] | test("max-age=300")) and .headers.etag != null' \
        --arg agent "$agent"
    ask GET "/v1/widget/config?agent_id=$agent" --header "Origin: $origin" --header "If-None-Match: $(get .headers.etag)"
    expect 'config is 304 when unchanged' 'is(304) and .body == null'
}

check_refusals() {
    ask GET /v1/widget/init
    expect 'another method is 405' 'problem(405; "method_not_allowed") and (.headers.allow | test("POST"))'
    head -c 70000 /dev/zero | tr '\0' a >"$tmp/large"
    ask POST /v1/widget/init --header "Origin: $origin" --header 'Content-Type: application/json' --data-binary "@$tmp/large"
    expect 'a body over 64 KiB is 413' 'problem(413; "body_too_large")'
    ask POST /v1/widget/init --header "Origin: $origin" --header 'Content-Type: text/html' --data "$init"
    expect 'another media type is 415' 'problem(415; "unsupported_media_type") and readable'
    post /v1/widget/init '{"agent_id":'
    expect 'a broken body is 400' 'problem(400; "invalid_json") and readable'
    say /v1/widget/messages '{"content":"  ","page":{"url":1}}'
    expect 'every bad field is named' 'problem(422; "validation_failed") and ([.body.errors[].field] | sort == ["content", "page.url"])'
}

check_tokens() {
    local header claims now key
    post /v1/widget/events '{"type":"custom.smoke"}'
    expect 'no token is 401, and a page can read it' 'problem(401; "missing_token") and readable and (.headers["www-authenticate"] | startswith("Bearer"))'
    header=$(part 0 "$token")
    claims=$(part 1 "$token")
    expect 'the token says what it should' \
        '$header.alg == "HS256" and $header.typ == "JWT" and ($header | has("kid")) and $claims.iss == "widget" and $claims.sub == $visitor
         and $claims.cid == $conversation and $claims.exp - $claims.iat == 3600 and ($claims | has("jti"))' \
        --argjson header "$header" --argjson claims "$claims" --arg visitor "$visitor" --arg conversation "$conversation"
    use_forged "$header" "$claims" 'another key, that is thirty-two bytes long'
    expect 'a token signed with another key is 401' 'problem(401; "invalid_token") and readable'
    use_forged "$(jq --compact-output '.alg = "none"' <<<"$header")" "$claims" ''
    expect 'a token that is not signed is 401' 'problem(401; "invalid_token")'
    if [ -z "${WIDGETD_JWT_SECRET:-}" ]; then
        skip 'an expired token is 401' 'set WIDGETD_JWT_SECRET to the key of the server to have one signed'
        return
    fi
    # Of several, separated by commas, the first signs; the spaces around it are not its own.
    read -r key <<<"${WIDGETD_JWT_SECRET%%,*}"
    now=$(date +%s)
    use_forged "$header" "$(jq --compact-output --argjson now "$now" '.iat = $now - 10 | .exp = .iat + 3600' <<<"$claims")" "$key"
    expect 'a token signed here with the key of the server passes' 'is(202)'
    # A minute late, for clocks that differ.
    use_forged "$header" "$(jq --compact-output --argjson now "$now" '.iat = $now - 3660 | .exp = .iat + 3600' <<<"$claims")" "$key"
    expect 'an expired token is 401' 'problem(401; "expired_token") and readable'
}

use_forged() {
    post /v1/widget/events '{"type":"custom.smoke"}' --header "Authorization: Bearer $(forge "$@")"
}

check_messages() {
    ask GET /v1/widget/stream-test --header "Origin: $origin" --header "Authorization: Bearer $token"
    expect 'a stream test tells who asks, and ticks' \
        'is(200) and readable and .names == ["seen", "tick", "tick", "tick", "tick"] and [.events[].number] == [1, 2, 3, 4, 5]'
    local question='{"content":"What is this?","client_message_id":"smoke-1"}' streamed message_id
    say /v1/widget/messages/stream "$question" --no-buffer
    expect 'a streamed answer starts, tells tokens and is done' \
        'is(200) and readable and limited and (.headers["cache-control"] | test("no-transform")) and (.names == [.events[].type])
         and .names[0] == "start" and .names[-1] == "done" and (.names[1:-1] | length > 0 and all(. == "token")) and (text | length > 0)'
    expect 'the budget counts it' '.events[-1].budget.messages_remaining == $before - 1 and .events[-1].usage.output_tokens >= 0' \
        --argjson before "$messages_remaining"
    streamed=$(get "$words text")
    message_id=$(get '.events[0].message_id')
    say /v1/widget/messages/stream "$question"
    expect 'the same message again gives the stored answer' \
        'is(200) and text == $streamed and .events[0].message_id == $id' --arg streamed "$streamed" --arg id "$message_id"
    say /v1/widget/messages '{"content":"And this?","client_message_id":"smoke-1"}'
    expect 'its id for another message is 422' 'problem(422; "idempotency_mismatch")'
    say /v1/widget/messages '{"content":"Thank you. And how do I begin?"}'
    expect 'a whole answer comes as one document' \
        'is(200) and .body.message.role == "assistant" and .body.message.status == "complete" and (.body.message.content | length > 0)'
    post /v1/widget/init "$(jq --compact-output --arg visitor "$visitor" '.visitor_id = $visitor' <<<"$init")"
    expect 'init resumes the conversation' \
        'is(200) and .body.resumed == true and .body.conversation_id == $conversation and .body.visitor_id == $visitor
         and [.body.messages[].role] == ["user", "assistant", "user", "assistant"]' \
        --arg conversation "$conversation" --arg visitor "$visitor"
    expect 'what was streamed is what is stored' '.body.messages[1] | .id == $id and .content == $streamed' \
        --arg streamed "$streamed" --arg id "$message_id"
    post /v1/widget/init "$(jq --compact-output --arg visitor "$visitor" '.visitor_id = $visitor | .new_conversation = true' <<<"$init")"
    expect 'a new conversation can be asked for' \
        '.body.resumed == false and .body.conversation_id != $conversation and .body.visitor_id == $visitor' \
        --arg conversation "$conversation" --arg visitor "$visitor"
    post /v1/widget/init "$(jq --compact-output '.visitor_id = "00000000-0000-4000-8000-000000000000"' <<<"$init")"
    expect 'nobody chooses a visitor id' '.body.resumed == false and .body.visitor_id != "00000000-0000-4000-8000-000000000000"'
}

check_leads() {
    local name email lead_id count
    name=smoke-$(date +%s)-$$
    email=$name@example.com
    say /v1/widget/leads "{\"email\":\"$email\",\"name\":\"Smoke\",\"source\":\"form\",\"consent\":true}"
    expect 'a new lead is 201' 'is(201) and readable and limited and .body.lead.created == true and .body.lead.email == $email' --arg email "$email"
    lead_id=$(get '.body.lead.id')
    say /v1/widget/leads "{\"email\":\"${name^^}@Example.COM\",\"company\":\"Smoke & Sons\"}"
    expect 'the same address again is 200 and the same lead' \
        'is(200) and .body.lead.created == false and .body.lead.id == $id and .body.lead.email == $email' --arg id "$lead_id" --arg email "$email"
    say /v1/widget/leads '{"email":"nobody"}'
    expect 'what is no address is 422' 'problem(422; "validation_failed") and .body.errors[0].field == "email"'
    for ((count = 3; count <= 5; count++)); do
        say /v1/widget/leads "{\"email\":\"$email\"}"
    done
    expect 'the fifth lead in a minute passes' 'is(200)'
    say /v1/widget/leads "{\"email\":\"$email\"}"
    expect 'the sixth is 429 and says when to come back' 'problem(429; "rate_limited") and readable and waits and limited'
}

check_events() {
    say /v1/widget/events '{"type":"launcher_open","id":"smoke-1","props":{"from":"smoke.sh"}}'
    expect 'an event is 202' 'is(202) and readable and limited and .body.accepted == 1'
    say /v1/widget/events '{"events":[{"type":"cta_click"},{"type":"custom.smoke"}]}'
    expect 'a batch of events is 202' 'is(202) and .body.accepted == 2'
    say /v1/widget/events '{"type":"no_such_type"}'
    expect 'an unknown event is 422' 'problem(422; "validation_failed") and .body.errors[0].field == "type"'
}

check_stop() {
    local code=0
    kill "$server_pid"
    wait "$server_pid" || code=$?
    server_pid=
    answer=$(jq --null-input --arg code "$code" --rawfile log "$tmp/stderr" '{code: $code, log: $log}')
    expect 'SIGTERM stops it with exit code 0' '.code == "0"'
}

finish() {
    printf '%s passed, %s failed' "$passed" "$failed"
    ((skipped == 0)) || printf ', %s skipped' "$skipped"
    printf '\n'
    ((failed == 0)) && exit 0 || exit 1
}

[ -n "$base" ] || start_server
origin=${ORIGIN:-$(sed -E 's#^([a-z]+://[^/]+).*#\1#' <<<"$base")}
init=$(jq --null-input --compact-output --arg agent "$agent" '{agent_id: $agent, page: {url: "https://www.example.com/", title: "smoke.sh"}}')

check_operations
check_init
check_origins
check_config
check_refusals
check_tokens
check_messages
check_leads
check_events
[ -z "$server_pid" ] || check_stop
finish
