import { api } from '../api.js';
import {
  action,
  badge,
  code,
  copyable,
  empty,
  fail,
  facts,
  field,
  h,
  json,
  link,
  notify,
  redraw,
  select,
  table,
  time,
} from '../dom.js';
import { filterBar } from '../filters.js';
import { pagedList } from '../list.js';

export const title = 'Deliveries';

const STATUSES = ['', 'pending', 'delivered', 'retrying', 'parked', 'discarded'];
const REFRESH_MS = 3_000;

/** Enough of an id to tell two apart in a list. */
const ending = (id) =>
  h('span', { class: 'mono', title: id }, id.length > 16 ? `${id.slice(0, 4)}…${id.slice(-6)}` : id);

export function render(root, context) {
  return context.id ? renderDelivery(root, context) : renderList(root, context);
}

function renderList(root, { filters: given }) {
  const status = select('status', STATUSES);
  const onlyParked = ({ target }) => {
    status.value = 'parked';
    target.form.requestSubmit();
  };
  const filters = filterBar(
    given,
    () => deliveries.refresh(),
    field('Status', status),
    field('Endpoint', h('input', { name: 'endpointId', type: 'search' })),
    field('Type', h('input', { name: 'type', type: 'search', placeholder: 'post.published' })),
    field('From', h('input', { name: 'from', type: 'datetime-local' })),
    field('To', h('input', { name: 'to', type: 'datetime-local' })),
    h('button', { type: 'button', class: 'quiet', onclick: onlyParked }, 'Parked only'),
  );
  const deliveries = pagedList({
    path: '/webhooks/deliveries',
    caption: 'Deliveries, newest first',
    nothing: 'No deliveries here.',
    filters: filters.values,
    columns: [
      ['Delivery', ({ id }) => link(`#/deliveries/${encodeURIComponent(id)}`, code(id))],
      ['Type', (it) => it.type],
      ['Endpoint', (it) => link(`#/webhooks/${encodeURIComponent(it.endpointId)}`, ending(it.endpointId))],
      ['Status', (it) => badge(it.status)],
      ['Sequence', ({ sequence }) => sequence],
      ['Created', ({ createdAt }) => time(createdAt)],
      ['Next attempt', ({ nextAttemptAt }) => time(nextAttemptAt)],
      [
        '',
        (it) => ['parked', 'discarded', 'delivered'].includes(it.status) && replay(it.id, () => deliveries.refresh()),
      ],
    ],
  });
  root.append(filters.element, deliveries.element);
  // Attempts are no events of the stream, so this list looks for itself; not unseen.
  const timer = setInterval(() => !document.hidden && deliveries.refresh(), REFRESH_MS);
  return () => clearInterval(timer);
}

const replay = (id, done) =>
  action(
    'Replay',
    async () => {
      await api.post(`/webhooks/deliveries/${encodeURIComponent(id)}/replay`);
      notify(`${id} is sent again.`);
      done();
    },
    { 'aria-label': `Replay ${id}` },
  );

function renderDelivery(root, { id }) {
  const path = `/webhooks/deliveries/${encodeURIComponent(id)}`;
  const place = h('div', {}, empty('Loading …'));

  let shown;

  async function load() {
    try {
      const delivery = await api.get(path);
      // Only news is drawn, so that a response that is being read stays open.
      if (JSON.stringify(delivery) === shown) return;
      shown = JSON.stringify(delivery);
      redraw(place, ...detail(delivery));
    } catch (error) {
      shown = undefined;
      fail(place, error, load);
    }
  }

  function detail(delivery) {
    return [
      h(
        'div',
        { class: 'card' },
        facts([
          ['Delivery', copyable(delivery.id)],
          ['Status', badge(delivery.status)],
          ['Type', delivery.type],
          ['Event', copyable(delivery.eventId)],
          ['Sequence', String(delivery.sequence)],
          ['Endpoint', link(`#/webhooks/${encodeURIComponent(delivery.endpointId)}`, code(delivery.endpointId))],
          ['Created', time(delivery.createdAt)],
          ['Next attempt', delivery.nextAttemptAt && time(delivery.nextAttemptAt)],
        ]),
        h(
          'p',
          { class: 'row' },
          replay(id, load),
          delivery.status === 'parked' &&
            action('Discard', async () => {
              await api.delete(path);
              await load();
            }),
          action('Refresh', load),
        ),
      ),
      h('h2', {}, 'Attempts'),
      delivery.attempts.length === 0
        ? empty('Not tried yet.')
        : table(
            'Attempts of this delivery',
            [
              ['#', ({ number }) => number],
              ['At', ({ at }) => time(at)],
              ['Took', ({ durationMs }) => `${durationMs} ms`],
              ['Status', ({ statusCode }) => statusCode ?? '–'],
              ['Error', ({ error }) => describe(error), 'text'],
              [
                'Response',
                ({ response }) =>
                  response ? h('details', {}, h('summary', {}, `${response.length} characters`), json(response)) : '–',
                'text',
              ],
            ],
            delivery.attempts,
          ),
      h('h2', {}, 'Body'),
      json(delivery.body),
    ];
  }

  root.append(h('p', {}, link('#/deliveries', 'All deliveries')), place);
  load();
  const timer = setInterval(() => !document.hidden && load(), REFRESH_MS);
  return () => clearInterval(timer);
}

const describe = (error) =>
  !error ? '–' : typeof error === 'string' ? error : `${error.stage ?? error.code ?? ''}: ${error.message ?? ''}`;
