-- Lists find a page in the index alone: what a filter by type leaves out is not looked at (docs/decisions/0014).
drop index delivery.delivery_newest;
create index delivery_newest on delivery.delivery (endpoint, id, type);
drop index delivery.delivery_state;
create index delivery_state on delivery.delivery (endpoint, state, id, type) where state is not null;

-- A position below which lies every entry of a workspace with a time before `in_at`, whatever clocks were late; null when there is
-- nothing newer, or no audit log yet.
create function projector.position_before(in_workspace text, in_at timestamptz) returns bigint language plpgsql stable as $$
begin
  if to_regclass('read.audit_head') is null then
    return null;
  end if;
  return projector.audit_position(in_workspace,
    in_at + coalesce((select lag from read.audit_head where workspace = in_workspace), 0) * interval '1 millisecond');
end $$;
