import addFormats from 'ajv-formats';
import Ajv2020 from 'ajv/dist/2020';
import { catalogue, contracts, sample } from '.';
import { exampleMessage } from './catalogue';
import { instant } from '#kernel';
import { coreTypes, type CoreType } from '#public-messages';

const ajv = addFormats(new Ajv2020({ strict: true, allErrors: true, strictTypes: false }));

describe.each([...contracts.values()])('the catalogue of $name', (contract) => {
  const entries = catalogue(contract);

  it('lists every type once, with a description', () => {
    expect(entries.map(({ type }) => type)).toEqual([...new Set(contract.types)]);
    for (const { description } of entries) expect(description).toMatch(/\.$/);
  });

  it.each(entries)('shows an example of $type that its schema admits', ({ schema, example }) => {
    const validate = ajv.compile(schema);
    expect({ valid: validate(example), errors: validate.errors }).toEqual({ valid: true, errors: null });
  });

  it('has a schema for whatever it renders of the core examples', () => {
    for (const type of Object.keys(coreTypes) as CoreType[]) {
      for (const rendered of contract.render(exampleMessage(type))) {
        const validate = ajv.compile(contract.schemaOf(rendered.type)!);
        validate(JSON.parse(rendered.body));
        expect([rendered.type, validate.errors]).toEqual([rendered.type, null]);
      }
    }
  });

  it('admits nothing that the schema does not show', () => {
    const { schema, example } = entries[0]!;
    expect(ajv.validate(schema, { ...(example as object), extra: 1 })).toBe(false);
  });

  it('makes samples with fresh ids each time', () => {
    const [one, other] = [sample(contract), sample(contract)];
    expect(one.type).toBe('webhook.test');
    expect(one.id).not.toBe(other.id);
    const at = instant('2027-01-01T00:00:00.000Z');
    expect(sample(contract, 'webhook.test', { at }).body).toContain(`"${at}"`);
    expect(sample(contract, contract.types[0])).toMatchObject({ type: contract.types[0] });
  });

  it('makes samples of the workspace and the request that ask', () => {
    const { body } = sample(contract, 'webhook.test', { workspace: 'ws_mine', correlationId: 'cor-of-mine' });
    expect(body).not.toMatch(/ws_789|cor_019a5b1c/);
    if (/"(source|metadata)"/.test(body)) expect(body).toContain('ws_mine');
    if (/"correlationId"/.test(body)) expect(body).toContain('cor-of-mine');
  });

  it('has no schema and no description of a type it lacks', () => {
    const lacked = ['constructor', ...Object.keys(coreTypes)].filter((type) => !contract.types.includes(type));
    for (const type of lacked)
      expect([type, contract.schemaOf(type), contract.describe(type)]).toEqual([type, undefined, undefined]);
  });

  it('refuses a sample of a type it lacks', () => expect(() => sample(contract, 'no.such')).toThrow(RangeError));
});

it('shows of a type that several core types become what the first of them, in the order of the catalogue, does', () => {
  const entry = catalogue(contracts.get('post-ez')).find(({ type }) => type === 'post.published');
  expect(entry!.example).toMatchObject({ data: { published: 1, failed: 0, total: 1 } });
});

it('passes over no settlement that cannot be told by destination', () => {
  const { factsJson, ...bare } = exampleMessage('post.failed');
  expect(factsJson).toBeDefined();
  expect(() => contracts.get('posteverywhere')!.render(bare)).toThrow(`Message ${bare.id} lacks the facts`);
});
