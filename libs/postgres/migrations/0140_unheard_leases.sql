-- A worker that was not told that its lease had been committed gives it back by itself: nobody takes it from the living.

-- Gives up leases of a worker, all of them where `p_batches` is null: what it had not recorded waits in delivery.retry, due now, for
-- whoever has room. A replay stays what somebody asked for.
create function delivery.release_leases(p_worker uuid, p_batches uuid[], p_now timestamptz) returns integer language plpgsql set enable_seqscan = off as $$
declare
  given integer;
begin
  with released as (
    delete from delivery.lease l where l.worker = p_worker and (p_batches is null or l.batch = any (p_batches)) returning l.deliveries
  ), held as (
    select unnest(r.deliveries) as id from released r
  ), open as (
    update delivery.delivery d set state = coalesce(d.state, 'queued'), changed_at = p_now
    from held h
    where d.id = h.id
      and (d.state in ('queued', 'retrying') or (d.state is null and not exists (select from delivery.attempt a where a.delivery_id = h.id and a.ok)))
      and not exists (select from delivery.retry r where r.delivery_id = h.id)
    returning d.id, d.endpoint, d.sequence, d.type, d.key, d.replay
  ), waiting as (
    insert into delivery.retry (delivery_id, endpoint, due_at, coalesce_key, sequence)
    select o.id, o.endpoint, p_now, case when not o.replay then delivery.coalesce_key(e.config, o.type, o.key) end, o.sequence
    from open o join delivery.endpoint e on e.no = o.endpoint
    on conflict (delivery_id) do nothing
    returning 1
  )
  select count(*) into given from waiting;
  return given;
end $$;

-- Gives up all that a worker holds, and the worker.
create or replace function delivery.release(p_worker uuid, p_now timestamptz) returns integer language plpgsql as $$
declare
  given integer;
begin
  given := delivery.release_leases(p_worker, null, p_now);
  delete from delivery.hold h where h.worker = p_worker;
  delete from delivery.worker w where w.id = p_worker;
  return given;
end $$;
