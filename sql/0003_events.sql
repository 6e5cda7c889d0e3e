-- What widgets report: openings, clicks, triggers.

create table events (
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

create unique index events_by_client_id on events (conversation_id, client_id) where client_id is not null;
