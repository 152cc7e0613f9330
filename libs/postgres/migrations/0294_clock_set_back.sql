-- As before, but a lease that ends later than any does was given by a clock that has been set back since: it ends now as it would have then,
-- unless it is renewed. Else the members that are killed before a clock is set back by an hour keep their partitions for an hour.
create or replace function bus.heartbeat(in_group text, in_member uuid, lease interval)
returns table (head bigint, incarnation uuid, members integer, rank integer, free integer, partition smallint, "position" bigint, epoch bigint)
language plpgsql as $$
#variable_conflict use_column
begin
  perform set_config('synchronous_commit', 'off', true);
  insert into bus.incarnation default values on conflict do nothing;
  insert into bus.group_member (group_name, member, lease_until) values (in_group, in_member, clock_timestamp() + lease)
    on conflict (group_name, member) do update set lease_until = excluded.lease_until;
  update bus.group_member m set lease_until = clock_timestamp() + lease
    where m.group_name = in_group and m.member in (
      select o.member from bus.group_member o
      where o.group_name = in_group and o.lease_until > clock_timestamp() + greatest(lease, interval '1 minute') for update skip locked);
  return query
    with living as (
      select m.member, row_number() over (order by m.joined_at, m.member) - 1 as place
      from bus.group_member m where m.group_name = in_group and m.lease_until > clock_timestamp()
    )
    select h.position, i.id, (select count(*)::integer from living), (select l.place::integer from living l where l.member = in_member),
      (select count(*)::integer from bus.group_offset f where f.group_name = in_group and (f.owner is null or f.owner not in (select l.member from living l))),
      o.partition, o.position, o.epoch
    from bus.head h cross join bus.incarnation i
    left join bus.group_offset o on o.group_name = in_group and o.owner = in_member;
end $$;
