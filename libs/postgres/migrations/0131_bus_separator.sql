-- A key may hold any character, the one that stood between the elements of a list too: the separator is now what the lists do not hold.
drop function bus.publish(smallint[], text, text, text, text, text, text);

-- Appends messages in the caller's transaction. Says which position the last one got, and the incarnation ('' where none is known yet).
-- Lists of text come as one text, since array literals of JSON are full of escapes; a list with another number of elements leaves a
-- column without its value and is refused.
create function bus.publish(partitions smallint[], topics text, keys text, ids text, types text, all_headers text, all_values text, separator text)
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
    from unnest(partitions, string_to_array(topics, separator), string_to_array(keys, separator), string_to_array(ids, separator),
                string_to_array(types, separator), string_to_array(all_headers, separator), string_to_array(all_values, separator))
      with ordinality as m(partition, topic, key, id, type, headers, value, n);
  perform pg_notify('bus_published', last::text);
  return last || ' ' || coalesce((select id::text from bus.incarnation), '');
end $$;
