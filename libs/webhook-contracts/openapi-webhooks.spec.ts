import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contracts, openApiWebhooks } from '.';

const webhooks = openApiWebhooks();

it('has an entry for each type of each contract', () =>
  expect(Object.keys(webhooks)).toEqual(
    [...contracts.values()].flatMap(({ name, types }) => types.map((type) => `${name}.${type}`)),
  ));

it('names each operation once', () => {
  const ids = Object.values(webhooks).map((entry) => (entry['post'] as { operationId: string }).operationId);
  expect(new Set(ids).size).toBe(ids.length);
});

it('is valid in an OpenAPI 3.1 document', () => {
  // The validator is an ES module, which Jest cannot load here: its own command line says the same.
  const folder = mkdtempSync(join(tmpdir(), 'openapi-'));
  const file = join(folder, 'openapi.json');
  writeFileSync(file, JSON.stringify({ openapi: '3.1.0', info: { title: 'Webhooks', version: '1' }, webhooks }));
  const cli = join(__dirname, '../../node_modules/@seriousme/openapi-schema-validator/bin/validate-api-cli.js');
  const { stdout, stderr } = spawnSync(process.execPath, [cli, file], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({ valid: true });
});
