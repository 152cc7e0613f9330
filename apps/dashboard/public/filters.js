import { query } from './api.js';
import { h } from './dom.js';

/** A moment from a `datetime-local` input, as the api takes it. */
export const toInstant = (local) => (local ? new Date(local).toISOString() : undefined);

/** A moment as a `datetime-local` input shows it, by the reader's own clock; nothing where it is none. */
function toLocal(instant) {
  const at = new Date(instant);
  if (Number.isNaN(at.getTime())) return '';
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/**
 * Filters of a list, which its address keeps: a reload, the way back and a link show the same rows. Changes apply at once, Enter works,
 * nothing leaves the page. Returns `{ element, values }`; the values are those that the address has, so that a list that is read
 * again while something is typed never shows other rows than its address does.
 */
export function filterBar(given, onChange, ...controls) {
  let timer;
  const apply = () => {
    clearTimeout(timer);
    if (!element.isConnected) return;
    applied = values();
    history.replaceState(null, '', location.hash.split('?')[0] + query(applied));
    onChange();
  };
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(apply, 250);
  };
  const element = h(
    'form',
    {
      class: 'card row',
      role: 'search',
      novalidate: true,
      onsubmit: (event) => (event.preventDefault(), apply()),
      oninput: later,
    },
    ...controls,
  );
  const named = [...element.elements].filter(({ name }) => name);
  const values = () =>
    Object.fromEntries(
      named.map(({ name, type, value }) => [name, type === 'datetime-local' ? toInstant(value) : value.trim()]),
    );
  for (const control of named) fill(control, given[control.name] ?? '');
  let applied = values();
  return { element, values: () => applied };
}

function fill(control, text) {
  control.value = control.type === 'datetime-local' ? toLocal(text) : text;
  // A choice that there is not is none.
  if (control.selectedIndex === -1) control.selectedIndex = 0;
}
