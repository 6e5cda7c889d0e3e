-- The schema as the numbered files make it. Generated: UPDATE_SCHEMA=1 cargo test schema

CREATE TABLE admin_password (
    id            integer not null primary key check (id = 1), -- there is one
    hash          text not null,                               -- Argon2id, in PHC form
    changed_at_ms integer not null
) strict;

CREATE TABLE admin_sessions (
    token_hash    blob not null primary key, -- SHA-256 of the cookie: who reads the file is not logged in
    created_at_ms integer not null,
    seen_at_ms    integer not null,
    expires_at_ms integer not null
) strict, without rowid;

CREATE TABLE agent_days (
    agent_id    text not null,
    day         integer not null,           -- UTC, in days since the epoch
    tokens      integer not null default 0, -- charged or reserved
    event_bytes integer not null default 0, cost_nanos integer not null default 0, -- of stored events
    primary key (agent_id, day)
) strict, without rowid;

CREATE TABLE consents (
    agent_id text not null,
    version  integer not null,     -- 1 for the agent's first text, one more for each that follows it
    text     text not null,        -- as it stood beside the box
    since_ms integer not null,     -- when it was first agreed to
    primary key (agent_id, version)
) strict, without rowid;

CREATE TABLE conversations (
    id            blob not null primary key, -- UUIDv7
    visitor_id    blob not null references visitors (id) on delete cascade,
    agent_id      text not null,
    created_at_ms integer not null,
    active_at_ms  integer not null           -- of the last message, lead or event: what resuming goes by
, began_at_ms integer, is_unanswered integer not null default 0) strict, without rowid;

CREATE INDEX conversations_by_activity on conversations (active_at_ms);

CREATE INDEX conversations_by_beginning on conversations (began_at_ms, id) where began_at_ms is not null;

CREATE INDEX conversations_of_agent on conversations (agent_id, began_at_ms, id) where began_at_ms is not null;

CREATE INDEX conversations_of_visitor on conversations (visitor_id, active_at_ms);

CREATE INDEX conversations_unanswered on conversations (began_at_ms, id) where is_unanswered = 1;

CREATE TABLE day_counts (
    agent_id text not null,
    day      integer not null,     -- UTC, in days since the epoch
    name     text not null,        -- what is counted: see store/day_counts.rs
    count    integer not null,
    primary key (agent_id, day, name)
) strict, without rowid;

CREATE INDEX day_counts_by_day on day_counts (day);

CREATE TABLE day_refused_origins (
    agent_id text not null,
    day      integer not null,
    origin   text not null,        -- as it was sent, cut at 200 characters; of many in a day the rest counts as '*'
    count    integer not null,
    primary key (agent_id, day, origin)
) strict, without rowid;

CREATE TRIGGER events_lower_marks after delete on events
begin
    update marks set seq = (select coalesce(max(seq), 0) from events)
    where name = 'event_counts' and seq > (select coalesce(max(seq), 0) from events);
end;

CREATE TABLE events (
    seq             integer not null primary key,
    id              blob not null,   -- UUIDv7
    conversation_id blob not null references conversations (id) on delete cascade,
    type            text not null,
    client_id       text,            -- the client's own id: a repetition counts once
    client_time_ms  integer,         -- by the client's clock
    props           text,            -- a JSON object
    page_url        text,
    page_title      text,
    page_referrer   text,
    created_at_ms   integer not null
) strict;

CREATE UNIQUE INDEX events_by_client_id on events (conversation_id, client_id) where client_id is not null;

CREATE INDEX events_of_conversation on events (conversation_id, seq);

CREATE TABLE lead_history (
    seq             integer not null primary key,
    lead_id         blob not null references leads (id) on delete cascade,
    conversation_id blob not null,   -- which conversation overwrote it: another visitor may know the address
    changed_at_ms   integer not null,
    old             text not null    -- the values before, a JSON object
, visitor_id blob) strict;

CREATE INDEX history_of_lead on lead_history (lead_id, seq);

CREATE INDEX history_of_visitor on lead_history (visitor_id);

CREATE TABLE "leads" (
    id               blob not null primary key, -- UUIDv7
    agent_id         text not null,
    email            text not null,             -- trimmed, lower case, domain in punycode
    name             text,
    phone            text,
    company          text,
    message          text,
    fields           text not null default '{}', -- the owner's own fields, a JSON object of strings
    consent          integer,                    -- 1: given; 0: refused; null: not asked
    consent_version  integer,                    -- of the text that was agreed to, in consents
    source           text,
    page_url         text,
    page_title       text,
    page_referrer    text,
    conversation_id  blob references conversations (id) on delete set null, -- where it was left last
    first_visitor_id blob,                       -- who left it first; visitors of earlier conversations are not known
    visitor_id       blob,                       -- who left it last: erased with that visitor
    created_at_ms    integer not null,
    updated_at_ms    integer not null, status text not null default 'new' check (status in ('new', 'contacted', 'won', 'lost')), note text not null default '',
    unique (agent_id, email)
) strict, without rowid;

CREATE INDEX leads_of_agent on leads (agent_id, id);

CREATE INDEX leads_of_conversation on leads (conversation_id);

CREATE INDEX leads_of_first_visitor on leads (first_visitor_id);

CREATE INDEX leads_of_visitor on leads (visitor_id);

CREATE TABLE marks (
    name text not null primary key, -- of a job that goes through rows in their order
    seq  integer not null           -- the last one that it has been through
) strict, without rowid;

CREATE VIRTUAL TABLE message_search using fts5 (
    content, content = 'messages', content_rowid = 'seq', tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TABLE 'message_search_config'(k PRIMARY KEY, v) WITHOUT ROWID;

CREATE TABLE 'message_search_data'(id INTEGER PRIMARY KEY, block BLOB);

CREATE TABLE 'message_search_docsize'(id INTEGER PRIMARY KEY, sz BLOB);

CREATE TABLE 'message_search_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;

CREATE TRIGGER conversations_begin after insert on messages when new.role = 'user'
begin
    update conversations set began_at_ms = new.created_at_ms where id = new.conversation_id and began_at_ms is null;
end;

CREATE TRIGGER conversations_go_unanswered after insert on messages when new.is_unanswered = 1
begin
    update conversations set is_unanswered = 1 where id = new.conversation_id;
end;

CREATE TRIGGER messages_lower_marks after delete on messages
begin
    update marks set seq = (select coalesce(max(seq), 0) from messages)
    where name in ('message_search', 'message_counts') and seq > (select coalesce(max(seq), 0) from messages);
end;

CREATE TABLE messages (
    seq               integer not null primary key, -- the order of commits: the order of a conversation
    id                blob not null unique,         -- UUIDv7
    conversation_id   blob not null references conversations (id) on delete cascade,
    role              text not null check (role in ('user', 'assistant')),
    content           text not null,
    created_at_ms     integer not null,
    -- of a visitor's message
    client_message_id text,                         -- the client's own id: a repetition never asks the model twice
    charged_tokens    integer,                      -- reserved when it was accepted, what was used once it is answered
    charged_at_ms     integer,                      -- when it was last asked: the window and the day that it counts in
    page_url          text,
    page_title        text,
    page_referrer     text,
    -- of an answer
    question_id       blob,                         -- messages.id of what it answers
    status            text check (status in ('complete', 'partial')),
    finish_reason     text,
    input_tokens      integer,
    output_tokens     integer,
    model             text                          -- the model of widget.toml that answered; empty: none did to the end
, charged_nanos integer, first_token_ms integer, is_unanswered integer) strict;

CREATE UNIQUE INDEX messages_by_client_id on messages (conversation_id, client_message_id)
    where client_message_id is not null;

CREATE UNIQUE INDEX messages_by_question on messages (question_id) where question_id is not null;

CREATE INDEX messages_of_conversation on messages (conversation_id, seq);

CREATE INDEX messages_unanswered on messages (seq) where is_unanswered = 1;

CREATE TABLE paused_agents (
    agent_id     text not null primary key,
    paused_at_ms integer not null
) strict, without rowid;

CREATE TABLE visitors (
    id            blob not null primary key, -- UUIDv4: what lets a visitor resume, so it is never guessable
    agent_id      text not null,             -- a visitor belongs to one agent; elsewhere the id is unknown
    created_at_ms integer not null           -- all times: milliseconds since the epoch, UTC
) strict, without rowid;

CREATE TABLE webhook_deliveries (
    seq                integer not null primary key, -- the order of commits
    id                 blob not null unique,         -- UUIDv7; the same at each attempt
    event_id           blob not null,                -- UUIDv7; the same for all webhooks that are told of it
    webhook            text not null,                -- its name in widget.toml
    type               text not null,                -- lead.captured, lead.updated, conversation.unanswered, webhook.test
    payload            text not null,                -- what happened, as it was then, in JSON: posted so, or made a chat's message
    visitor_id         blob,                         -- who spoke: it is erased with the visitor,
    conversation_id    blob,                         -- with the conversation,
    lead_id            blob,                         -- and with the lead that it tells of, which others may have left too
    status             text not null default 'pending' check (status in ('pending', 'delivered', 'dead')),
    attempts           integer not null default 0,
    next_attempt_at_ms integer,                      -- of a pending one; 0: at once, whatever the clock does
    last_error         text,                         -- of the latest attempt that failed
    created_at_ms      integer not null,
    ended_at_ms        integer                       -- when it was delivered or given up
) strict;

CREATE INDEX webhook_deliveries_due on webhook_deliveries (webhook, next_attempt_at_ms) where status = 'pending';

CREATE INDEX webhook_deliveries_ended on webhook_deliveries (status, ended_at_ms) where ended_at_ms is not null;

CREATE INDEX webhook_deliveries_of_conversation on webhook_deliveries (conversation_id) where conversation_id is not null;

CREATE INDEX webhook_deliveries_of_lead on webhook_deliveries (lead_id) where lead_id is not null;

CREATE INDEX webhook_deliveries_of_visitor on webhook_deliveries (visitor_id) where visitor_id is not null;
