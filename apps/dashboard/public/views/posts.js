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
  form,
  h,
  link,
  notify,
  problem,
  redraw,
  select,
  table,
  time,
} from '../dom.js';
import { filterBar, toInstant } from '../filters.js';
import { calmly, concerns, MAX_PAGE, pagedList } from '../list.js';

export const title = 'Posts';

const STATUSES = ['', 'scheduled', 'publishing', 'published', 'partial', 'failed', 'cancelled'];

export function render(root, context) {
  return context.id ? renderPost(root, context) : renderList(root, context);
}

function renderList(root, { stream, filters: given }) {
  const filters = filterBar(
    given,
    () => posts.refresh(),
    field('Status', select('status', STATUSES)),
    field('Platform', h('input', { name: 'platform', type: 'search' })),
  );
  const posts = pagedList({
    path: '/posts',
    caption: 'Posts, newest first',
    nothing: 'No posts here. Schedule one above.',
    filters: filters.values,
    columns: [
      ['Post', ({ id }) => link(`#/posts/${encodeURIComponent(id)}`, code(id))],
      ['Status', (post) => badge(post.status)],
      [
        'Text',
        ({ content }) =>
          content?.text
            ? h('div', { class: 'said few', dir: 'auto' }, content.text)
            : h('span', { class: 'soft' }, '–'),
        'text',
      ],
      [
        'Destinations',
        ({ destinations }) =>
          alike(destinations).map(([it, n]) =>
            h('div', {}, `${n > 1 ? `${n} × ` : ''}${it.platform} `, badge(it.status)),
          ),
      ],
      ['Scheduled for', ({ scheduledAt }) => time(scheduledAt)],
    ],
  });
  root.append(
    h('h2', {}, 'Schedule a post'),
    scheduleForm(posts.refresh),
    h('h2', {}, 'All posts'),
    filters.element,
    posts.element,
  );
  const refresh = calmly(posts.refresh);
  return stream.on((event) => concerns('post.', event) && refresh());
}

/** Destinations by platform and status, one of each and how many they are: a post has up to fifty. */
function alike(destinations) {
  const groups = Map.groupBy(destinations, ({ platform, status }) => `${platform} ${status}`);
  return [...groups.values()].map((group) => [group[0], group.length]);
}

function scheduleForm(onDone) {
  const accounts = h('div', { class: 'row middle choice' }, h('span', { class: 'soft' }, 'Loading accounts …'));
  const profile = h('input', { name: 'profileId', required: true, value: 'prof_main' });
  let known = [];

  api.get('/accounts', { status: 'connected', limit: MAX_PAGE }).then(
    ({ data, nextCursor }) => {
      known = data;
      accounts.replaceChildren(
        ...(data.length === 0
          ? [h('span', {}, 'No account is connected yet: ', link('#/accounts', 'connect one'), '.')]
          : data.map(({ id, platform, username }) =>
              h(
                'label',
                { class: 'check' },
                h('input', { type: 'checkbox', name: 'account', value: id }),
                h('span', {}, h('bdi', {}, username ?? id), ` on ${platform}`),
              ),
            )),
      );
      if (nextCursor)
        accounts.append(h('span', { class: 'soft' }, `The newest ${data.length} only: the api takes every other.`));
    },
    (error) => accounts.replaceChildren(problem(error)),
  );

  return form(
    {
      submit: 'Schedule',
      label: 'Schedule a post',
      async send({ text, profileId, scheduledAt }, it) {
        const chosen = new FormData(it).getAll('account');
        if (chosen.length === 0)
          throw Object.assign(new Error('Choose at least one account.'), { title: 'Nothing to publish to.' });
        const destinations = chosen.map((accountId) => ({
          accountId,
          platform: known.find(({ id }) => id === accountId).platform,
        }));
        const post = await api.post('/posts', {
          profileId,
          content: { text },
          destinations,
          scheduledAt: toInstant(scheduledAt),
        });
        it.reset();
        notify(`${post.id} is ${post.status}.`);
        onDone();
      },
    },
    field('Text', h('textarea', { name: 'text', rows: 3, required: true, maxlength: 10_000 }), { width: 'whole' }),
    h('fieldset', { class: 'whole' }, h('legend', {}, 'Accounts'), accounts),
    field('Profile', profile),
    field('Publish at (empty: now)', h('input', { name: 'scheduledAt', type: 'datetime-local' })),
  );
}

function renderPost(root, { id, stream }) {
  const path = `/posts/${encodeURIComponent(id)}`;
  const place = h('div', {}, empty('Loading …'));

  async function load() {
    try {
      const [post, results] = await Promise.all([api.get(path), api.get(`${path}/results`)]);
      redraw(place, ...detail(post, results));
    } catch (error) {
      fail(place, error, load);
    }
  }

  function detail(post, { destinations }) {
    const failed = destinations.some(({ status }) => status === 'failed') && post.status !== 'publishing';
    return [
      h(
        'div',
        { class: 'card' },
        facts([
          ['Post', copyable(post.id)],
          ['Status', badge(post.status)],
          ['Scheduled for', time(post.scheduledAt)],
          ['Profile', code(post.profileId)],
          ['Campaign', post.campaignId && code(post.campaignId)],
          ['Text', post.content?.text && h('div', { class: 'said', dir: 'auto' }, post.content.text)],
        ]),
        h(
          'p',
          { class: 'row' },
          post.status === 'scheduled' &&
            action('Cancel this post', async () => (await api.post(`${path}/cancel`), await load()), {
              ask: 'Cancel this post? It cannot be scheduled again.',
            }),
          failed && action('Retry what failed', async () => (await api.post(`${path}/retry`), await load())),
          link(`#/audit?entityType=post&entityId=${encodeURIComponent(id)}`, 'Who did what'),
        ),
      ),
      h('h2', {}, 'Destinations'),
      table(
        'Destinations of this post',
        [
          ['Platform', ({ platform }) => platform],
          ['Account', ({ accountId }) => code(accountId)],
          ['Status', ({ status }) => badge(status)],
          ['Attempts', ({ attempts }) => attempts],
          [
            'Result',
            ({ url, error, errorCode }) =>
              url
                ? h('a', { href: safe(url), rel: 'noreferrer', target: '_blank' }, url)
                : error
                  ? `${error} (${errorCode})`
                  : '–',
            'text',
          ],
        ],
        destinations,
      ),
    ];
  }

  root.append(h('p', {}, link('#/posts', 'All posts')), place);
  load();
  const refresh = calmly(load);
  return stream.on((event) => concerns('post.', event, id) && refresh());
}

/** A publisher may report any text as a URL: only the web's own schemes become links. */
const safe = (url) => (/^https?:\/\//i.test(url) ? url : undefined);
