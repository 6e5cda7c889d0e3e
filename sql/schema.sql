-- The schema as the numbered files make it. Generated: UPDATE_SCHEMA=1 cargo test schema

CREATE TABLE agent_days (
    agent_id    text not null,
    day         integer not null,           -- UTC, in days since the epoch
    tokens      integer not null default 0, -- charged or reserved
    event_bytes integer not null default 0, -- of stored events
    primary key (agent_id, day)
) strict, without rowid;

CREATE TABLE conversations (
    id            blob not null primary key, -- UUIDv7
    visitor_id    blob not null references visitors (id) on delete cascade,
    agent_id      text not null,
    created_at_ms integer not null,
    active_at_ms  integer not null           -- of the last message, lead or event: what resuming goes by
) strict, without rowid;

CREATE INDEX conversations_of_visitor on conversations (visitor_id, active_at_ms);

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

CREATE TABLE lead_history (
    seq             integer not null primary key,
    lead_id         blob not null references leads (id) on delete cascade,
    conversation_id blob not null,   -- which conversation overwrote it: another visitor may know the address
    changed_at_ms   integer not null,
    old             text not null    -- the values before, a JSON object
) strict;

CREATE INDEX history_of_lead on lead_history (lead_id, seq);

CREATE TABLE leads (
    id              blob not null primary key, -- UUIDv7
    agent_id        text not null,
    email           text not null,             -- trimmed, lower case, domain in punycode
    name            text,
    phone           text,
    company         text,
    message         text,
    fields          text not null default '{}', -- the owner's own fields, a JSON object of strings
    consent         integer,                    -- 1: given; 0: refused; null: not asked
    source          text,
    page_url        text,
    page_title      text,
    page_referrer   text,
    conversation_id blob not null references conversations (id), -- where it was left last
    created_at_ms   integer not null,
    updated_at_ms   integer not null,
    unique (agent_id, email)
) strict, without rowid;

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
) strict;

CREATE UNIQUE INDEX messages_by_client_id on messages (conversation_id, client_message_id)
    where client_message_id is not null;

CREATE UNIQUE INDEX messages_by_question on messages (question_id) where question_id is not null;

CREATE INDEX messages_of_conversation on messages (conversation_id, seq);

CREATE TABLE visitors (
    id            blob not null primary key, -- UUIDv4: what lets a visitor resume, so it is never guessable
    agent_id      text not null,             -- a visitor belongs to one agent; elsewhere the id is unknown
    created_at_ms integer not null           -- all times: milliseconds since the epoch, UTC
) strict, without rowid;
