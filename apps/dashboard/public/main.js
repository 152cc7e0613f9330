import { currentKey, decoded, follow, forgetKey, keepKey, takeKeyFromFragment, api } from './api.js';
import { field, form, h, problem } from './dom.js';
import * as accounts from './views/accounts.js';
import * as audit from './views/audit.js';
import * as deliveries from './views/deliveries.js';
import * as health from './views/health.js';
import * as live from './views/live.js';
import * as posts from './views/posts.js';
import * as webhooks from './views/webhooks.js';

const views = { live, posts, accounts, webhooks, deliveries, audit, health };
const main = document.getElementById('main');
const nav = document.getElementById('nav');
const leave = document.getElementById('leave');
const connection = document.getElementById('connection');

/** The last events of the stream, newest first, and who wants to hear of new ones. */
const KEPT = 200;
const stream = {
  events: [],
  listeners: new Set(),
  on: (hear) => (stream.listeners.add(hear), () => stream.listeners.delete(hear)),
};
let following;
let cleanUp;

function onEvent(event) {
  stream.events.unshift(event);
  if (stream.events.length > KEPT) stream.events.length = KEPT;
  tell(event);
}

function tell(event) {
  for (const hear of stream.listeners) hear(event);
}

function onState(state, error) {
  const isBack = state === 'live' && connection.textContent === 'offline';
  connection.textContent = state;
  connection.className = `badge ${{ live: 'good', connecting: 'wait', offline: 'bad', refused: 'bad' }[state]}`;
  stream.refusal = error;
  if (error) tell({ type: 'stream.refused' });
  // A view that could not be read meanwhile is read again.
  if (isBack) tell({ type: 'stream.back' });
}

/** What is shown may be older than the stream: it is read again. A gap after the page was live is shown as one. */
function onGap(isAgain) {
  const reason = 'What happened while the stream was away is not shown here; the audit log has it.';
  const body = { createdAt: new Date().toISOString(), data: { reason } };
  if (isAgain) onEvent({ type: 'stream.missed', data: JSON.stringify(body) });
  else tell({ type: 'stream.missed' });
}

function startStream() {
  stopStream();
  following = new AbortController();
  follow({ onEvent, onState, onGap, signal: following.signal });
}

function stopStream() {
  following?.abort();
  following = undefined;
  stream.events.length = 0;
  stream.refusal = undefined;
  connection.textContent = '';
}

/** `#/posts/pst_1?status=failed` is the view `posts`, the id `pst_1` and one filter. */
function route() {
  const [path, search] = location.hash.replace(/^#\/?/, '').split('?');
  const [name, ...rest] = path.split('/');
  return {
    name: Object.hasOwn(views, name) ? name : 'live',
    id: rest.length > 0 ? decoded(rest.join('/')) : undefined,
    filters: Object.fromEntries(new URLSearchParams(search)),
  };
}

function show() {
  cleanUp?.();
  cleanUp = undefined;
  const signedIn = Boolean(currentKey());
  nav.hidden = leave.hidden = !signedIn;
  if (!signedIn) return showKeyForm();
  const { name, id, filters } = route();
  for (const item of nav.querySelectorAll('a')) {
    if (item.hash === `#/${name}`) item.setAttribute('aria-current', 'page');
    else item.removeAttribute('aria-current');
  }
  const heading = h('h1', { tabindex: -1 }, views[name].title);
  document.title = [id, views[name].title, 'Postledger'].filter(Boolean).join(' · ');
  const root = h('div', {});
  main.replaceChildren(heading, root);
  try {
    cleanUp = views[name].render(root, { id, filters, stream, refreshAll: show });
  } catch (error) {
    root.replaceChildren(problem(error));
  }
}

function showKeyForm(error) {
  stopStream();
  document.title = 'Postledger';
  const key = h('input', { name: 'key', type: 'password', autocomplete: 'off', required: true, spellcheck: 'false' });
  main.replaceChildren(
    h('h1', {}, 'Enter an API key'),
    error ? problem(error) : '',
    form(
      {
        submit: 'Open',
        label: 'API key',
        async send(typed) {
          keepKey(typed.key.trim());
          try {
            await api.get('/posts', { limit: 1 });
          } catch (refused) {
            if (refused.status !== 403) {
              forgetKey();
              throw refused;
            }
          }
          begin();
        },
      },
      field('API key', key, {
        hint: 'Kept in this tab only. npm start prints it, or the file that it is in.',
        width: 'wide',
      }),
    ),
  );
  key.focus();
}

function begin() {
  startStream();
  show();
}

addEventListener('hashchange', () => {
  if (location.hash === '#main') return;
  const before = currentKey();
  takeKeyFromFragment();
  if (currentKey() !== before) return begin();
  show();
  main.querySelector('h1')?.focus();
});
addEventListener('key-refused', () => {
  if (!currentKey() || nav.hidden) return;
  forgetKey();
  cleanUp?.();
  cleanUp = undefined;
  nav.hidden = leave.hidden = true;
  showKeyForm({ title: 'The key was refused.', message: 'It is wrong, or it has been deleted.', code: 'UNAUTHORIZED' });
});
leave.addEventListener('click', () => {
  forgetKey();
  show();
});
document.getElementById('skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});

const theme = document.getElementById('theme');
const prefersDark = () => matchMedia('(prefers-color-scheme: dark)').matches;
function paint(chosen) {
  if (chosen) document.documentElement.dataset.theme = chosen;
  const isDark = (chosen ?? (prefersDark() ? 'dark' : 'light')) === 'dark';
  theme.textContent = isDark ? 'Light' : 'Dark';
  theme.setAttribute('aria-label', isDark ? 'Use light colours' : 'Use dark colours');
  return isDark;
}
theme.addEventListener('click', () => {
  const next = paint(document.documentElement.dataset.theme) ? 'light' : 'dark';
  localStorage.setItem('postledger.theme', next);
  paint(next);
});
paint(localStorage.getItem('postledger.theme') ?? undefined);

takeKeyFromFragment();
if (currentKey()) begin();
else show();
