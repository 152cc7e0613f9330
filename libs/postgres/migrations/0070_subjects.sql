-- The keys that personal data is sealed with: one for each subject and workspace, wrapped by the master key (docs/decisions/0011).
create schema subject;

create table subject.key (
  workspace  text collate "C" not null,
  subject    text collate "C" not null,
  -- From 1. After an erasure the next one is for what is new: what an older one sealed stays unreadable.
  generation integer not null,
  -- Null once it was destroyed; the row stays, so that no key of its name is ever made again.
  box        text,
  created_at timestamptz not null default now(),
  erased_at  timestamptz,
  primary key (workspace, subject, generation),
  check ((box is null) = (erased_at is not null))
);
-- One live key for each subject, whoever makes it first.
create unique index key_live on subject.key (workspace, subject) where box is not null;
