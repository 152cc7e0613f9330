import { idPattern, type IdPrefix } from '#kernel';
import { invalid } from './problem';

/** The id in the path of a thing that comes into being with its first command. Throws 400 for one of another form. */
export function newThingId(prefix: IdPrefix, id: string): string {
  if (!idPattern(prefix).test(id)) throw invalid({ pointer: '/id', message: `must be an id such as ${prefix}_1` });
  return id;
}
