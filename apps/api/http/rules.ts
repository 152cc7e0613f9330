import { getMetadataStorage, ValidationTypes, type ValidationArguments } from 'class-validator';

type Metadata = ReturnType<ReturnType<typeof getMetadataStorage>['getTargetValidationMetadatas']>[number];
type Check = (value: unknown, instance: object) => boolean;

interface FieldRules {
  readonly name: string;
  /** All must hold, or the field is not looked at. */
  readonly conditions: readonly ((instance: object, value: unknown) => boolean)[];
  readonly checks: readonly Check[];
  readonly isNested: boolean;
}

const compiled = new WeakMap<object, readonly FieldRules[]>();

/**
 * Whether class-validator would find nothing wrong with an instance. Its own search through the rules of all classes, and its
 * making of an error for every field, cost more than the checks: here the rules of a class are looked up once. False may also
 * mean that a rule is of a kind not known here: `validateSync` says what is wrong, if anything.
 */
export function keepsRules(instance: object): boolean {
  const rules = rulesOf(instance.constructor);
  return rules.length > 0 && rules.every((field) => keepsRule(field, instance));
}

function keepsRule({ name, conditions, checks, isNested }: FieldRules, instance: object): boolean {
  const value = (instance as Record<string, unknown>)[name];
  if (!conditions.every((condition) => condition(instance, value))) return true;
  if (!checks.every((check) => check(value, instance))) return false;
  if (!isNested || value === undefined) return true;
  return Array.isArray(value) ? value.every(keepsRulesNested) : keepsRulesNested(value);
}

const keepsRulesNested = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && keepsRules(value);

function rulesOf(dto: object): readonly FieldRules[] {
  const known = compiled.get(dto);
  if (known) return known;
  const storage = getMetadataStorage();
  const all = storage.getTargetValidationMetadatas(dto as () => void, '', false, false);
  const rules = Object.entries(storage.groupByPropertyName(all)).map(([name, metadata]) => fieldRules(name, metadata));
  compiled.set(dto, rules);
  return rules;
}

function fieldRules(name: string, all: readonly Metadata[]): FieldRules {
  const of = (type: string) => all.filter((each) => each.type === type);
  const conditions = of(ValidationTypes.CONDITIONAL_VALIDATION).map(
    ({ constraints }) => constraints[0] as FieldRules['conditions'][number],
  );
  const custom = of(ValidationTypes.CUSTOM_VALIDATION);
  const nested = of(ValidationTypes.NESTED_VALIDATION);
  const isAllKnown = conditions.length + custom.length + nested.length === all.length;
  return {
    name,
    conditions,
    checks: isAllKnown ? custom.flatMap(checksOf) : [() => false],
    isNested: nested.length > 0,
  };
}

function checksOf(metadata: Metadata): Check[] {
  const { constraintCls, constraints = [], each, propertyName: property, validateIf } = metadata;
  return getMetadataStorage()
    .getTargetValidatorConstraints(constraintCls)
    .map((constraint): Check => {
      if (constraint.async || validateIf) return () => false;
      const { instance: validator } = constraint;
      return (value, object) => {
        const asked: ValidationArguments = {
          value,
          object,
          property,
          constraints,
          targetName: object.constructor.name,
        };
        return each && Array.isArray(value)
          ? value.every((one) => validator.validate(one, asked) === true)
          : validator.validate(value, asked) === true;
      };
    });
}
