// node test/load/rendering.bench.mjs: rendering and signing on one core, beside JSON.stringify and a bare HMAC of the same body.
import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import { build, install } from '../../apps/standalone/start.mjs';

await install();
await build();
const require = createRequire(import.meta.url);
const { contracts, signHeaders } = require('../../dist/libs/webhook-contracts/index.js');
const { exampleMessage } = require('../../dist/libs/webhook-contracts/catalogue.js');
const { generateSecret } = require('../../dist/libs/webhook-signing/src/index.js');

const TARGET = 60_000;
const MILLISECONDS = 400;

/** Calls of `work` per second of processor time, so that a busy machine does not count; after a warm-up of the same length. */
function perSecond(work) {
  const run = () => {
    const started = process.cpuUsage();
    const spent = () => {
      const { user, system } = process.cpuUsage(started);
      return (user + system) / 1000;
    };
    let calls = 0;
    while (spent() < MILLISECONDS) for (let n = 0; n < 200; n++, calls++) work(calls);
    return (calls / spent()) * 1000;
  };
  run();
  return Math.round(run());
}

const secrets = { 'standard-webhooks': [generateSecret('whsec')], 'post-ez': [generateSecret('pez')] };
const rows = [...contracts.values()].map((contract) => {
  const told = ['post.partial', 'post.destination_published', 'image.generation_completed'];
  const message = told.map((type) => exampleMessage(type)).find((each) => contract.render(each).length > 0);
  const payload = JSON.parse(contract.render(message)[0].body);
  const { body } = contract.render(message)[0];
  // A message of its own each time: what is made once per message must not count as free.
  const render = (n) => contract.render({ ...message, position: n }, { deliveryId: `dlv_${n}` })[0];
  const sign = (rendered, n) =>
    signHeaders(contract, secrets[contract.signature], { ...rendered, timestampSeconds: 1_776_866_400, sequence: n });
  const key = secrets[contract.signature][0];
  const rendered = render(1);
  return {
    contract: contract.name,
    bytes: Buffer.byteLength(body),
    'render/s': perSecond(render),
    'JSON.stringify/s': perSecond(() => JSON.stringify(payload)),
    'sign/s': perSecond((n) => sign(rendered, n)),
    'bare HMAC/s': perSecond(() => createHmac('sha256', key).update(body).digest('base64')),
    'both/s': perSecond((n) => sign(render(n), n)),
  };
});
console.table(rows);
const slowest = rows.reduce((least, row) => (row['both/s'] < least['both/s'] ? row : least));
const reached = slowest['both/s'] >= TARGET;
console.log(
  `${reached ? 'reached' : 'MISSED'}: rendering and signing ≥${TARGET}/s on one core; the slowest, ${slowest.contract}, does ${slowest['both/s']}/s`,
);
process.exitCode = reached ? 0 : 1;
