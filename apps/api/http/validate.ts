import { validateSync, type ValidationError } from 'class-validator';
import { escapePointer, unknownName } from './json-body';
import { invalid, type InputError } from './problem';
import { readingsOf, type Dto, type Reading } from './readings';
import { keepsRules } from './rules';

/**
 * Plain input as a checked instance of `dto`. Throws Problem VALIDATION_FAILED with every wrong place.
 * Nothing but the class's own fields gets in.
 */
export function validated<T extends object>(dto: new () => T, plain: unknown): T {
  if (typeof plain !== 'object' || plain === null || Array.isArray(plain))
    throw invalid({ pointer: '', message: 'must be a JSON object' });
  const unknown: InputError[] = [];
  const instance = hydrate(dto, plain, '', unknown) as T;
  if (unknown.length === 0 && keepsRules(instance)) return instance;
  const errors = [...unknown, ...inputErrors(validateSync(instance, VALIDATION), '')];
  if (errors.length > 0) throw invalid(...errors);
  return instance;
}

/** Undeclared fields never get here, so class-validator need not look for them once more. */
const VALIDATION = {
  stopAtFirstError: true,
  forbidUnknownValues: true,
  validationError: { target: false, value: true },
};

/** Own, so that a field named like a part of every object never reaches one: only declared fields are taken over. */
function hydrate(dto: Dto, plain: object, at: string, unknown: InputError[]): object {
  const instance = new dto() as Record<string, unknown>;
  const readings = readingsOf(dto.prototype as object);
  for (const key of Object.keys(plain)) {
    const how = readings.get(key);
    if (how) instance[key] = read(how, (plain as Record<string, unknown>)[key], `${at}/${key}`, unknown);
    else unknown.push(unknownName(key, at));
  }
  return instance;
}

function read(
  { nested, each, read: reader }: Reading,
  value: unknown,
  pointer: string,
  unknown: InputError[],
): unknown {
  if (reader) return reader(value);
  if (!nested) return value;
  const one = (item: unknown, place: string) =>
    typeof item === 'object' && item !== null && !Array.isArray(item) ? hydrate(nested(), item, place, unknown) : item;
  if (!each) return one(value, pointer);
  return Array.isArray(value) ? value.map((item, index) => one(item, `${pointer}/${index}`)) : value;
}

function inputErrors(errors: readonly ValidationError[], at: string): InputError[] {
  return errors.flatMap(({ property, value, constraints = {}, children = [] }) => {
    const pointer = `${at}/${escapePointer(property)}`;
    // A child that is no object is said by its parent's own rule, more clearly.
    const own = Object.entries(constraints).filter(([rule]) => rule !== 'nestedValidation' && rule !== 'unknownValue');
    const told = own.map(([, message]) => inputError(pointer, message));
    // JSON and the query of an address have no `undefined`: the field is not there.
    const all = value === undefined ? told.map(missing) : told;
    return [...all, ...inputErrors(children, pointer)];
  });
}

const missing = ({ pointer, message }: InputError): InputError => ({
  pointer,
  message: message.startsWith('must ') ? `is missing; it ${message}` : message,
});

/** A rule about the members of a list says which one: its message begins with the rest of the pointer. */
function inputError(field: string, message: string): InputError {
  const [, member = '', rule = message] = /^(\/\d+(?:\/\w+)?) (.*)$/s.exec(message) ?? [];
  return { pointer: field + member, message: rule };
}
