/** A named fact with plain JSON data: the shape of every domain event. */
export interface Message<Type extends string = string, Data extends object = object> {
  readonly type: Type;
  readonly data: Data;
}

/** The data of one event type out of a union of events. */
export type DataOf<E extends Message, T extends E['type']> = Extract<E, { type: T }>['data'];
