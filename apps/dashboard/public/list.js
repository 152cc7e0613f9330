import { empty, h, problem, redraw, table } from './dom.js';
import { api } from './api.js';

/** The most that the api gives at once. */
export const MAX_PAGE = 200;

/**
 * A list of the api: filters above, a table, "Show more" while there is more. Returns `{ element, refresh }`; refresh keeps as
 * many pages as are shown.
 */
export function pagedList({ path, caption, columns, nothing, filters = () => ({}), pageSize = 50 }) {
  const place = h('div', { 'aria-live': 'off' }, empty('Loading …'));
  let rows = [];
  let cursor = null;
  let asked = 0;
  let shown;

  const more = h('button', { type: 'button', class: 'quiet', onclick: () => load(false) }, 'Show more');

  /** Only news is drawn, so that a row that is being read stays as it is. */
  function draw() {
    const now = JSON.stringify([rows, cursor]);
    if (now === shown) return;
    shown = now;
    if (rows.length === 0) redraw(place, empty(nothing));
    else
      redraw(
        place,
        table(caption, columns, rows),
        h('p', {}, cursor ? more : h('span', { class: 'soft', tabindex: -1 }, `${rows.length} shown, that is all.`)),
      );
  }

  /** The rows from the newest on, at least as many as are shown now, where there are so many. */
  async function again() {
    const wanted = Math.max(pageSize, rows.length);
    for (let page, data = []; ;) {
      const limit = Math.min(MAX_PAGE, wanted - data.length);
      page = await api.get(path, { ...filters(), limit, ...(page && { cursor: page.nextCursor }) });
      data = [...data, ...page.data];
      if (data.length >= wanted || !page.nextCursor) return { data, nextCursor: page.nextCursor };
    }
  }

  async function next() {
    const page = await api.get(path, { ...filters(), limit: pageSize, cursor });
    return { data: [...rows, ...page.data], nextCursor: page.nextCursor };
  }

  async function load(anew) {
    const turn = ++asked;
    const isAtTheEnd = document.activeElement === more;
    more.disabled = true;
    try {
      const page = await (anew || !cursor ? again() : next());
      // An answer that was overtaken by a later question is old news.
      if (turn !== asked) return;
      rows = page.data;
      cursor = page.nextCursor;
      draw();
      more.disabled = false;
      // Who is at the end of the list by keyboard stays there.
      if (isAtTheEnd) place.lastElementChild.firstElementChild?.focus({ preventScroll: true });
    } catch (error) {
      if (turn !== asked) return;
      shown = undefined;
      redraw(
        place,
        problem(error, () => load(true)),
      );
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

/** Whether a view of what has these types, or of one such thing, is to be read again: also when a part of the stream was not told. */
export const concerns = (prefix, { type, data }, id = '') =>
  type === 'stream.missed' || (type.startsWith(prefix) && data.includes(id));

/** Runs `work` `ms` after it was first asked for; so a burst of events is one refresh, and a steady stream of them one every `ms`. */
export function calmly(work, ms = 300) {
  let timer;
  return () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      work();
    }, ms);
  };
}
