/** Makes an element. Text goes in as text: nothing that comes from the api is ever read as HTML. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'class') element.className = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.flat(3).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

let labels = 0;

/** A labelled field: `field('Name', h('input', { name: 'name' }))`. */
export function field(label, control, { hint, width } = {}) {
  const id = `field-${++labels}`;
  control.id = id;
  if (hint) control.setAttribute('aria-describedby', `${id}-hint`);
  return h(
    'div',
    { class: `field ${width ?? ''}` },
    h('label', { for: id }, label),
    hint && h('span', { id: `${id}-hint` }, hint),
    control,
  );
}

export const check = (label, props) =>
  h('label', { class: 'check' }, h('input', { type: 'checkbox', ...props }), label);

export const select = (name, options, props = {}) =>
  h(
    'select',
    { name, ...props },
    options.map((option) => {
      const [value, text] = Array.isArray(option) ? option : [option, option || 'any'];
      return h('option', { value }, text);
    }),
  );

const MOOD = {
  published: 'good',
  delivered: 'good',
  connected: 'good',
  enabled: 'good',
  ok: 'good',
  ready: 'good',
  live: 'good',
  failed: 'bad',
  parked: 'bad',
  disconnected: 'bad',
  disabled: 'bad',
  unavailable: 'bad',
  partial: 'wait',
  retrying: 'wait',
  publishing: 'wait',
  connecting: 'wait',
};

/** A state, by its word first and its colour second. */
export const badge = (status) => h('span', { class: `badge ${MOOD[status] ?? ''}` }, status ?? '–');

const short = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

export const time = (value) =>
  value
    ? h('time', { datetime: value, title: value }, short.format(new Date(value)))
    : h('span', { class: 'soft' }, '–');

export const code = (text) =>
  text === undefined || text === null ? h('span', { class: 'soft' }, '–') : h('code', {}, text);

export const link = (hash, text) => h('a', { href: hash }, text);

/** JSON as people read it; as it stands what is not JSON, or what JavaScript reads as something else (a long number, a name twice). */
export function json(value) {
  if (typeof value !== 'string') return h('pre', { tabindex: 0 }, JSON.stringify(value, null, 2));
  try {
    const read = JSON.parse(value);
    return h('pre', { tabindex: 0 }, JSON.stringify(read) === value.trim() ? JSON.stringify(read, null, 2) : value);
  } catch (error) {
    return h('pre', { tabindex: 0, title: error.message }, value);
  }
}

export const empty = (...content) => h('p', { class: 'empty' }, ...content);

/** What went wrong, as the api's problem document says it, field by field. */
export function problem(error, retry) {
  return h(
    'div',
    { class: 'problem', role: 'alert' },
    h('strong', {}, error.title ?? 'Something went wrong'),
    ' ',
    error.message,
    error.code && h('span', {}, ' (', h('code', {}, error.code), ')'),
    error.errors?.length > 0 &&
      h(
        'ul',
        {},
        error.errors.map(({ pointer, message }) => h('li', {}, h('code', {}, pointer), ` ${message}`)),
      ),
    retry && h('p', {}, h('button', { type: 'button', class: 'quiet small', onclick: retry }, 'Try again')),
  );
}

/** Shows in a place what went wrong there. What is said already is not said again, nor the focus moved: a view that looks for itself asks every few seconds. */
export function fail(place, error, retry) {
  const shown = problem(error, retry);
  if (place.textContent !== shown.textContent) redraw(place, shown);
}

/** A row of a table: a cell for each of its columns, which are `[heading, cell(row), class?]`. */
export const tableRow = (columns, row) =>
  h(
    'tr',
    {},
    columns.map(([, cell, className]) => h('td', { class: className }, cell(row))),
  );

export function table(caption, columns, rows) {
  return h(
    'div',
    { class: 'scroll' },
    h(
      'table',
      {},
      h('caption', {}, caption),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          columns.map(([heading]) => h('th', { scope: 'col' }, heading)),
        ),
      ),
      h(
        'tbody',
        {},
        rows.map((row) => tableRow(columns, row)),
      ),
    ),
  );
}

export const facts = (pairs) =>
  h(
    'dl',
    {},
    pairs
      .filter(([, value]) => value !== undefined && value !== null && value !== '')
      .map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]),
  );

/** What tells a control from the others beside it: its own name, or where it leads and what it says. */
const saying = (it) => it.getAttribute('aria-label') ?? `${it.getAttribute('href') ?? ''} ${it.textContent}`;

/**
 * Changes what is in a place. Who was on a button or a link there stays on it, and beside where it was when it is gone: never on
 * another one. What was moved aside to be read stays so, and a row in which something is about to be pressed stays under the pointer.
 */
export function holding(place, change) {
  const before = place.contains(document.activeElement) ? saying(document.activeElement) : undefined;
  const aside = [...place.querySelectorAll('.scroll')].map(({ scrollLeft }) => scrollLeft);
  const held = place.querySelector(':is(a, button, summary):is(:hover, :focus)');
  const top = held?.getBoundingClientRect().top;
  change();
  for (const [n, it] of place.querySelectorAll('.scroll').entries()) it.scrollLeft = aside[n] ?? 0;
  if (held?.isConnected) scrollBy(0, held.getBoundingClientRect().top - top);
  if (before === undefined || place.contains(document.activeElement)) return;
  place.tabIndex = -1;
  const again = [...place.querySelectorAll('button, a, summary, pre')].find((it) => saying(it) === before);
  (again ?? place).focus({ preventScroll: true });
}

/** What tells a part that can be opened from the others: the row it is in, and what it says. */
const part = (it) => `${it.closest('tr')?.cells[0].textContent} ${it.firstElementChild.textContent}`;

/** Puts new content in place of the old, as `holding` does; what was opened there stays open. */
export function redraw(place, ...content) {
  const open = new Set([...place.querySelectorAll('details[open]')].map(part));
  holding(place, () => place.replaceChildren(...content));
  for (const it of place.querySelectorAll('details')) it.open = open.has(part(it));
}

/** Makes the rows of a table body those, and moves none that stays. */
export function settle(body, rows) {
  const wanted = new Set(rows);
  for (const row of [...body.children]) if (!wanted.has(row)) row.remove();
  for (const [n, row] of rows.entries()) if (body.children[n] !== row) body.insertBefore(row, body.children[n] ?? null);
}

/** Says something that is over in a moment, to eyes and screen readers. */
export function notify(text) {
  const note = h('p', {}, text);
  document.getElementById('notices').append(note);
  setTimeout(() => note.remove(), 6_000);
}

/** Values of a form, the empty ones left out. */
export const values = (form) => Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ''));

/** A button that waits for its answer does nothing more, but keeps the focus, which one that is `disabled` loses. */
export const isBusy = (button) => button.getAttribute('aria-disabled') === 'true';
export const setBusy = (button, busy) => button.setAttribute('aria-disabled', String(busy));

/**
 * A form that cannot be sent twice, shows what the api minds beside itself, and keeps what was typed until it worked.
 * `send(values, form)` resolves when it did.
 */
export function form({ submit, send, label }, ...children) {
  const trouble = h('div', {});
  const button = h('button', { type: 'submit' }, submit);
  return h(
    'form',
    {
      class: 'card',
      'aria-label': label,
      async onsubmit(event) {
        event.preventDefault();
        if (isBusy(button)) return;
        setBusy(button, true);
        try {
          await send(values(event.target), event.target);
          trouble.replaceChildren();
        } catch (error) {
          trouble.replaceChildren(problem(error));
        } finally {
          setBusy(button, false);
        }
      },
    },
    h('div', { class: 'row' }, ...children, button),
    trouble,
  );
}

/** A button for one call; while it runs it cannot be pressed again, and a failure is said. What `ask` asks is answered before it. */
export const action = (text, run, { ask, ...props } = {}) =>
  h(
    'button',
    {
      type: 'button',
      class: 'quiet small',
      ...props,
      async onclick(event) {
        const button = event.currentTarget;
        if (isBusy(button) || (ask && !confirm(ask))) return;
        setBusy(button, true);
        try {
          await run();
        } catch (error) {
          notify(`${text}: ${error.message}`);
        } finally {
          setBusy(button, false);
        }
      },
    },
    text,
  );

/** A code with a button that copies it. */
export function copyable(text, name = text) {
  const shown = code(text);
  return h(
    'span',
    { class: 'copyable' },
    shown,
    action('Copy', () => copy(shown), { 'aria-label': `Copy ${name}` }),
  );
}

/** Without a secure context there is no clipboard, and what is selected is copied. */
async function copy(element) {
  if (navigator.clipboard) await navigator.clipboard.writeText(element.textContent);
  else {
    getSelection().selectAllChildren(element);
    if (!document.execCommand('copy')) throw new Error('it is selected now, and Ctrl+C copies it.');
  }
  notify('Copied.');
}
