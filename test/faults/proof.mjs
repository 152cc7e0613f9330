// What must hold when everything is well again. Each check returns sentences about what does not.
import { dist } from './stage.mjs';

export const some = (all, n = 5) => (all.length > n ? [...all.slice(0, n), `… and ${all.length - n} more`] : all);
const grouped = (things, keyOf) => {
  const groups = new Map();
  for (const thing of things) {
    const key = keyOf(thing);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(thing);
  }
  return groups;
};

/** The whole log. */
export async function readLog(store) {
  const events = [];
  for (let after = 0; ;) {
    const page = await store.readAll({ after, limit: 1_000 });
    events.push(...page.events);
    if (page.events.length < 1_000) return events;
    after = page.position;
  }
}

/** Every command has had an answer. */
export const unanswered = ({ traffic }) =>
  some(
    traffic.commands
      .filter(({ isDone, isRefused }) => !isDone && !isRefused)
      .map(({ what, last }) => `${what} is not answered: ${last}`),
  );

/** Whatever was acknowledged stands in the log once; what was refused does not. */
export function commandsOnce({ traffic, log }) {
  const wrong = [];
  const byCorrelation = grouped(log, ({ metadata }) => metadata.correlationId);
  for (const command of traffic.commands) {
    const left = (byCorrelation.get(command.correlation) ?? []).map(({ type }) => type);
    for (const [type, count] of Object.entries(command.expect)) {
      const found = left.filter((one) => one === type).length;
      const wanted = command.isDone ? [count] : command.isRefused ? [0] : [0, count];
      if (!wanted.includes(found))
        wrong.push(
          `${command.what} (${command.correlation}, ${command.tries} tries, ${command.last}) left ${found} ${type}`,
        );
    }
  }
  const revisions = grouped(log, ({ stream }) => stream);
  for (const [stream, events] of revisions)
    events.forEach(
      ({ revision }, n) => revision !== n && wrong.push(`${stream} has revision ${revision} at place ${n}`),
    );
  const ids = new Set(log.map(({ id }) => id));
  if (ids.size !== log.length) wrong.push(`${log.length - ids.size} events stand in the log twice`);
  return some(wrong);
}

/** What the policies and publishers owed has come, once. */
export function followed({ traffic, log }) {
  const wrong = [];
  const of = (category, { id }, thing) => `${category}-${id}:${thing}`;
  const streams = grouped(log, ({ stream }) => stream);
  const types = (stream) => (streams.get(stream) ?? []).map(({ type }) => type);
  const count = (stream, type) => types(stream).filter((one) => one === type).length;
  for (const { workspace, id } of traffic.closed)
    if (count(of('campaign', workspace, id), 'CampaignCompleted') !== 1)
      wrong.push(`${id} completed ${count(of('campaign', workspace, id), 'CampaignCompleted')} times`);
  for (const { workspace, post } of traffic.due) {
    const settled = types(of('post', workspace, post)).filter((type) =>
      ['PostPublished', 'PostPartiallyPublished', 'PostFailed'].includes(type),
    );
    if (settled.length !== 1)
      wrong.push(`${post} settled ${settled.length} times: ${types(of('post', workspace, post)).join(' ')}`);
  }
  for (const { workspace, id } of traffic.expiring)
    for (const type of ['AccountDisconnected', 'CredentialExpiring'])
      if (count(of('account', workspace, id), type) !== 1)
        wrong.push(`${id} has ${count(of('account', workspace, id), type)} ${type}`);
  return some(wrong);
}

export async function auditComplete({ traffic, log, query }) {
  const wrong = [];
  const entries = await query('select position from read.audit order by position');
  const positions = new Set(entries.map(({ position }) => position));
  const missing = log.filter(({ position }) => !positions.has(position));
  if (entries.length !== positions.size) wrong.push('the audit log has entries twice');
  if (missing.length > 0 || entries.length !== log.length)
    wrong.push(
      `the audit log has ${entries.length} entries for ${log.length} events; missing ${missing.slice(0, 5).map(({ position, type }) => `${position} ${type}`)}`,
    );
  for (const workspace of traffic.workspaces) {
    const { status, body } = await traffic.call(workspace.key, 'GET', '/audit-log/verify');
    if (status !== 200 || body.ok !== true)
      wrong.push(`verification of the audit log: ${status} ${JSON.stringify(body)}`);
  }
  return wrong;
}

/** Every message of the log is on the bus, per key in the order of the log. On PostgreSQL also once. */
export function busComplete({ messages, said, isOnce }) {
  const wrong = [];
  const ids = grouped(said, ({ id }) => id);
  for (const { id, type, position } of messages)
    if (!ids.has(id)) wrong.push(`${type} of position ${position} is not on the bus`);
  const known = new Set(messages.map(({ id }) => id));
  for (const [id, all] of ids) {
    if (!known.has(id)) wrong.push(`${id} is on the bus and not in the log`);
    if (isOnce && all.length > 1) wrong.push(`${id} is on the bus ${all.length} times`);
  }
  for (const [key, all] of grouped(said, ({ workspace, topic, key }) => `${workspace} ${topic} ${key}`)) {
    let newest = -1;
    const seen = new Set();
    for (const { id, place } of all) {
      if (!seen.has(id) && place < newest) wrong.push(`${key}: ${id} of ${place} comes after ${newest}`);
      seen.add(id);
      newest = Math.max(newest, place);
    }
  }
  return some(wrong);
}

const REASONS = {
  disabled: ({ wasDisabled, isDeleted }) => wasDisabled || isDeleted,
  deleted: ({ isDeleted }) => isDeleted,
  superseded: ({ wasLatestOnly }) => wasLatestOnly,
  discarded: ({ wasHandled }) => wasHandled,
};

/** What delivery has yet to take in. */
export const untaken = async (seen) =>
  (await deliveries(seen)).wrong.filter((sentence) => sentence.endsWith(NEVER_TAKEN));
const NEVER_TAKEN = 'was never taken in';

/** What each endpoint had to get, as the delivery service wrote it down and as its receiver saw it. */
export async function deliveries({ traffic, receiver, log, messages, query }) {
  const wrong = [];
  const { contracts, matches } = dist('libs/webhook-contracts/index.js');
  const core = contracts.get('core');
  const rows = await query(
    `select e.id as endpoint, d.id, d.sequence, d.position, d.message_id, d.type, d.key, d.state, d.reason, d.tries, d.changed_at,
       delivery.status_of(d.id, d.state) as status, (select json_agg(json_build_array(a.number, a.ok, a.status_code, a.stage, a.at, a.duration_ms) order by a.number, a.at) from delivery.attempt a where a.delivery_id = d.id) as attempts
     from delivery.delivery d join delivery.endpoint e on e.no = d.endpoint order by d.sequence`,
  );
  const eras = await query('select id, eras from delivery.endpoint');
  const learned = new Map(eras.map(({ id, eras }) => [id, eras]));
  const counts = {};
  const byEndpoint = grouped(rows, ({ endpoint }) => endpoint);
  const bodies = new Map();
  for (const endpoint of traffic.endpoints.values()) {
    const own = byEndpoint.get(endpoint.id) ?? [];
    const at = (what) => `${endpoint.id} (${endpoint.way}${endpoint.isOrdered ? ', ordered' : ''}): ${what}`;
    own.forEach(({ sequence }, n) => sequence !== n + 1 && wrong.push(at(`number ${sequence} at place ${n + 1}`)));

    // Complete, by the log.
    const stream = `webhook_endpoint-${endpoint.workspace.id}:${endpoint.id}`;
    const changes = log.filter((event) => event.stream === stream);
    const registered = changes.find(({ type }) => type === 'EndpointRegistered').position;
    const retyped = changes.filter(({ type, data }) => type === 'EndpointUpdated' && data.changed.eventTypes);
    const places = new Map(own.map((row) => [`${row.position} ${row.message_id}`, row]));
    if (places.size !== own.length) wrong.push(at('one message has two deliveries'));
    const wanted = new Set();
    for (const message of messages) {
      if (message.workspace !== endpoint.workspace.id || !message.isWebhook || message.aboutEndpoint === endpoint.id)
        continue;
      const place = `${message.position} ${message.id.slice(4)}`;
      const last = retyped.findLast(({ position }) => position < message.position);
      const types = last ? last.data.changed.eventTypes : endpoint.eventTypes;
      const isWanted = core.render(message).some(({ type }) => matches(types, type));
      if (isWanted) wanted.add(place);
      if (endpoint.isDeleted || message.position <= registered) continue;
      if (isWanted && !places.has(place))
        wrong.push(at(`${message.type} of position ${message.position} ${NEVER_TAKEN}`));
    }
    for (const row of own) {
      const place = `${row.position} ${row.message_id}`;
      if (wanted.has(place)) continue;
      // Until delivery had learned of a change of the types, at a head that it keeps, what was wanted before was taken too.
      const before = [
        endpoint.eventTypes,
        ...retyped.filter(({ position }) => position < row.position).map(({ data }) => data.changed.eventTypes),
      ];
      const isBetween =
        learned.get(endpoint.id).some(({ after }) => after >= row.position) &&
        before.some((types) => matches(types, row.type));
      if (!isBetween) wrong.push(at(`${row.type} of position ${row.position} was not asked for`));
    }

    // As it came.
    const came = receiver.of(endpoint.id);
    const bySequence = grouped(
      came.filter(({ headers }) => headers['webhook-sequence']),
      ({ headers }) => Number(headers['webhook-sequence']),
    );
    for (const row of own) {
      const receipts = bySequence.get(row.sequence) ?? [];
      counts[row.status] = (counts[row.status] ?? 0) + 1;
      const what = `${row.type} ${row.sequence} of position ${row.position} (${row.status}${row.reason ? ` ${row.reason}` : ''}, tries ${row.tries}, attempts ${JSON.stringify(row.attempts)})`;
      for (const { headers } of receipts)
        if (headers['webhook-id'] !== `evt_${row.message_id}`)
          wrong.push(at(`${what} came as ${headers['webhook-id']}`));
      const taken = receipts.some(({ answer }) => answer === 204);
      if (row.status === 'delivered' && !taken)
        wrong.push(at(`${what} was not taken by its receiver (${receipts.length} came)`));
      if (row.status === 'pending' || row.status === 'retrying') wrong.push(at(`${what} is not over`));
      if (row.status === 'discarded' && !REASONS[row.reason]?.(endpoint)) wrong.push(at(`${what} was discarded`));
      if (row.status === 'parked' && endpoint.way === 'steady' && endpoint.isFixed)
        wrong.push(at(`${what} was parked`));
      const attempts = row.attempts ?? [];
      const numbers = attempts.map(([number]) => number);
      // A replay goes beside what is under way, and whoever takes over beside what it took over.
      if (numbers.some((number, n) => number !== n + 1)) counts.numberedTwice = (counts.numberedTwice ?? 0) + 1;
      const good = attempts.filter(([, ok]) => ok).length;
      const answered = receipts.filter(({ answer }) => answer === 204).length;
      if (good > answered) wrong.push(at(`${what} has ${good} good attempts, and ${answered} were taken`));
    }
    for (const sequence of bySequence.keys())
      if (!own.some((row) => row.sequence === sequence))
        wrong.push(at(`number ${sequence} came and is not in the list`));

    // One id, the same bytes each time; but for what was erased meanwhile.
    for (const { headers, body } of came) {
      const id = headers['webhook-id'];
      const said = JSON.parse(body);
      if (Object.values(said.data).some((value) => value === null || traffic.erased.has(value))) continue;
      if (!bodies.has(id)) bodies.set(id, body);
      else if (bodies.get(id) !== body) wrong.push(at(`${id} came in other bytes: ${body} and ${bodies.get(id)}`));
    }

    // In order.
    if (endpoint.isOrdered && !endpoint.wasToggled && !endpoint.wasHandled && !endpoint.wasDisabled)
      for (const [key, line] of grouped(own, (row) => row.key)) {
        let before;
        for (const row of line) {
          const { sequence, status } = row;
          if (status !== 'delivered') continue;
          const taken = (bySequence.get(sequence) ?? []).filter(({ answer }) => answer === 204);
          if (taken.length === 0) continue;
          if (before && taken[0].cameAt < before.takenAt - 1)
            wrong.push(
              at(
                `${sequence} of ${key} came before ${before.sequence} was taken: ${told(before.row, bySequence)}; ${told(row, bySequence)}`,
              ),
            );
          before = { sequence, takenAt: Math.min(...taken.map(({ answeredAt }) => answeredAt)), row };
        }
      }
  }
  return { wrong: some(wrong, 12), counts };
}

/** All that is known of one delivery. */
function told({ sequence, attempts, changed_at }, bySequence) {
  const receipts = (bySequence.get(sequence) ?? []).map(
    ({ cameAt, answeredAt, answer, headers }) =>
      `${cameAt.toFixed(0)}-${answeredAt?.toFixed(0)} ${answer}${headers['webhook-replay'] ? ' replay' : ''}`,
  );
  return `${sequence} changed ${changed_at} came ${receipts.join(', ')}, attempts ${JSON.stringify(attempts)}`;
}

/** A reader of the live stream has seen every event since it began, once and in order. */
export function streamsWhole({ traffic, messages }) {
  const wrong = [];
  for (const [workspace, { ids, breaks }] of traffic.streams) {
    const wanted = messages
      .filter((message) => message.workspace === workspace.id && message.isWebhook)
      .map(({ id, position }) => ({ id, position }));
    const first = wanted.findIndex(({ id }) => id === ids[0]);
    if (ids.length > 0 && first < 0) wrong.push(`the stream began with ${ids[0]}, which is not in the log`);
    const sure = wanted.slice(Math.max(0, first));
    const odd = sure.findIndex(({ id }, n) => ids[n] !== id);
    if (odd >= 0)
      wrong.push(
        `the stream of ${workspace.name} (broken ${breaks} times) says ${ids[odd]} at place ${odd}, where ${JSON.stringify(sure[odd])} belongs`,
      );
    if (ids.length > sure.length)
      wrong.push(`the stream of ${workspace.name} says ${ids.length - sure.length} too many`);
  }
  return wrong;
}

/** Every view is what a rebuild from nothing gives. */
export async function viewsEqual({ db, store }) {
  const { rebuildable } = dist('apps/projector/projections/all-projections.js');
  const { verifyProjection } = dist('apps/projector/rebuild/verify.js');
  const wrong = [];
  for (const projection of rebuildable) {
    const { difference } = await verifyProjection({ db, store }, projection);
    if (difference) wrong.push(`the view ${projection.name} differs: ${JSON.stringify(difference)}`);
  }
  return wrong;
}

const OPEN = {
  'delivery.lease': 'select * from delivery.lease',
  'delivery.retry': 'select * from delivery.retry',
  'delivery.queue': 'select * from delivery.queue',
  'delivery.fact': 'select * from delivery.fact',
  'delivery.job':
    "select * from delivery.job where status = 'running' or status = 'failed' and error not like 'The endpoint is disabled%'",
  'projector.timer': 'select * from projector.timer where due_at < now()',
  'bus.dead_letter': 'select * from bus.dead_letter',
  'endpoints that catch up': "select * from delivery.endpoint where phase = 'catching_up'",
};
/** Nothing waits any more. */
export async function leftOver({ query }, tables = OPEN) {
  const wrong = [];
  for (const [what, text] of Object.entries(tables)) {
    const rows = await query(text);
    if (rows.length > 0) wrong.push(`${rows.length} left in ${what}: ${JSON.stringify(rows[0])}`);
  }
  return wrong;
}

/** What stands in the database, and who waits for whom. */
export const underWay = ({ query }) =>
  query(
    "select now() - xact_start as since, pid, application_name, state, wait_event, pg_blocking_pids(pid) as waits_for, left(query, 150) as query from pg_stat_activity where datname = current_database() and state <> 'idle'",
  );

/** What a process holds for itself, which is gone when all have stopped. */
export const HELD = {
  'delivery.worker': 'select * from delivery.worker',
  'delivery.hold': 'select h.* from delivery.hold h join delivery.worker w on w.id = h.worker',
  'delivery.lease': 'select * from delivery.lease',
  'bus.group_member': 'select * from bus.group_member where lease_until > now()',
  'bus.group_offset': 'select * from bus.group_offset where owner is not null',
  'api.idempotency':
    'select workspace, key, lease_until from api.idempotency where answer is null and lease_until > now()',
  connections:
    "select application_name, state, query from pg_stat_activity where datname = current_database() and application_name like 'postledger %' and pid <> pg_backend_pid() and application_name not like '%faults%'",
};
