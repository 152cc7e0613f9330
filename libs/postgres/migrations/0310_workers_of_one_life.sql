-- Outcomes do not wait for the disk: a crash of the server takes the newest of them, and what a worker that goes on has in memory is not what is
-- there any more. So no worker outlives a crash: PostgreSQL empties this table when it recovers, each finds that it was given up, and begins anew.
alter table delivery.worker set unlogged;

-- As before, but a batch is over only for a worker that there is: of one from before a crash, some outcomes of the batch may have gone with it.
-- And what a worker that began anew has sent twice at once is not to be tried again when one of the two has left the queue.
create or replace function delivery.record(
  p_worker uuid, p_now timestamptz,
  a_delivery uuid[], a_number smallint[], a_at timestamptz[], a_ms integer[], a_ok boolean[], a_status smallint[], a_stage text[], a_error text[], a_response text[],
  x_delivery uuid[], x_batch uuid[], x_lane text[], x_endpoint integer[], x_sequence bigint[], x_state text[], x_reason text[], x_tries smallint[], x_due timestamptz[], x_coalesce text[], x_replayed timestamptz[],
  done_batches uuid[],
  a_erased boolean[] default null, x_ladder integer[] default null
) returns uuid[] language plpgsql set enable_seqscan = off as $$
declare
  decided uuid[];
begin
  perform set_config('synchronous_commit', 'off', true);
  if cardinality(a_delivery) > 0 then
    insert into delivery.attempt (delivery_id, number, at, duration_ms, ok, status_code, stage, error, response, erased)
    select * from unnest(a_delivery, a_number, a_at, a_ms, a_ok, a_status, a_stage, a_error, a_response, a_erased);
  end if;
  if cardinality(x_delivery) > 0 then
    -- What is asked for meanwhile waits, so that the next statement sees all that was. First the hold, as everybody does.
    perform from delivery.hold h where h.name = any (x_lane) and h.worker = p_worker for key share;
    perform from delivery.delivery d where d.id = any (x_delivery) and x_lane is not null order by d.id for no key update;
    with mine as (
      select l.batch from delivery.lease l where l.batch = any (x_batch) and l.worker = p_worker for key share
    ), lanes as (
      select h.name from delivery.hold h where h.name = any (x_lane) and h.worker = p_worker for key share
    ), given as (
      select x.* from unnest(x_delivery, x_batch, x_lane, x_endpoint, x_sequence, x_state, x_reason, x_tries, x_due, x_coalesce, x_replayed, x_ladder)
        as x (id, batch, lane, endpoint, sequence, state, reason, tries, due_at, coalesce_key, replayed_at, ladder)
      where x.batch in (select mine.batch from mine) or x.lane in (select lanes.name from lanes) and (
        x.state = 'delivered' or exists (select from delivery.queue q where q.endpoint = x.endpoint and q.sequence = x.sequence)) and not exists (
        select from delivery.delivery d where d.id = x.id and d.state = 'queued' and d.replay and d.changed_at is distinct from x.replayed_at)
    ), changed as (
      update delivery.delivery d
      set state = nullif(g.state, 'delivered'), reason = g.reason, tries = g.tries, changed_at = p_now
      from given g
      where d.id = g.id and d.ladder = coalesce(g.ladder, d.ladder) and (
        d.state is null or d.state in ('queued', 'retrying') or g.state = 'delivered' and (d.state = 'parked' or d.reason in ('disabled', 'gone', 'deleted')))
      returning d.id
    ), waiting as (
      insert into delivery.retry (delivery_id, endpoint, due_at, coalesce_key, sequence)
      select g.id, g.endpoint, g.due_at, g.coalesce_key, g.sequence
      from given g join changed c on c.id = g.id
      where g.state = 'retrying' and g.lane is null
      on conflict (delivery_id) do nothing
    ), held as (
      update delivery.queue q set due_at = g.due_at from given g
      where g.lane is not null and g.state = 'retrying' and q.endpoint = g.endpoint and q.sequence = g.sequence
    ), passed as (
      delete from delivery.queue q using given g
      where g.lane is not null and g.state <> 'retrying' and q.endpoint = g.endpoint and q.sequence = g.sequence
    )
    select array_agg(changed.id) into decided from changed;
  end if;
  if cardinality(done_batches) > 0 then
    delete from delivery.lease l
    where l.batch = any (done_batches) and l.worker = p_worker and exists (select from delivery.worker w where w.id = p_worker);
  end if;
  return coalesce(decided, '{}');
end $$;
