import { empty, h, problem, table } from './dom.js';
import { api } from './api.js';

/**
 * A list of the api: filters above, a table, "Show more" while there is more. Returns `{ element, refresh }`; refresh keeps as
 * many pages as are shown.
 */
export function pagedList({ path, caption, columns, nothing, filters = () => ({}), pageSize = 50 }) {
  const place = h('div', { 'aria-live': 'off' }, empty('Loading …'));
  let rows = [];
  let cursor = null;
  let asked = 0;

  const more = h('button', { type: 'button', class: 'quiet', onclick: () => load(false) }, 'Show more');

  function draw() {
    if (rows.length === 0) place.replaceChildren(empty(nothing));
    else
      place.replaceChildren(
        table(caption, columns, rows),
        h('p', {}, cursor ? more : h('span', { class: 'soft' }, `${rows.length} shown, that is all.`)),
      );
  }

  async function load(anew) {
    const turn = ++asked;
    const limit = anew ? Math.min(200, Math.max(pageSize, rows.length)) : pageSize;
    more.disabled = true;
    try {
      const page = await api.get(path, { ...filters(), limit, ...(anew || !cursor ? {} : { cursor }) });
      // An answer that was overtaken by a later question is old news.
      if (turn !== asked) return;
      rows = anew ? page.data : [...rows, ...page.data];
      cursor = page.nextCursor;
      draw();
    } catch (error) {
      if (turn === asked) place.replaceChildren(problem(error, () => load(true)));
    } finally {
      more.disabled = false;
    }
  }

  load(true);
  return { element: place, refresh: () => load(true) };
}

/** Filters of a list: changes apply at once, Enter works, nothing leaves the page. */
export function filterBar(onChange, ...controls) {
  let timer;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(onChange, 250);
  };
  return h(
    'form',
    { class: 'card row', role: 'search', onsubmit: (event) => (event.preventDefault(), onChange()), oninput: later },
    ...controls,
  );
}

/** A moment from a `datetime-local` input, as the api takes it. */
export const toInstant = (local) => (local ? new Date(local).toISOString() : undefined);

/** Runs `work` once things have been calm for `ms`; so a burst of events is one refresh. */
export function calmly(work, ms = 300) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, ms);
  };
}
