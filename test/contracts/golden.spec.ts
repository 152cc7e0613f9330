import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { coreTypes, type CoreType } from '#public-messages';
import { contracts, signHeaders, type Contract } from '#webhook-contracts';
import { exampleMessage } from '#webhook-contracts/catalogue';

// One file per message, as it goes over the wire: headers, an empty line, the body. `GOLDEN=add` writes the files
// that are missing (a new type, a new contract, a new version); it never changes one that is there.
const adding = process.env['GOLDEN'] === 'add';
const deliveryId = 'dlv_019a5b1c-0f00-7000-8000-000000000001';
const secrets = {
  'standard-webhooks': 'whsec_q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=',
  'post-ez': 'pez_golden_0123456789abcdefghijklmnopqrstuvwxyzA',
};

function wireFiles(contract: Contract): Map<string, string> {
  const files = new Map<string, string>();
  for (const core of Object.keys(coreTypes) as CoreType[]) {
    for (const rendered of contract.render(exampleMessage(core), { deliveryId })) {
      const signed = { ...rendered, timestampSeconds: 1776866400, sequence: 1 };
      const headers = Object.entries(signHeaders(contract, [secrets[contract.signature]], signed)).sort();
      const origin = rendered.type === core ? '' : `.from-${core}`;
      const part = rendered.index === 0 ? '' : `.${rendered.index + 1}`;
      files.set(
        `${rendered.type}${origin}${part}.http`,
        [...headers.map(([name, value]) => `${name}: ${value}`), '', rendered.body].join('\n'),
      );
    }
  }
  return files;
}

describe.each([...contracts.values()])('the released bytes of $name v$version', (contract) => {
  const folder = join(__dirname, `${contract.name}.v${contract.version}`);
  const files = wireFiles(contract);
  if (adding) {
    mkdirSync(folder, { recursive: true });
    for (const [name, wire] of files) if (!existsSync(join(folder, name))) writeFileSync(join(folder, name), wire);
  }

  it.each([...files])('%s are what they were', (name, wire) => {
    const path = join(folder, name);
    if (!existsSync(path)) throw new Error(`No golden file ${path}: for a new type, run this test with GOLDEN=add.`);
    if (readFileSync(path, 'utf8') !== wire) {
      throw new Error(
        `${contract.name} v${contract.version} is released and the bytes of ${name} changed. Undo the change, or make ` +
          `version ${contract.version + 1}: libs/webhook-contracts/${contract.name}/${contract.name}.v${contract.version + 1}.ts ` +
          `with golden files of its own.\n--- released\n${readFileSync(path, 'utf8')}\n--- now\n${wire}`,
      );
    }
  });

  it('are all still spoken', () => expect(readdirSync(folder).sort()).toEqual([...files.keys()].sort()));
});
