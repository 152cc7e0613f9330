import type { DataOf, Message } from '#kernel';
import type { MessageData, MessageType } from './core-types';

/** One message that an event makes, before it gets its envelope. */
export interface Said {
  readonly type: MessageType;
  readonly data: object;
  readonly region?: string;
  readonly facts?: object;
  readonly aboutEndpoint?: string;
}

/** What each event of a context says in public: one pure function per event type; the compiler wants every one. */
export type Mapping<E extends Message> = {
  readonly [T in E['type']]: (data: DataOf<E, T>) => readonly Said[];
};

/** A message whose data is checked against its type. */
export const say = <T extends MessageType>(
  type: T,
  data: Readonly<MessageData<T>>,
  more: Omit<Said, 'type' | 'data'> = {},
): Said => ({
  type,
  data,
  ...more,
});

/** For an event that is nobody's business outside. */
export const nothing = (): readonly Said[] => [];

/** `{ [key]: value }`, or nothing where the value is null: for keys that CONTRACTS §3 marks with `?`. */
export const unlessNull = <K extends string, V>(key: K, value: V | null): { [P in K]?: V } =>
  value === null ? {} : ({ [key]: value } as { [P in K]?: V });
