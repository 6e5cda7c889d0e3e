-- Who wants to be contacted: one row for each agent and email address.

create table leads (
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

create table lead_history (
    seq             integer not null primary key,
    lead_id         blob not null references leads (id) on delete cascade,
    conversation_id blob not null,   -- which conversation overwrote it: another visitor may know the address
    changed_at_ms   integer not null,
    old             text not null    -- the values before, a JSON object
) strict;

create index history_of_lead on lead_history (lead_id, seq);
