import { applyDecorators } from '@nestjs/common';
import type { ApiPropertyOptions } from '@nestjs/swagger';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsNumber,
  IsString,
  Matches,
  Max,
  Min,
  ValidateBy,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { idPattern, type IdPrefix } from '#kernel';
import { documented } from '../openapi/documented';
import { reading, type Dto } from './readings';
import { hasLength } from './text-length';
import { parseTime } from './time';

export interface FieldOptions {
  readonly optional?: boolean;
  /** Null is a value too. */
  readonly nullable?: boolean;
  readonly description?: string;
  readonly example?: unknown;
  /**
   * Of an optional field: whether the rest of the object makes it needed. When it does not, the field may not be there;
   * undefined where the rest does not say.
   */
  readonly needed?: (whole: Readonly<Record<string, unknown>>) => boolean | undefined;
}

type Schema = Readonly<Record<string, unknown>>;

/** Presence and documentation, common to all fields. */
function field(
  { optional = false, nullable = false, description, example, needed }: FieldOptions,
  schema: Schema,
  ...rules: PropertyDecorator[]
): PropertyDecorator {
  const skip = ValidateIf(
    (whole: Record<string, unknown>, value) =>
      !(value === undefined && optional && !needed?.(whole)) && !(value === null && nullable),
  );
  if (needed) rules.push(onlyIf(needed));
  const shown = property({
    ...(nullable ? { anyOf: [schema, { type: 'null' }] } : schema),
    required: !optional,
    ...(description !== undefined && { description }),
    ...(example !== undefined && { example }),
  } as ApiPropertyOptions);
  return applyDecorators(reading({}), skip, shown, ...rules);
}

/** What the document says of a field. */
const property = (options: ApiPropertyOptions): PropertyDecorator =>
  documented(({ ApiProperty }) => ApiProperty(options));

const onlyIf = (needed: NonNullable<FieldOptions['needed']>): PropertyDecorator =>
  ValidateBy({
    name: 'belongs',
    validator: {
      validate: (_, args) => needed((args?.object ?? {}) as Record<string, unknown>) !== false,
      defaultMessage: () => 'does not belong here',
    },
  });

/** Text of `min`–`max` characters (code points). */
export const Text = ({ min = 1, max, ...options }: FieldOptions & { min?: number; max: number }): PropertyDecorator =>
  field(
    options,
    { type: 'string', minLength: min, maxLength: max },
    IsString({ message: 'must be text' }),
    ValidateBy({
      name: 'hasLength',
      validator: {
        validate: (value) => hasLength(value, min, max),
        defaultMessage: () => `must have ${min} to ${max} characters`,
      },
    }),
  );

/** Text of a given form. */
export const Pattern = (pattern: RegExp, means: string, options: FieldOptions = {}): PropertyDecorator =>
  field(
    options,
    { type: 'string', pattern: pattern.source },
    IsString({ message: 'must be text' }),
    Matches(pattern, { message: `must be ${means}` }),
  );

/** An e-mail address: 3–320 characters, something on either side of one `@`. */
export const Email = (options: FieldOptions = {}): PropertyDecorator =>
  applyDecorators(
    Text({ min: 3, max: 320, ...options }),
    property({ pattern: EMAIL.source }),
    Matches(EMAIL, { message: 'must be an e-mail address' }),
  );

// An apostrophe is a part of some people's names.
const EMAIL = /^[^\s@<>",;]+@[^\s@<>"',;]+$/u;

/** An address of the web: absolute, `http` or `https`, at most 2,048 characters. */
export const WebUrl = (options: FieldOptions = {}): PropertyDecorator =>
  applyDecorators(
    Text({ max: 2_048, ...options }),
    property({ pattern: WEB_URL.source }),
    ValidateBy({
      name: 'isWebUrl',
      validator: { validate: isWebUrl, defaultMessage: () => 'must be an http or https URL' },
    }),
  );

// Not the format `uri`: letters of any script are taken, as networks write them.
const WEB_URL = /^[Hh][Tt][Tt][Pp][Ss]?:\/\/[^\s\\]+$/u;

const isWebUrl = (value: unknown): boolean => typeof value === 'string' && WEB_URL.test(value) && URL.canParse(value);

/** An id: the prefix, then 1–64 of `A-Za-z0-9_-`. */
export const Id = (prefix: IdPrefix, options: FieldOptions = {}): PropertyDecorator =>
  Pattern(idPattern(prefix), `an id such as ${prefix}_1`, options);

/** RFC 3339 with any offset; the field holds the Instant. */
export const Time = (options: FieldOptions = {}): PropertyDecorator =>
  applyDecorators(
    reading({ read: (value) => (typeof value === 'string' ? (parseTime(value) ?? value) : value) }),
    field(
      options,
      { type: 'string', format: 'date-time' },
      ValidateBy({
        name: 'isTime',
        validator: {
          validate: (value) => typeof value === 'string' && parseTime(value) !== undefined,
          defaultMessage: () => 'must be a time in the form of RFC 3339, such as 2026-04-22T14:00:00Z',
        },
      }),
    ),
  );

/** A time in a query, where the `+` of an offset that was not escaped arrives as a space. */
export const TimeText = (options: FieldOptions = {}): PropertyDecorator =>
  applyDecorators(
    Time(options),
    reading({
      read: (value) =>
        typeof value === 'string' ? (parseTime(value.replace(/ (\d\d:\d\d)$/, '+$1')) ?? value) : value,
    }),
  );

/** A whole number. */
export const Whole = ({
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
  ...options
}: FieldOptions & { min?: number; max?: number } = {}): PropertyDecorator =>
  field(
    options,
    { type: 'integer', minimum: min, maximum: max },
    IsInt({ message: 'must be a whole number' }),
    Min(min, { message: `must be at least ${min}` }),
    Max(max, { message: `must be at most ${max}` }),
  );

/** Any finite number. */
export const Decimal = ({ min, max, ...options }: FieldOptions & { min: number; max: number }): PropertyDecorator =>
  field(
    options,
    { type: 'number', minimum: min, maximum: max },
    IsNumber({}, { message: 'must be a number' }),
    Min(min, { message: `must be at least ${min}` }),
    Max(max, { message: `must be at most ${max}` }),
  );

/** A whole number in a query, where it arrives as text. */
export const WholeText = (options: FieldOptions & { min?: number; max?: number } = {}): PropertyDecorator =>
  applyDecorators(
    reading({ read: (value) => (typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value) }),
    Whole(options),
  );

/** A truth value: `true` or `false`, and no text that says so. */
export const Flag = (options: FieldOptions = {}): PropertyDecorator =>
  field(options, { type: 'boolean' }, IsBoolean({ message: 'must be true or false' }));

/** All words that a type allows, as a list: one that is missing does not compile, nor does one that the type lacks. */
export const wordsOf = <W extends string>(words: Readonly<Record<W, true>>): readonly W[] => Object.keys(words) as W[];

/** One of a fixed set of words. */
export const OneOf = (values: readonly string[], options: FieldOptions = {}): PropertyDecorator =>
  field(
    options,
    { type: 'string', enum: [...values] },
    IsIn([...values], { message: `must be one of ${values.join(', ')}` }),
  );

interface ListOptions extends FieldOptions {
  readonly min?: number;
  readonly max: number;
}

const listRules = (min: number, max: number): PropertyDecorator[] => [
  IsArray({ message: 'must be a list' }),
  ArrayMinSize(min, { message: `must hold at least ${min}` }),
  ArrayMaxSize(max, { message: `must hold at most ${max}` }),
];

/** A rule for each member of a list. Its message begins with the pointer to the first that breaks it, from the list on. */
const everyOne = (must: string, holds: (one: unknown) => boolean): PropertyDecorator =>
  ValidateBy({
    name: `everyOne ${must}`,
    validator: {
      validate: (value) => !Array.isArray(value) || value.every(holds),
      defaultMessage: (args) => `/${(args!.value as unknown[]).findIndex((one) => !holds(one))} ${must}`,
    },
  });

/** No two members are the same by what `of` takes of them. Its message points to the second one, at `place` in it. */
function noneTwice(of: (one: unknown) => unknown, place = '', what = 'one'): PropertyDecorator {
  const second = (value: unknown): number => {
    if (!Array.isArray(value)) return -1;
    const seen = new Set<unknown>();
    return value.findIndex((one) => {
      const mark = of(one);
      return mark !== undefined && seen.size === seen.add(mark).size;
    });
  };
  return ValidateBy({
    name: 'noneTwice',
    validator: {
      validate: (value) => second(value) < 0,
      defaultMessage: (args) => `/${second(args!.value)}${place} is the same ${what} as one before it`,
    },
  });
}

/** A list of texts; every one distinct when `unique`. */
export const TextList = ({
  min = 0,
  max,
  length,
  pattern,
  unique = false,
  ...options
}: ListOptions & { length: number; pattern?: RegExp; unique?: boolean }): PropertyDecorator =>
  field(
    options,
    {
      type: 'array',
      minItems: min,
      maxItems: max,
      uniqueItems: unique,
      items: { type: 'string', minLength: 1, maxLength: length, ...(pattern && { pattern: pattern.source }) },
    },
    ...listRules(min, max),
    everyOne('must be text', (one) => typeof one === 'string'),
    everyOne(`must have 1 to ${length} characters`, (one) => hasLength(one, 1, length)),
    ...(pattern
      ? [everyOne(`must match ${pattern.source}`, (one) => typeof one === 'string' && pattern.test(one))]
      : []),
    ...(unique ? [noneTwice((one) => one)] : []),
  );

/** A list of ids; each once unless `unique` is false. */
export const IdList = (
  prefix: IdPrefix,
  { unique = true, ...options }: ListOptions & { unique?: boolean },
): PropertyDecorator => TextList({ ...options, length: 64 + prefix.length + 1, pattern: idPattern(prefix), unique });

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The document knows a class that is named later by a function called `type`. */
const documentedAs = (dto: () => Dto, list: object = {}): PropertyDecorator => {
  const type = () => dto();
  return property({ type, ...list });
};

/** An object of its own class. */
export const Nested = (dto: () => Dto, options: FieldOptions = {}): PropertyDecorator =>
  applyDecorators(
    reading({ nested: dto }),
    field(
      options,
      {},
      documentedAs(dto),
      ValidateBy({ name: 'isObject', validator: { validate: isObject, defaultMessage: () => 'must be an object' } }),
      ValidateNested(),
    ),
  );

/** A list of objects of one class; `distinct` names what must not come twice. */
export const NestedList = (
  dto: () => Dto,
  { min = 0, max, distinct, ...options }: ListOptions & { distinct?: string },
): PropertyDecorator =>
  applyDecorators(
    reading({ nested: dto, each: true }),
    field(
      options,
      {},
      documentedAs(dto, { isArray: true, minItems: min, maxItems: max }),
      ...listRules(min, max),
      everyOne('must be an object', isObject),
      ...(distinct
        ? [noneTwice((one) => (one as Record<string, unknown> | null)?.[distinct], `/${distinct}`, distinct)]
        : []),
      ValidateNested({ each: true }),
    ),
  );

/** What its owner calls something, such as a region: 1–200 characters. It becomes part of streams and keys, so no control characters. */
export const Name = (options: FieldOptions = {}): PropertyDecorator =>
  applyDecorators(
    Text({ max: 200, ...options }),
    property({ pattern: NO_CONTROLS }),
    Matches(new RegExp(NO_CONTROLS, 'u'), { message: 'must not hold control characters' }),
  );

/** Written out: to readers of the OpenAPI document in some other languages `\P{Cc}` is an error. */
const NO_CONTROLS = String.raw`^[^\x00-\x1f\x7f-\x9f]*$`;

/** A free reference to something that is not ours: 1–200 characters. */
export const Reference = (options: FieldOptions = {}): PropertyDecorator => Text({ max: 200, ...options });
