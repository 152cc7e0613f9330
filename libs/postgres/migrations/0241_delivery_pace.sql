-- From when on an endpoint with a rate has a free turn, of all that send to it. Lost in a crash of the database: then it begins anew.
create unlogged table delivery.pace (
  endpoint integer primary key,
  per_second double precision not null,
  free_at timestamptz not null
) with (fillfactor = 50);

-- Gives out the next so many turns of each of these endpoints (each named once): milliseconds until the first of them, in their order. A rate
-- that has changed begins anew. Turns that were given out are 64 such spans ahead at most, so that a clock that is set back stops nobody for long.
create function delivery.take_turns(p_endpoint integer[], p_per_second double precision[], p_count integer[]) returns double precision[] language sql as $$
  with asked as materialized (
    select a.*, make_interval(secs => a.count / a.per_second) as span
    from unnest(p_endpoint, p_per_second, p_count) as a (endpoint, per_second, count)
  ), taken as (
    insert into delivery.pace as p (endpoint, per_second, free_at)
    select a.endpoint, a.per_second, now() + a.span from asked a order by a.endpoint
    on conflict (endpoint) do update set per_second = excluded.per_second, free_at = excluded.free_at + case
      when p.per_second = excluded.per_second then least(greatest(p.free_at - now(), interval '0'), 64 * (excluded.free_at - now()))
      else interval '0'
    end
    returning p.endpoint, p.free_at
  )
  select array_agg(extract(epoch from t.free_at - a.span - clock_timestamp())::double precision * 1000 order by array_position(p_endpoint, t.endpoint))
  from taken t join asked a on a.endpoint = t.endpoint
$$;
