-- What a visitor agreed to, whose words a lead holds, and finding what must be deleted. A lead outlives its conversation.

create table consents (
    agent_id text not null,
    version  integer not null,     -- 1 for the agent's first text, one more for each that follows it
    text     text not null,        -- as it stood beside the box
    since_ms integer not null,     -- when it was first agreed to
    primary key (agent_id, version)
) strict, without rowid;

create table new_leads (
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
    updated_at_ms    integer not null,
    unique (agent_id, email)
) strict, without rowid;

insert into new_leads
    select id, agent_id, email, name, phone, company, message, fields, consent, null, source, page_url, page_title,
           page_referrer, conversation_id,
           case when exists (select 1 from lead_history where lead_id = leads.id) then null
                else (select visitor_id from conversations where conversations.id = leads.conversation_id) end,
           (select visitor_id from conversations where conversations.id = leads.conversation_id),
           created_at_ms, updated_at_ms
    from leads;

drop table leads;

alter table new_leads rename to leads;

create index leads_of_conversation on leads (conversation_id);

create index leads_of_visitor on leads (visitor_id);

create index leads_of_first_visitor on leads (first_visitor_id);

alter table lead_history add column visitor_id blob; -- whose values took the place of the old ones

update lead_history set visitor_id =
    (select visitor_id from conversations where conversations.id = lead_history.conversation_id);

create index history_of_visitor on lead_history (visitor_id);

create index conversations_by_activity on conversations (active_at_ms);
