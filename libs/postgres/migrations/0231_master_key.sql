-- What the master key closed at the first start: a process that cannot open it was given another key.
create table secret.master_key (
  one boolean primary key default true check (one),
  proof text not null
);
