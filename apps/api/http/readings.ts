/** Makes an instance of one class out of plain input. */
export type Dto = new () => object;

/** What is done to a field before it is checked: a class for its value, or text turned into what the field holds. */
export interface Reading {
  readonly nested?: () => Dto;
  readonly each?: boolean;
  readonly read?: (value: unknown) => unknown;
}

const READINGS = Symbol('readings');

/** The readings of a DTO class, its bases' included. */
export const readingsOf = (dto: object): ReadonlyMap<string, Reading> =>
  (Reflect.getMetadata(READINGS, dto) as Map<string, Reading> | undefined) ?? new Map();

/** Says how a field of a DTO class is read; adds to what was said before. */
export const reading =
  (how: Reading): PropertyDecorator =>
  (target, key) =>
    Reflect.defineMetadata(
      READINGS,
      new Map([...readingsOf(target), [String(key), { ...readingsOf(target).get(String(key)), ...how }]]),
      target,
    );
