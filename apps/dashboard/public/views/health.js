import { health } from '../api.js';
import { badge, empty, fail, h, redraw, table } from '../dom.js';

export const title = 'Health';

const REFRESH_MS = 2_000;

export function render(root) {
  const place = h('div', {}, empty('Loading …'));
  root.append(place);

  async function load() {
    try {
      const { status, parts } = await health();
      redraw(
        place,
        h('p', {}, badge(status), status === 'ready' ? ' Every part can work.' : ' Something is missing.'),
        table(
          'Parts of this process',
          [
            ['Part', ([name]) => name],
            ['State', ([, { ok }]) => badge(ok ? 'ok' : 'failed')],
            ['What it says', ([, { ok, detail, ...rest }]) => said(ok, detail, rest), 'text'],
          ],
          Object.entries(parts ?? {}),
        ),
      );
    } catch (error) {
      fail(place, { title: 'No connection.', message: `The process does not answer (${error.message}).` }, load);
    }
  }

  load();
  const timer = setInterval(() => !document.hidden && load(), REFRESH_MS);
  return () => clearInterval(timer);
}

function said(ok, detail, facts) {
  const more = Object.entries(facts).map(([name, value]) => h('div', {}, `${name}: `, fact(value)));
  return [
    detail && h('div', {}, detail),
    more.length > 0 ? more : !detail && h('span', { class: 'soft' }, ok ? 'fine' : 'no word'),
  ];
}

/** Facts may hold facts, such as a position for each projection. */
function fact(value) {
  if (value === null || typeof value !== 'object') return h('code', {}, String(value));
  const inner = Object.entries(value);
  if (inner.length === 0) return 'none';
  return h(
    'span',
    { class: 'inline' },
    inner.map(([name, each]) => h('span', {}, `${name} `, h('code', {}, JSON.stringify(each)))),
  );
}
