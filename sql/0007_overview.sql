-- What the owner sees at a glance and searches in: sums of each day, refusals, the index of what was said. Kept up behind
-- the writes that it is made of, so that no visitor waits for it.

create table day_counts (
    agent_id text not null,
    day      integer not null,     -- UTC, in days since the epoch
    name     text not null,        -- what is counted: see store/day_counts.rs
    count    integer not null,
    primary key (agent_id, day, name)
) strict, without rowid;

create table day_refused_origins (
    agent_id text not null,
    day      integer not null,
    origin   text not null,        -- as it was sent, cut at 200 characters; of many in a day the rest counts as '*'
    count    integer not null,
    primary key (agent_id, day, origin)
) strict, without rowid;

create table marks (
    name text not null primary key, -- of a job that goes through rows in their order
    seq  integer not null           -- the last one that it has been through
) strict, without rowid;

create virtual table message_search using fts5 (
    content, content = 'messages', content_rowid = 'seq', tokenize = 'unicode61 remove_diacritics 2'
);

-- Else deleted words stay in the index's pages.
insert into message_search (message_search, rank) values ('secure-delete', 1);

create index messages_unanswered on messages (seq) where is_unanswered = 1;

alter table leads add column status text not null default 'new' check (status in ('new', 'contacted', 'won', 'lost'));

alter table leads add column note text not null default ''; -- the owner's own
