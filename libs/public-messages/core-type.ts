import { Type, type Static, type TObject, type TSchema } from '@sinclair/typebox';
import { idPattern, type Personal } from '#kernel';
import type { TOPICS } from './core-message';

/** One type of the public language: what it says, its data as JSON Schema 2020-12 (and TypeScript type), one example. */
export interface CoreTypeDefinition<Data extends TObject = TObject> {
  readonly topic: keyof typeof TOPICS;
  readonly description: string;
  readonly data: Data;
  readonly example: Static<Data>;
  /** What the example would carry beside its data for other contracts; see CoreMessage.factsJson. */
  readonly facts?: object;
  /** The entity id of the example: Kafka key and CloudEvents subject. */
  readonly exampleKey: string;
  /** Sent at once when somebody asks for it, and no event of the log: never on the bus. */
  readonly isSample?: true;
}

/** Identity with inference: the example is checked against the schema by the compiler. */
export const coreType = <Data extends TObject>(it: CoreTypeDefinition<Data>): CoreTypeDefinition<Data> => it;

/** A closed object: a released contract never changes, so nothing can be in it that the schema does not show. */
export const shape = <P extends Record<string, TSchema>>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });

export const id = (prefix: string) => Type.String({ pattern: idPattern(prefix).source });
export const text = (description?: string) => Type.String(description === undefined ? {} : { description });
export const time = () => Type.String({ format: 'date-time', description: 'RFC 3339, UTC, milliseconds' });
export const count = () => Type.Integer({ minimum: 0 });
export const flag = () => Type.Boolean();
export const list = <T extends TSchema>(of: T) => Type.Array(of);
export const nullable = <T extends TSchema>(of: T) => Type.Union([of, Type.Null()]);
const ERASED = 'null once it was erased';
const description = (more?: string) => (more === undefined ? ERASED : `${more}; ${ERASED}`);
/** A text that is somebody's (docs/decisions/0011): sealed until it goes out, null when it was erased by then. */
export const personal = (more?: string) =>
  Type.Unsafe<Personal | null>({ anyOf: [{ type: 'string' }, { type: 'null' }], description: description(more) });
export const personalList = () =>
  Type.Unsafe<Personal<readonly string[]> | null>({
    anyOf: [{ type: 'array', items: { type: 'string' } }, { type: 'null' }],
    description: description(),
  });
export const optional = <T extends TSchema>(of: T) => Type.Optional(of);
export const oneOf = <T extends readonly string[]>(...values: T) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: [...values] });
export const platform = () =>
  Type.String({ pattern: '^[a-z][a-z0-9_]{1,31}$', description: 'A social network, in lower case' });
