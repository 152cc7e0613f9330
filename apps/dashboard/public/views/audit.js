import { api } from '../api.js';
import { action, code, field, h, json, notify, problem, time } from '../dom.js';
import { filterBar } from '../filters.js';
import { pagedList } from '../list.js';

export const title = 'Audit log';

const TEXTS = [
  ['entityType', 'Entity type', 'post'],
  ['entityId', 'Entity', 'pst_…'],
  ['action', 'Action', 'PostScheduled'],
  ['actor', 'Actor', 'usr_…'],
  ['correlationId', 'Correlation', ''],
];

export function render(root, { filters: given }) {
  const filters = filterBar(
    given,
    () => entries.refresh(),
    ...TEXTS.map(([name, label, placeholder]) => field(label, h('input', { name, type: 'search', placeholder }))),
    field('From', h('input', { name: 'from', type: 'datetime-local' })),
    field('To', h('input', { name: 'to', type: 'datetime-local' })),
  );
  const verdict = h('div', { role: 'status' });
  const entries = pagedList({
    path: '/audit-log',
    caption: 'Audit log, newest first',
    nothing: 'No entries match.',
    filters: filters.values,
    columns: [
      ['Position', ({ position }) => position],
      ['At', ({ at }) => time(at)],
      ['Action', (it) => it.action],
      ['Entity', ({ entityType, entityId }) => h('span', {}, `${entityType} `, code(entityId)), 'text'],
      ['Actor', ({ actor }) => code(actor)],
      ['Revision', ({ revisionBefore, revision }) => `${revisionBefore ?? '–'} → ${revision}`],
      ['Details', (it) => h('details', {}, h('summary', {}, 'Show'), json(it)), 'text'],
    ],
  });
  root.append(
    filters.element,
    h(
      'p',
      { class: 'row middle' },
      action('Verify the chain', async () => {
        try {
          const answer = await api.get('/audit-log/verify');
          verdict.replaceChildren(
            answer.ok
              ? h('div', { class: 'secret' }, `The chain of ${answer.entries} entries is whole.`)
              : problem({
                  title: 'The chain is broken.',
                  message: `Entry ${answer.broken.id} at position ${answer.broken.position}: ${answer.broken.reason}`,
                }),
          );
        } catch (error) {
          verdict.replaceChildren(problem(error));
          notify('The chain could not be verified.');
        }
      }),
      action('Refresh', entries.refresh),
    ),
    verdict,
    entries.element,
  );
}
