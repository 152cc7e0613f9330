-- What the api keeps for itself: keys, answers under Idempotency-Keys, counters of requests.
create schema api;

create table api.setting (
  name text primary key,
  value text not null
);

create table api.key (
  workspace text not null,
  id text not null,
  name text not null,
  kind text not null check (kind in ('service', 'client')),
  scopes text[] not null,
  hash text not null unique, -- keyed HMAC of the key's text
  created_at timestamptz not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  primary key (workspace, id)
);
create index key_newest on api.key (workspace, created_at desc, id desc) where revoked_at is null;

create table api.idempotency (
  workspace text not null,
  key text not null,
  fingerprint text not null,       -- of method, path and body
  at timestamptz not null,         -- feeds the ids derived from the key
  epoch int not null default 1,    -- rises with each holder; only the present one may answer
  lease_until timestamptz not null, -- a holder that is silent for longer has died
  answer text,                     -- encrypted: status, headers, body
  primary key (workspace, key)
);
create index idempotency_age on api.idempotency (at);

create table api.rate (
  workspace text not null,
  key_id text not null,
  window_start timestamptz not null,
  used int not null,
  primary key (workspace, key_id)
);
