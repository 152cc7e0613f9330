-- A stream's name says whose it is. An event in it that says to be another's was put there, or the stream moved, by somebody who may write into the
-- table: a verification of the audit log asks for such, and this index, which is else empty, knows each at once.
create index event_stranger on log.event (split_part(substr(stream, strpos(stream, '-') + 1), ':', 1), position)
  where split_part(substr(stream, strpos(stream, '-') + 1), ':', 1) <> workspace;
