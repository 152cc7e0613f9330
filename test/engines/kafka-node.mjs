import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@swc/core';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const require = createRequire(import.meta.url);
const PARTS = [
  'test/engines/kafka-properties',
  'test/engines/install-kafka',
  'libs/testing/own-port',
  'test/engines/kafka',
];

/** Kafka as the engine suites start it, for scripts: their modules are TypeScript, so they are turned into scripts first. Installs it when missing. */
export async function kafkaNode() {
  const folder = join(root, '.cache/engines');
  mkdirSync(folder, { recursive: true });
  for (const part of PARTS) {
    const { code } = transformSync(readFileSync(join(root, `${part}.ts`), 'utf8'), {
      jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
      module: { type: 'commonjs' },
    });
    writeFileSync(join(folder, `${basename(part)}.js`), code.replace('../../libs/testing/own-port', './own-port'));
  }
  const { KafkaNode } = require(join(folder, 'kafka.js'));
  await KafkaNode.install();
  return KafkaNode;
}
