-- Who may see the admin page.

create table admin_password (
    id            integer not null primary key check (id = 1), -- there is one
    hash          text not null,                               -- Argon2id, in PHC form
    changed_at_ms integer not null
) strict;

create table admin_sessions (
    token_hash    blob not null primary key, -- SHA-256 of the cookie: who reads the file is not logged in
    created_at_ms integer not null,
    seen_at_ms    integer not null,
    expires_at_ms integer not null
) strict, without rowid;
