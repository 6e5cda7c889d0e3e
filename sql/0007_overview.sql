-- What the owner sees at a glance and searches in: sums of each day, refusals, the index of what was said. Kept up behind
-- the writes that it is made of, so that no visitor waits for it.

create table day_counts (
    agent_id text not null,
    day      integer not null,     -- UTC, in days since the epoch
    name     text not null,        -- what is counted: see store/day_counts.rs
    count    integer not null,
    primary key (agent_id, day, name)
) strict, without rowid;

create index day_counts_by_day on day_counts (day);

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

-- A number that was the highest is given out again after its row is gone: no mark may stand above it.
create trigger messages_lower_marks after delete on messages
begin
    update marks set seq = (select coalesce(max(seq), 0) from messages)
    where name in ('message_search', 'message_counts') and seq > (select coalesce(max(seq), 0) from messages);
end;

create trigger events_lower_marks after delete on events
begin
    update marks set seq = (select coalesce(max(seq), 0) from events)
    where name = 'event_counts' and seq > (select coalesce(max(seq), 0) from events);
end;

create index messages_unanswered on messages (seq) where is_unanswered = 1;

create index events_of_conversation on events (conversation_id, seq);

-- What lists of conversations go by: most of the rows are of visitors who never wrote.
alter table conversations add column began_at_ms integer;                      -- when the visitor first wrote
alter table conversations add column is_unanswered integer not null default 0; -- 1: some answer did not know

create trigger conversations_begin after insert on messages when new.role = 'user'
begin
    update conversations set began_at_ms = new.created_at_ms where id = new.conversation_id and began_at_ms is null;
end;

create trigger conversations_go_unanswered after insert on messages when new.is_unanswered = 1
begin
    update conversations set is_unanswered = 1 where id = new.conversation_id;
end;

update conversations set began_at_ms = (
    select created_at_ms from messages where conversation_id = conversations.id and role = 'user' order by seq limit 1
);

create index conversations_by_beginning on conversations (began_at_ms, id) where began_at_ms is not null;

create index conversations_of_agent on conversations (agent_id, began_at_ms, id) where began_at_ms is not null;

create index conversations_unanswered on conversations (began_at_ms, id) where is_unanswered = 1;

create index leads_of_agent on leads (agent_id, id);

insert into day_counts (agent_id, day, name, count)
select agent_id, created_at_ms / 86400000, 'leads', count(*) from leads group by 1, 2;

alter table leads add column status text not null default 'new' check (status in ('new', 'contacted', 'won', 'lost'));

alter table leads add column note text not null default ''; -- the owner's own
