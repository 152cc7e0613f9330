-- Whoever publishes may hand the messages to consumers of its own process without a read, so it is told which life of the server they
-- belong to; and what was read in an earlier life moves no offset of this one.
drop function bus.publish(smallint[], text, text, text, text, text, text);

-- Appends messages in the caller's transaction. Says which position the last one got, and the incarnation ('' where none is known yet).
-- Lists of text come as one text, since array literals of JSON are full of escapes; a list with another number of elements leaves a
-- column without its value and is refused.
create function bus.publish(partitions smallint[], topics text, keys text, ids text, types text, all_headers text, all_values text)
returns text language plpgsql as $$
declare
  last bigint;
  made timestamptz;
  until timestamptz;
  count integer := cardinality(partitions);
begin
  update bus.head set position = position + count, at = greatest(at, clock_timestamp())
    returning position, at, partitioned_until into last, made, until;
  if made >= until then
    perform bus.extend(made, 2);
  end if;
  insert into bus.message (position, created_at, partition, topic, key, id, type, headers, value)
    select last - count + m.n, made, m.partition, m.topic, m.key, m.id, m.type, m.headers, m.value
    from unnest(partitions, string_to_array(topics, E'\x1f'), string_to_array(keys, E'\x1f'), string_to_array(ids, E'\x1f'),
                string_to_array(types, E'\x1f'), string_to_array(all_headers, E'\x1f'), string_to_array(all_values, E'\x1f'))
      with ordinality as m(partition, topic, key, id, type, headers, value, n);
  perform pg_notify('bus_published', last::text);
  return last || ' ' || coalesce((select id::text from bus.incarnation), '');
end $$;

drop function bus.commit_offsets(text, uuid, smallint[], bigint[], bigint[], boolean);

-- Moves offsets forward, and gives the partitions up when `release`; says which were still the member's. The rest is not touched.
-- Positions of another incarnation are not taken: they may since have been given to other messages.
create function bus.commit_offsets(in_group text, in_member uuid, in_incarnation uuid, partitions smallint[], epochs bigint[], positions bigint[], release boolean)
returns table (partition smallint) language plpgsql as $$
#variable_conflict use_column
declare
  is_same boolean := exists (select from bus.incarnation where id = in_incarnation);
begin
  perform set_config('synchronous_commit', 'off', true);
  return query
    update bus.group_offset o
    set position = case when is_same then greatest(o.position, c.position) else o.position end, owner = case when release then null else o.owner end
    from unnest(partitions, epochs, positions) as c(partition, epoch, position)
    where o.group_name = in_group and o.partition = c.partition and o.epoch = c.epoch and o.owner = in_member and (is_same or release)
    returning o.partition;
  if release then
    perform pg_notify('bus_rebalance', in_group);
  end if;
end $$;
