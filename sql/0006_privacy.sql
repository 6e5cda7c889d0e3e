-- What a visitor agreed to, and finding what must be deleted.

create table consents (
    agent_id text not null,
    version  integer not null,     -- 1 for the agent's first text, one more for each that follows it
    text     text not null,        -- as it stood beside the box
    since_ms integer not null,     -- when it was first agreed to
    primary key (agent_id, version)
) strict, without rowid;

alter table leads add column consent_version integer; -- of the text that was agreed to, in consents

create index leads_of_conversation on leads (conversation_id);

create index conversations_by_activity on conversations (active_at_ms);
