import { api } from '../api.js';
import { action, badge, code, field, form, h, notify, select, time } from '../dom.js';
import { filterBar, toInstant } from '../filters.js';
import { calmly, concerns, pagedList } from '../list.js';

export const title = 'Accounts';

export function render(root, { stream, filters: given }) {
  const filters = filterBar(
    given,
    () => accounts.refresh(),
    field('Status', select('status', ['', 'connected', 'disconnected'])),
    field('Platform', h('input', { name: 'platform', type: 'search' })),
  );
  const accounts = pagedList({
    path: '/accounts',
    caption: 'Accounts, newest first',
    nothing: 'No accounts here. Connect one above.',
    filters: filters.values,
    columns: [
      ['Account', ({ id }) => code(id)],
      ['Platform', (it) => it.platform],
      ['Username', ({ username }) => h('bdi', {}, username ?? 'erased'), 'text'],
      ['Profile', ({ profileId }) => code(profileId)],
      ['Status', (it) => h('span', {}, badge(it.status), it.disconnectedReason ? ` ${it.disconnectedReason}` : '')],
      ['Credential expires', ({ credentialExpiresAt }) => time(credentialExpiresAt)],
      ['', (it) => it.status === 'connected' && disconnect(it, () => accounts.refresh())],
    ],
  });
  const sandbox = 'In the sandbox a name that ends with .fails, .flaky or .slow acts so.';
  root.append(
    h('h2', {}, 'Connect an account'),
    form(
      {
        submit: 'Connect',
        label: 'Connect an account',
        async send({ credentialExpiresAt, ...rest }, it) {
          const account = await api.post('/accounts', { ...rest, credentialExpiresAt: toInstant(credentialExpiresAt) });
          it.reset();
          notify(`${account.id} is ${account.status}.`);
          accounts.refresh();
        },
      },
      field(
        'Platform',
        h('input', { name: 'platform', required: true, pattern: '[a-z][a-z0-9_]{1,31}', placeholder: 'mastodon' }),
      ),
      field('Username', h('input', { name: 'username', required: true }), { hint: sandbox, width: 'wide' }),
      field('Profile', h('input', { name: 'profileId', required: true, value: 'prof_main' })),
      field('Credential expires', h('input', { name: 'credentialExpiresAt', type: 'datetime-local' })),
    ),
    h('h2', {}, 'All accounts'),
    filters.element,
    accounts.element,
  );
  const refresh = calmly(accounts.refresh);
  return stream.on((event) => concerns('account.', event) && refresh());
}

const disconnect = ({ id, username }, done) =>
  action(
    'Disconnect',
    async () => {
      await api.post(`/accounts/${encodeURIComponent(id)}/disconnect`, { reason: 'disconnected on the dashboard' });
      done();
    },
    {
      'aria-label': `Disconnect ${username ?? id}`,
      ask: `Disconnect ${username ?? id}? Nothing is published there then.`,
    },
  );
