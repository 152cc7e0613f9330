import { RevisionQuery } from './page.query';
import { Read, Write, type RouteOptions, type WriteOptions } from './routes';

type CommandOptions = Omit<WriteOptions, 'scope' | 'tagged' | 'method'>;

/** A command about a thing: it answers with the thing and its revision. */
export const Command = (path: string, options: CommandOptions): MethodDecorator =>
  Write(path, { ...options, scope: 'commands', tagged: true });

/** A thing comes into being by `POST` on its noun. */
export const Create = (path: string, options: CommandOptions): MethodDecorator =>
  Command(path, { ...options, status: 201 });

/** A thing by its id, at the revision that the caller has heard of (API.md: `minRevision`). `absent` is the code for an unknown id. */
export const ReadOne = (
  path: string,
  { absent, ...options }: Pick<RouteOptions, 'answer' | 'summary'> & { readonly absent: string },
): MethodDecorator =>
  Read(path, {
    ...options,
    scope: 'read',
    query: RevisionQuery,
    tagged: true,
    errors: [absent, 'READ_MODEL_BEHIND'],
  });
