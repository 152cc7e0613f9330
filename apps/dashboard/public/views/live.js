import { empty, h, json, link, problem, time } from '../dom.js';
import { concerns } from '../list.js';

export const title = 'Live';

const SHOWN = 100;

/** What an event is about, in one word. */
const subject = (data) => Object.values(data).find((value) => typeof value === 'string') ?? '';

/** Where an event's subject is shown, when a view shows it. */
function place(data) {
  if (data.postId) return link(`#/posts/${encodeURIComponent(data.postId)}`, 'Open the post');
  if (data.deliveryId) return link(`#/deliveries/${encodeURIComponent(data.deliveryId)}`, 'Open the delivery');
  if (data.endpointId) return link(`#/webhooks/${encodeURIComponent(data.endpointId)}`, 'Open the endpoint');
  return undefined;
}

function item(event, isFresh) {
  const body = JSON.parse(event.data);
  const data = body.data ?? {};
  return h(
    'li',
    { class: isFresh ? 'fresh' : '' },
    h(
      'details',
      {},
      h('summary', {}, time(body.createdAt), h('strong', {}, event.type), h('span', { class: 'mono' }, subject(data))),
      place(data),
      json(body),
    ),
  );
}

export function render(root, { stream }) {
  let prefix = '';
  let paused = false;
  let waiting = [];
  let frame;

  const matches = (event) => concerns(prefix, event);
  const list = h('ol', { class: 'stream', 'aria-label': 'Events, newest first' });
  const nothing = empty(
    'Nothing has happened since this page was opened. ',
    link('#/posts', 'Schedule a post'),
    ' and watch it go by; what was before is in the ',
    link('#/audit', 'audit log'),
    '.',
  );
  const count = h('span', { class: 'soft', role: 'status' });
  const trouble = h('div', {});

  function draw() {
    waiting = [];
    trouble.replaceChildren(stream.refusal ? problem(stream.refusal) : '');
    const events = stream.events.filter(matches).slice(0, SHOWN);
    list.replaceChildren(...events.map((event) => item(event, false)));
    nothing.hidden = events.length > 0 || Boolean(stream.refusal);
    count.textContent = '';
  }

  /** Many events in one frame are one change of the page. */
  function flush() {
    frame = undefined;
    list.prepend(
      ...waiting
        .splice(0)
        .reverse()
        .map((event) => item(event, true)),
    );
    while (list.children.length > SHOWN) list.lastElementChild.remove();
    nothing.hidden = list.children.length > 0;
  }

  const pause = h('button', { type: 'button', class: 'quiet', 'aria-pressed': 'false' }, 'Pause');
  pause.addEventListener('click', () => {
    paused = !paused;
    pause.setAttribute('aria-pressed', String(paused));
    pause.textContent = paused ? 'Resume' : 'Pause';
    if (!paused) draw();
  });

  const filter = h('input', {
    type: 'search',
    placeholder: 'post.',
    oninput(event) {
      prefix = event.target.value.trim();
      draw();
    },
  });
  filter.id = 'live-filter';

  const stop = stream.on((event) => {
    if (event.type === 'stream.back') return;
    if (event.data === undefined) return draw();
    if (!matches(event)) return;
    waiting.push(event);
    if (waiting.length > SHOWN) waiting.shift();
    if (paused) count.textContent = `${waiting.length === SHOWN ? `${SHOWN} or more` : waiting.length} new`;
    else frame ??= requestAnimationFrame(flush);
  });

  root.append(
    h(
      'div',
      { class: 'card row' },
      h('div', { class: 'field' }, h('label', { for: 'live-filter' }, 'Type begins with'), filter),
      pause,
      count,
    ),
    trouble,
    h('div', { class: 'card' }, nothing, list),
  );
  draw();
  return () => {
    stop();
    if (frame) cancelAnimationFrame(frame);
  };
}
