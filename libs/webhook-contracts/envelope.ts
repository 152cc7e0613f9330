import { Type, type TSchema } from '@sinclair/typebox';
import { idPattern } from '#kernel';
import { coreTypes, isCoreType, type CoreMessage, type CoreType } from '#public-messages';
import type { Rendered } from './contract';

/** The event's id in an envelope. */
export const eventId = (): TSchema =>
  Type.String({ pattern: idPattern('evt').source, description: 'De-duplicate by it' });
/** A time in an envelope. */
export const moment = (): TSchema => Type.String({ format: 'date-time', description: 'RFC 3339, UTC, milliseconds' });

/** Schema of a core type's data. */
export const coreData = (type: CoreType): TSchema => coreTypes[type].data;

/** A contract that sends every core type, or some, under its own name with the core data in an envelope. */
export const inEnvelope =
  (types: ReadonlySet<string>, wrap: (message: CoreMessage) => string) =>
  (message: CoreMessage): readonly Rendered[] =>
    types.has(message.type)
      ? [{ id: message.id, type: message.type, body: wrap(message), coreId: message.id, index: 0 }]
      : [];

/** Every core type under its core name: `core`, `standard` and `cloudevents` have the same. */
export const allCoreTypes = Object.keys(coreTypes) as readonly CoreType[];
export const everyCoreType: ReadonlySet<string> = new Set(allCoreTypes);

/** `describe` and `schemaOf` of a contract whose types are core types. */
export const asCore = (types: ReadonlySet<string>, schema: (type: CoreType) => TSchema) => ({
  schemaOf: (type: string): TSchema | undefined => (types.has(type) && isCoreType(type) ? schema(type) : undefined),
  describe: (type: string): string | undefined =>
    types.has(type) && isCoreType(type) ? coreTypes[type].description : undefined,
});

/** The literal as a schema: the `type` key of a body. */
export const named = (type: string): TSchema => Type.Literal(type);
