import { validateSync, type ValidationError } from 'class-validator';
import { readingsOf, type Dto } from './fields';
import { escapePointer } from './json-body';
import { invalid, type InputError } from './problem';

/**
 * Plain input as a checked instance of `dto`. Throws Problem VALIDATION_FAILED with every wrong place.
 * Nothing but the class's own fields gets in.
 */
export function validated<T extends object>(dto: new () => T, plain: unknown): T {
  if (typeof plain !== 'object' || plain === null || Array.isArray(plain))
    throw invalid({ pointer: '', message: 'must be a JSON object' });
  const instance = hydrate(dto, plain) as T;
  const errors = validateSync(instance, VALIDATION);
  if (errors.length > 0) throw invalid(...inputErrors(errors, ''));
  return instance;
}

const VALIDATION = {
  whitelist: true,
  forbidNonWhitelisted: true,
  stopAtFirstError: true,
  forbidUnknownValues: true,
  validationError: { target: false, value: false },
};

/** Own, so that a field named like a part of every object is a field like any other. */
function hydrate(dto: Dto, plain: object): object {
  const instance = new dto();
  const readings = readingsOf(dto.prototype as object);
  for (const key of Object.keys(plain)) {
    const how = readings.get(key);
    const value = (plain as Record<string, unknown>)[key];
    Object.defineProperty(instance, key, {
      value: how ? read(how, value) : value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return instance;
}

function read(
  { nested, each, read: reader }: { nested?: () => Dto; each?: boolean; read?: (value: unknown) => unknown },
  value: unknown,
): unknown {
  if (reader) return reader(value);
  if (!nested) return value;
  const one = (item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item) ? hydrate(nested(), item) : item;
  return each && Array.isArray(value) ? value.map(one) : one(value);
}

function inputErrors(errors: readonly ValidationError[], at: string): InputError[] {
  return errors.flatMap(({ property, constraints = {}, children = [] }) => {
    const pointer = `${at}/${escapePointer(property)}`;
    // A child that is no object is said by its parent's own rule, more clearly.
    const own = Object.entries(constraints).filter(([rule]) => rule !== 'nestedValidation' && rule !== 'unknownValue');
    return [
      ...own.map(([rule, message]) => ({
        pointer,
        message: rule === 'whitelistValidation' ? 'is not known here' : message,
      })),
      ...inputErrors(children, pointer),
    ];
  });
}
