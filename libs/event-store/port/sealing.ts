import { isSealed, type EventSchema, type Owner, type Sealed } from '#kernel';
import type { NewEvent } from './event-store';

/** Seals for one subject. `place` is the event's id and the field in it; the same place and value are the same bytes again. */
export interface Sealer {
  seal(place: string, json: string): Sealed;
}

/** The keys of subjects: at once when they are in memory. Rejects when they cannot be had: then nothing may be appended. */
export interface Sealing {
  key(workspace: string, subject: string): Sealer | Promise<Sealer>;
}

type Data = Record<string, unknown>;
type Schemas = Readonly<Record<string, Pick<EventSchema, 'personal'>>>;

/** One personal field of one type. */
interface Field {
  readonly path: readonly string[];
  readonly owner: Owner;
}

const known = new WeakMap<object, readonly Field[]>();
const NONE: readonly Field[] = [];

/** The personal fields of an event type, taken apart once. */
function fieldsOf({ personal }: Pick<EventSchema, 'personal'>): readonly Field[] {
  if (!personal) return NONE;
  let fields = known.get(personal);
  if (!fields) {
    fields = Object.entries(personal).map(([path, owner]) => ({ path: path.split('.'), owner: owner! }));
    known.set(personal, fields);
  }
  return fields;
}

/** The events as they may be stored: every personal value is sealed for its subject. What comes sealed stays as it is. */
export function sealEvents(
  sealing: Sealing,
  schemas: Schemas,
  events: readonly NewEvent[],
): readonly NewEvent[] | Promise<readonly NewEvent[]> {
  const sealed = events.map((event) => sealEvent(sealing, fieldsOf(schemas[event.type]!), event));
  return sealed.some((one) => one instanceof Promise) ? Promise.all(sealed) : (sealed as NewEvent[]);
}

/** At once, unless a key has to be fetched; then from that field on. */
function sealEvent(sealing: Sealing, fields: readonly Field[], event: NewEvent): NewEvent | Promise<NewEvent> {
  const { id, data, metadata } = event;
  const [field, ...rest] = fields;
  if (!field) return event;
  const { path, owner } = field;
  const value = valueAt(data, path);
  const subject = value === null || value === undefined || isSealed(value) ? null : owner(data, metadata.actor);
  if (subject === null) return sealEvent(sealing, rest, event);
  const sealWith = (sealer: Sealer): NewEvent | Promise<NewEvent> => {
    const sealed = sealer.seal(`${id}/${path.join('/')}`, JSON.stringify(value));
    return sealEvent(sealing, rest, { ...event, data: withValueAt(data as Data, path, sealed) });
  };
  const key = sealing.key(metadata.workspace, subject);
  return key instanceof Promise ? key.then(sealWith) : sealWith(key);
}

const valueAt = (data: object, path: readonly string[]): unknown =>
  path.reduce<unknown>((value, name) => (value as Data | null | undefined)?.[name], data);

const withValueAt = (data: Data, [name, ...rest]: readonly string[], value: unknown): Data => ({
  ...data,
  [name!]: rest.length === 0 ? value : withValueAt(data[name!] as Data, rest, value),
});
