-- What the owner's own servers are told, and how that went.

create table webhook_deliveries (
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

create index webhook_deliveries_due on webhook_deliveries (webhook, next_attempt_at_ms) where status = 'pending';

create index webhook_deliveries_ended on webhook_deliveries (status, ended_at_ms) where ended_at_ms is not null;

create index webhook_deliveries_of_visitor on webhook_deliveries (visitor_id) where visitor_id is not null;

create index webhook_deliveries_of_conversation on webhook_deliveries (conversation_id) where conversation_id is not null;

create index webhook_deliveries_of_lead on webhook_deliveries (lead_id) where lead_id is not null;
