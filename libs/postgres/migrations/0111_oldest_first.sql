-- After an outage thousands wait that are all due, and those that had been tried are due later than what came after them. They go
-- oldest first, by their numbers, not by when they were due.
create index retry_oldest on delivery.retry (endpoint, sequence);

-- Claims what is due of the given endpoints, at most `room` each, into one lease: the oldest, as far as they are among the
-- first to be looked at (a bounded number: a long backlog that is not due must not be walked through), and beyond these what was
-- due first. What a newer one of its entity has made worthless is given up instead.
create or replace function delivery.claim(p_worker uuid, p_batch uuid, p_now timestamptz, endpoints integer[], rooms integer[])
returns table (id uuid, endpoint integer, sequence bigint, message_id uuid, type text, key text, tries smallint, replay boolean, coalesce_key text, body text, number bigint)
language sql set enable_seqscan = off as $$
  with wanted as (
    select w.endpoint, w.room from unnest(endpoints, rooms) as w (endpoint, room)
  ), due as (
    select x.delivery_id,
      case when x.coalesce_key is null then false else
        exists (select from delivery.retry n where n.endpoint = x.endpoint and n.coalesce_key = x.coalesce_key and n.sequence > x.sequence)
        or exists (select from delivery.newest n where n.endpoint = x.endpoint and n.coalesce_key = x.coalesce_key and n.sequence > x.sequence)
      end as is_old
    from wanted w cross join lateral (
      select r.delivery_id, r.endpoint, r.coalesce_key, r.sequence
      from (
        select o.delivery_id from (
          select f.delivery_id, f.due_at from delivery.retry f where f.endpoint = w.endpoint order by f.sequence limit 4 * w.room
        ) o where o.due_at <= p_now
        union
        (select f.delivery_id from delivery.retry f where f.endpoint = w.endpoint and f.due_at <= p_now order by f.due_at limit w.room)
      ) c join delivery.retry r on r.delivery_id = c.delivery_id
      order by r.sequence limit w.room for update of r skip locked
    ) x
  ), taken as (
    delete from delivery.retry r using due where r.delivery_id = due.delivery_id returning r.delivery_id, r.coalesce_key, due.is_old
  ), left_out as (
    update delivery.delivery d set state = 'discarded', reason = 'superseded', changed_at = p_now
    from taken t where t.is_old and d.id = t.delivery_id
  ), found as (
    select d.id, d.endpoint, d.sequence, d.message_id, d.type, d.key, d.tries, d.replay, t.coalesce_key, b.body
    from taken t join delivery.delivery d on d.id = t.delivery_id join delivery.body b on b.id = d.body_id
    where not t.is_old
  ), leased as (
    insert into delivery.lease (batch, worker, deliveries)
    select p_batch, p_worker, array_agg(f.id) from found f having count(*) > 0
  )
  select f.id, f.endpoint, f.sequence, f.message_id, f.type, f.key, f.tries, f.replay, f.coalesce_key, f.body,
    1 + (select count(*) from delivery.attempt a where a.delivery_id = f.id)
  from found f
  order by f.sequence
$$;
