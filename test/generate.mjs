// npm run docs: writes every generated document anew. Tests fail when one of them drifts from the code.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { build, install } from '../apps/standalone/start.mjs';

const require = createRequire(import.meta.url);
const from = (path) => require(`../dist/${path}.js`);

await install();
await build();
const settings = from('libs/platform/config/settings');
const documents = {
  '.env.example': settings.envExample,
  'docs/reference/settings.md': settings.settingsReference,
  'docs/reference/errors.md': from('apps/api/http/error-reference').errorReference,
  'docs/reference/openapi.json': from('apps/api/openapi/openapi-text').openApiText,
  'docs/reference/asyncapi.json': from('libs/public-messages/asyncapi').asyncApiText,
  'docs/reference/event-types.md': from('libs/webhook-contracts/event-types-reference').eventTypesReference,
};
for (const [path, make] of Object.entries(documents)) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, await make());
  console.log(path);
}
