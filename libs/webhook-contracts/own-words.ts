import type { Static, TObject, TSchema } from '@sinclair/typebox';
import { followingUuid, publicEventId } from '#kernel';
import { isCoreType, type CoreMessage, type CoreType, type MessageData } from '#public-messages';
import type { Rendered } from './contract';

/** One type of a contract that has payloads of its own. */
export interface OwnType<Data extends TObject = TObject> {
  readonly description: string;
  readonly data: Data;
}

/** One message to send: a type of the contract and its payload. */
export interface Word {
  readonly type: string;
  readonly data: object;
}

/** What a contract makes of each core type it has words for: none, one or several messages. */
export type Words = { readonly [T in CoreType]?: (data: MessageData<T>, message: CoreMessage) => readonly Word[] };

/** A message of an own type, its payload checked against the schema by the compiler. */
export const wordsFor =
  <Types extends Record<string, OwnType>>(_types: Types) =>
  <T extends keyof Types & string>(type: T, data: Static<Types[T]['data']>): Word => ({ type, data });

/** Renders by `words`; the first message has the core message's id, each further one an id derived from it. */
export const inOwnWords =
  (words: Words, wrap: (word: Word, id: string, message: CoreMessage) => string) =>
  (message: CoreMessage): readonly Rendered[] => {
    const say = isCoreType(message.type) ? (words[message.type] as Say | undefined) : undefined;
    if (say === undefined) return [];
    return say(JSON.parse(message.dataJson), message).map((word, index) => {
      const id = index === 0 ? message.id : publicEventId(followingUuid(message.id, `part ${index}`));
      return { id, type: word.type, body: wrap(word, id, message), coreId: message.id, index };
    });
  };

type Say = (data: unknown, message: CoreMessage) => readonly Word[];

/** `schemaOf` and `describe` of a contract with own types. */
export const ownTypes = (
  types: Readonly<Record<string, OwnType>>,
  schema: (type: string, data: TObject) => TSchema,
) => ({
  schemaOf: (type: string): TSchema | undefined => {
    const found = Object.hasOwn(types, type) ? types[type] : undefined;
    return found && schema(type, found.data);
  },
  describe: (type: string): string | undefined => (Object.hasOwn(types, type) ? types[type]!.description : undefined),
});
