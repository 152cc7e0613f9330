/** A JSON Schema (draft 2020-12), as plain data. */
export type Schema = Readonly<Record<string, unknown>>;

/** An answer with a name of its own in the reference. */
export interface AnswerSchema {
  readonly name: string;
  readonly description: string;
  readonly schema: Schema;
  readonly reference: { readonly $ref: string };
}

const known = new Map<string, AnswerSchema>();

/** Every answer that was declared, for the document. */
export const answerSchemas = (): readonly AnswerSchema[] => [...known.values()];

/** Declares an answer. */
export function answer(name: string, description: string, schema: Schema): AnswerSchema {
  const declared = { name, description, schema, reference: { $ref: `#/components/schemas/${name}` } };
  known.set(name, declared);
  return declared;
}

/** A page of a list. */
export const pageOf = (one: AnswerSchema): AnswerSchema =>
  answer(`${one.name}Page`, 'A page, newest first', object({ data: list(one.reference), nextCursor: nullable(text) }));

/** An object; names that end in `?` are optional, and no others come. */
export function object(properties: Readonly<Record<string, Schema>>): Schema {
  const entries = Object.entries(properties).map(([name, schema]) => [name.replace(/\?$/, ''), schema] as const);
  const required = Object.keys(properties).filter((name) => !name.endsWith('?'));
  return { type: 'object', properties: Object.fromEntries(entries), required, additionalProperties: false };
}

export const text: Schema = { type: 'string' };
export const time: Schema = { type: 'string', format: 'date-time' };
export const whole: Schema = { type: 'integer' };
export const flag: Schema = { type: 'boolean' };
export const anything: Schema = {};
export const list = (items: Schema): Schema => ({ type: 'array', items });
export const oneOf = (...values: readonly string[]): Schema => ({ type: 'string', enum: [...values] });
export const nullable = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] });
/** What is null once it was erased. */
export const personal: Schema = { ...nullable(text), description: 'null once it was erased' };
/** Of a thing that has lost something to an erasure. */
export const erased = { 'erased?': { const: true } } as const;
