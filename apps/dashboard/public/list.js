import { empty, fail, h, holding, isBusy, redraw, setBusy, settle, table, tableRow } from './dom.js';
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
  /** Rows that the reader has asked for: an answer that comes in between brings no fewer. */
  let wanted = pageSize;

  function onMore() {
    if (isBusy(more)) return;
    wanted = rows.length + pageSize;
    load(false);
  }
  const more = h('button', { type: 'button', class: 'quiet', onclick: onMore }, 'Show more');
  const list = table(caption, columns, []);
  const foot = h('p', {});
  /** The drawn rows by what they show: one that shows the same stays as it is, read, opened or half pressed. */
  let drawn = new Map();

  /** Only news is drawn. */
  function draw() {
    const now = JSON.stringify([rows, cursor]);
    if (now === shown) return;
    shown = now;
    if (rows.length === 0) return redraw(place, empty(nothing));
    const texts = rows.map((row) => JSON.stringify(row));
    drawn = new Map(texts.map((text, n) => [text, drawn.get(text) ?? tableRow(columns, rows[n])]));
    holding(place, () => {
      if (!list.isConnected) place.replaceChildren(list, foot);
      settle(list.querySelector('tbody'), [...drawn.values()]);
      foot.replaceChildren(
        cursor ? more : h('span', { class: 'soft', tabindex: -1 }, `${rows.length} shown, that is all.`),
      );
    });
  }

  /** The rows from the newest on, as many as are wanted, where there are so many. */
  async function again() {
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
    if (!anew) setBusy(more, true);
    place.setAttribute('aria-busy', 'true');
    try {
      const page = await (anew || !cursor ? again() : next());
      // An answer that was overtaken by a later question is old news.
      if (turn !== asked) return;
      rows = page.data;
      cursor = page.nextCursor;
      const isAtTheEnd = document.activeElement === more;
      draw();
      // Who is at the end of the list by keyboard stays there.
      if (isAtTheEnd) foot.firstElementChild?.focus({ preventScroll: true });
    } catch (error) {
      if (turn !== asked) return;
      shown = undefined;
      fail(place, error, () => load(true));
    } finally {
      setBusy(more, false);
      if (turn === asked) place.removeAttribute('aria-busy');
    }
  }

  load(true);
  return { element: place, refresh: () => load(true) };
}

/** Whether a view of what has these types, or of one such thing, is to be read again: also when a part of the stream was not told. */
export const concerns = (prefix, { type, data }, id = '') =>
  type === 'stream.missed' || type === 'stream.back' || (type.startsWith(prefix) && data.includes(id));

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
