-- As before, but a worker gives up only what is still its own: what it had put back to wait, as after a failed attempt, stands in its lease until all of
-- the batch is recorded, while another has it already. That was given out once more, and sent twice. Of several leases the newest counts, by the
-- order of transactions, since clocks may be set back.
create or replace function delivery.release_leases(p_worker uuid, p_batches uuid[], p_now timestamptz) returns integer language plpgsql set enable_seqscan = off as $$
declare
  given integer;
begin
  with own as materialized (
    select l.batch, age(l.xmin) as age from delivery.lease l where l.worker = p_worker and (p_batches is null or l.batch = any (p_batches))
  ), others as materialized (
    select unnest(l.deliveries) as id, age(l.xmin) as age from delivery.lease l where l.worker <> p_worker or l.batch <> all (p_batches)
  ), released as (
    delete from delivery.lease l using own where l.batch = own.batch and l.worker = p_worker returning l.deliveries, own.age
  ), held as (
    select h.id from (select unnest(r.deliveries) as id, r.age from released r) h
    where not exists (select from others o where o.id = h.id and o.age < h.age)
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
