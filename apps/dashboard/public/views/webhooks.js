import { api } from '../api.js';
import {
  action,
  badge,
  check,
  code,
  copyable,
  empty,
  fail,
  facts,
  field,
  form,
  h,
  json,
  link,
  notify,
  problem,
  redraw,
  select,
  time,
} from '../dom.js';
import { toInstant } from '../filters.js';
import { calmly, concerns, pagedList } from '../list.js';

export const title = 'Webhooks';

const REFRESH_MS = 3_000;

export function render(root, context) {
  return context.id ? renderEndpoint(root, context) : renderList(root, context);
}

/** The one time a signing secret is seen. */
const secret = (text) =>
  h(
    'div',
    { class: 'secret', role: 'status' },
    h('strong', {}, 'Signing secret, shown this once: '),
    copyable(text, 'the signing secret'),
  );

function renderList(root, { stream }) {
  const shown = h('div', {});
  const contract = select('contract', ['core']);
  api.get('/webhooks/contracts').then(
    ({ data }) =>
      contract.replaceChildren(
        ...data.map(({ name }) => h('option', { value: name, selected: name === 'core' }, name)),
      ),
    (error) => shown.replaceChildren(problem(error)),
  );
  const endpoints = pagedList({
    path: '/webhooks/endpoints',
    caption: 'Webhook endpoints, newest first',
    nothing: 'No endpoints yet. Register one above.',
    columns: [
      ['Endpoint', ({ id }) => link(`#/webhooks/${encodeURIComponent(id)}`, code(id))],
      ['Target', ({ targetUrl }) => targetUrl, 'text'],
      ['Types', ({ eventTypes }) => eventTypes.join(', '), 'text'],
      ['Contract', (it) => it.contract],
      [
        'Status',
        ({ status, disabledReason }) => h('span', {}, badge(status), disabledReason ? ` ${disabledReason}` : ''),
      ],
      ['Created', ({ createdAt }) => time(createdAt)],
    ],
  });
  root.append(
    h('h2', {}, 'Register an endpoint'),
    form(
      {
        submit: 'Register',
        label: 'Register an endpoint',
        async send({ targetUrl, eventTypes, contract: name, description, ordered, rateLimitPerSecond, startFrom }, it) {
          const endpoint = await api.post('/webhooks/endpoints', {
            targetUrl,
            eventTypes: eventTypes.split(/[\s,]+/).filter(Boolean),
            contract: name,
            description,
            ...(ordered && { ordered: true }),
            ...(rateLimitPerSecond && { rateLimitPerSecond: Number(rateLimitPerSecond) }),
            ...(startFrom && { startFrom: toInstant(startFrom) }),
          });
          shown.replaceChildren(secret(endpoint.signingSecret));
          it.reset();
          endpoints.refresh();
        },
      },
      field('Target URL', h('input', { name: 'targetUrl', type: 'url', required: true, placeholder: 'https://' }), {
        width: 'wide',
      }),
      field('Event types', h('input', { name: 'eventTypes', required: true, value: '*' }), {
        hint: 'Names, post.* or *, with commas between',
      }),
      field('Contract', contract),
      field('Description', h('input', { name: 'description' })),
      field('Most per second', h('input', { name: 'rateLimitPerSecond', type: 'number', min: 1 })),
      field('Backfill from', h('input', { name: 'startFrom', type: 'datetime-local' })),
      check('Keep order per entity', { name: 'ordered' }),
    ),
    shown,
    h('h2', {}, 'All endpoints'),
    endpoints.element,
  );
  const refresh = calmly(endpoints.refresh);
  return stream.on((event) => concerns('webhook.', event) && refresh());
}

function renderEndpoint(root, { id }) {
  const path = `/webhooks/endpoints/${encodeURIComponent(id)}`;
  const place = h('div', {}, empty('Loading …'));
  const outcome = h('div', {});

  let shown;

  async function load() {
    try {
      const endpoint = await api.get(path);
      if (JSON.stringify(endpoint) === shown) return;
      shown = JSON.stringify(endpoint);
      redraw(place, detail(endpoint));
    } catch (error) {
      shown = undefined;
      fail(place, error, load);
    }
  }

  const then = (call) => async () => {
    await call();
    await load();
  };

  function detail(endpoint) {
    const enabled = endpoint.status === 'enabled';
    return h(
      'div',
      { class: 'card' },
      facts([
        ['Endpoint', copyable(endpoint.id)],
        ['Target', copyable(endpoint.targetUrl, 'the target')],
        ['Status', h('span', {}, badge(endpoint.status), endpoint.disabledReason ? ` ${endpoint.disabledReason}` : '')],
        ['Types', endpoint.eventTypes.join(', ')],
        ['Contract', endpoint.contract],
        ['Description', endpoint.description],
        ['Order per entity', endpoint.ordered ? 'kept' : 'not kept'],
        ['Most per second', endpoint.rateLimitPerSecond && String(endpoint.rateLimitPerSecond)],
        ['Created', time(endpoint.createdAt)],
      ]),
      h(
        'p',
        { class: 'row' },
        action('Send a test', async () => {
          const result = await api.post(`${path}/test`);
          outcome.replaceChildren(
            h('h2', {}, result.delivered ? 'The test was delivered' : 'The test failed'),
            json(result),
          );
        }),
        enabled
          ? action(
              'Disable',
              then(() => api.post(`${path}/disable`)),
              { ask: 'Disable this endpoint? What happens until it is enabled again is sent only by a replay.' },
            )
          : action(
              'Enable',
              then(() => api.post(`${path}/enable`)),
            ),
        action(
          'Rotate secret',
          async () => {
            const { signingSecret } = await api.post(`${path}/rotate-secret`);
            outcome.replaceChildren(secret(signingSecret));
          },
          { ask: 'Rotate the signing secret? The one in use is good for 24 hours more.' },
        ),
        link(`#/deliveries?endpointId=${encodeURIComponent(id)}`, 'Deliveries'),
        link(`#/audit?entityType=webhook_endpoint&entityId=${encodeURIComponent(id)}`, 'Who did what'),
      ),
    );
  }

  const replay = form(
    {
      submit: 'Replay',
      label: 'Replay deliveries',
      async send({ since, until, status }) {
        const { jobId } = await api.post(`${path}/replay`, {
          since: toInstant(since),
          until: toInstant(until),
          status,
        });
        notify(`Replay ${jobId} has begun.`);
      },
    },
    field('Since', h('input', { name: 'since', type: 'datetime-local', required: true })),
    field('Until', h('input', { name: 'until', type: 'datetime-local' })),
    field('Status', select('status', ['', 'delivered', 'retrying', 'parked', 'discarded'])),
  );

  root.append(h('p', {}, link('#/webhooks', 'All endpoints')), place, outcome, h('h2', {}, 'Replay many'), replay);
  load();
  // Not every change of an endpoint is an event of the stream, so this looks for itself.
  const timer = setInterval(() => !document.hidden && load(), REFRESH_MS);
  return () => clearInterval(timer);
}
