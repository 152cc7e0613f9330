import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { testDatabase } from '#testing';
import { schemaText } from './schema-text';

const FILE = join(__dirname, '../../docs/reference/schema.sql');

it('the schema that the migrations make is the one that is checked in to be read', async () => {
  const test = await testDatabase();
  const text = await schemaText(test.db);
  await test.drop();
  if (process.env['UPDATE_DOCS']) writeFileSync(FILE, text);
  expect(readFileSync(FILE, 'utf8')).toBe(text);
});
