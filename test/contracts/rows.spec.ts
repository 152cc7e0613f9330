import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { aggregates, type DomainEvent } from '#public-messages';
import { keyedViews, takeIn, type KeyedView } from '#read-models';
import { recorded } from './recorded';
import { stories } from './stories';

// One file per view: its rows after the first event of each type. Rows stay as they were written, so they may look otherwise only in a
// build of another shape. `GOLDEN=add` writes what is missing (a new view or event) and a view anew whose shape was counted up.

interface Rows {
  readonly shape: number;
  readonly rows: Readonly<Record<string, unknown>>;
}

const folder = join(__dirname, 'rows');
const fileOf = ({ name }: KeyedView): string => join(folder, `${name}.json`);
const released = (view: KeyedView): Rows | undefined =>
  existsSync(fileOf(view)) ? (JSON.parse(readFileSync(fileOf(view), 'utf8')) as Rows) : undefined;

/** A line for each row. */
const textOf = ({ shape, rows }: Rows): string =>
  `{"shape":${shape},"rows":{\n${Object.entries(rows)
    .map(([type, row]) => `"${type}":${JSON.stringify(row)}`)
    .join(',\n')}\n}}\n`;

/** The stories of one aggregate, as its stream would hold them. */
function told(category: string): ReturnType<typeof recorded>[] {
  const types = Object.keys(aggregates.find((it) => it.category === category)!.events);
  return stories
    .filter(({ type }) => types.includes(type))
    .map(({ type, data }, index) =>
      recorded(type as DomainEvent['type'], data as never, { category, id: `${category}_1`, n: index + 1 }),
    );
}

/** What a view's table has after the first event of each type, in each row that it touches: the state, and the columns that lists filter by. */
function rowsOf(view: KeyedView): Record<string, unknown> {
  const [rows, states]: [Record<string, unknown>, Map<string, object>] = [{}, new Map()];
  for (const event of told(view.category)) {
    takeIn(view, states, event);
    for (const [place, id] of view.keys(event).entries()) {
      const state = states.get(id)!;
      const columns = Object.entries(view.columns).map(([name, { type, of }]) => [name, type, of(state)]);
      rows[place === 0 ? event.type : `${event.type}, row ${place + 1}`] ??= JSON.parse(
        JSON.stringify({ state, columns }),
      );
    }
  }
  return rows;
}

describe.each(keyedViews)('the rows of $name', (view) => {
  const rows = rowsOf(view);
  if (process.env['GOLDEN'] === 'add') {
    const before = released(view);
    const kept = before?.shape === view.shape ? before.rows : {};
    mkdirSync(folder, { recursive: true });
    writeFileSync(fileOf(view), textOf({ shape: view.shape, rows: { ...rows, ...kept } }));
  }

  it('look as those that are stored already', () => {
    const before = released(view);
    const missing = Object.keys(rows).filter((type) => !before || !Object.hasOwn(before.rows, type));
    if (!before || missing.length > 0)
      throw new Error(`No row after ${missing.join(', ')} in ${fileOf(view)}: run this test with GOLDEN=add.`);
    try {
      expect({ shape: view.shape, rows }).toEqual(before);
    } catch (difference) {
      throw new Error(
        `Rows of ${view.name} are stored as shape ${before.shape} and would look otherwise now, so old things would be shown unlike new ones. ` +
          `Undo the change, or count up \`shape\` in the view and run this test with GOLDEN=add.\n${(difference as Error).message}`,
        { cause: difference },
      );
    }
  });
});

it('no golden file is of a view that is not known any more', () =>
  expect(readdirSync(folder).sort()).toEqual(keyedViews.map(({ name }) => `${name}.json`).sort()));
