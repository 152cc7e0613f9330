import { isSealed } from '#kernel';
import { ERASED } from './sealed-text';

/** Opens one sealed value: its JSON, and whether it was erased. */
export type OpenValue = (json: string) => { readonly text: string; readonly erased: boolean };

type Members = Record<string, unknown>;

/**
 * An answer with its sealed values opened, and `erased: true` on each thing of it that has lost one: on the answer itself, or, when
 * it is a page, on the elements of its list; on the elements of any list within; and on a `state` (how something stood).
 */
export function openThing(answer: unknown, open: OpenValue): unknown {
  const visit = (value: unknown): readonly [value: unknown, isErased: boolean] => {
    if (isSealed(value)) {
      const { text, erased } = open(JSON.stringify({ $sealed: value.$sealed }));
      return [text === ERASED ? null : JSON.parse(text), erased];
    }
    if (Array.isArray(value)) {
      const seen = value.map(visit);
      return [seen.map(([element, isErased]) => (isErased ? marked(element) : element)), seen.some(([, is]) => is)];
    }
    if (value === null || typeof value !== 'object') return [value, false];
    const members: Members = {};
    let isErased = false;
    for (const [name, member] of Object.entries(value)) {
      const [opened, is] = visit(member);
      members[name] = is && name === 'state' ? marked(opened) : opened;
      isErased ||= is;
    }
    return [members, isErased];
  };
  const [opened, isErased] = visit(answer);
  return isErased && !isPage(opened) ? marked(opened) : opened;
}

const isPage = (value: unknown): boolean => Array.isArray((value as Members | null)?.['data']);

const marked = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value, erased: true } : value;
