-- What answers cost in money, how fast they came, and which agents are paused.

-- A billionth of the currency that [ceiling] names: a token costs a fraction of a millionth.
alter table messages add column charged_nanos integer;    -- of a visitor's message: reserved, then used, like charged_tokens
alter table messages add column first_token_ms integer;   -- of an answer: from the question's acceptance to the first word
alter table messages add column is_unanswered integer;    -- of an answer: 1: it says that it does not know

alter table agent_days add column cost_nanos integer not null default 0; -- charged or reserved

create table paused_agents (
    agent_id     text not null primary key,
    paused_at_ms integer not null
) strict, without rowid;
