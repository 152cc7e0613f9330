import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HTTP, type CloudEvent } from 'cloudevents';
import { Webhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { contracts, sample, signHeaders, type Contract } from '#webhook-contracts';
import { generateSecret } from '#webhook-signing';
import { contract } from './recorded';

// Verified by parties that are not us: on the raw bytes of every type of every contract.

const secret = generateSecret('whsec');
const now = () => Math.floor(Date.now() / 1000);

const delivery = (by: Contract, type: string, secrets: readonly string[], timestampSeconds = now()) => {
  const rendered = sample(by, type);
  return { ...rendered, headers: signHeaders(by, secrets, { ...rendered, timestampSeconds, sequence: 1 }) };
};

const standard = [...contracts.values()].filter(({ signature }) => signature === 'standard-webhooks');

describe.each(standard.flatMap((by) => by.types.map((type) => ({ by, name: by.name, type }))))(
  '$name $type',
  ({ by, type }) => {
    it('is verified by the standardwebhooks and svix packages', () => {
      const { body, headers } = delivery(by, type, [secret]);
      expect(new Webhook(secret).verify(Buffer.from(body), headers)).toEqual(JSON.parse(body));
      expect(new SvixWebhook(secret).verify(Buffer.from(body), headers)).toEqual(JSON.parse(body));
    });
  },
);

describe('the other libraries', () => {
  it('take either secret of a rotation', () => {
    const older = generateSecret('whsec');
    const { body, headers } = delivery(contract('core'), 'webhook.test', [secret, older]);
    for (const live of [secret, older]) {
      expect(new Webhook(live).verify(body, headers)).toEqual(JSON.parse(body));
      expect(new SvixWebhook(live).verify(body, headers)).toEqual(JSON.parse(body));
    }
  });

  it('refuse the same JSON in other bytes', () => {
    const { body, headers } = delivery(contract('core'), 'webhook.test', [secret]);
    expect(() => new Webhook(secret).verify(JSON.stringify(JSON.parse(body), null, 1), headers)).toThrow(
      'No matching signature found',
    );
  });

  it('sign as we sign', () => {
    const { id, body, headers } = delivery(contract('core'), 'post.partial', [secret], 1776866400);
    expect(new Webhook(secret).sign(id, new Date(1776866400_000), body)).toBe(headers['webhook-signature']);
  });
});

describe('the CloudEvents SDK', () => {
  const by = contract('cloudevents');

  it.each(by.types)('parses %s', (type) => {
    const { id, body, headers } = delivery(by, type, [secret]);
    const event = HTTP.toEvent({ headers, body }) as CloudEvent<unknown>;
    expect(event.validate()).toBe(true);
    const { data, time, subject } = JSON.parse(body) as { data: unknown; time: string; subject: string };
    expect(event).toMatchObject({
      specversion: '1.0',
      id,
      type,
      source: 'urn:postledger:workspace:ws_789',
      subject,
      time,
      data,
    });
  });
});

describe('the rule of Post-EZ, in Python', () => {
  const by = contract('post-ez');
  const pez = generateSecret('pez');

  /** Asks the guide's own function. Returns one True or False per delivery; undefined where there is no Python. */
  function python(
    deliveries: readonly { readonly header: string | null; readonly body: string; readonly now: number }[],
  ): boolean[] | undefined {
    const guide = readFileSync(join(__dirname, '../../docs/guide/receive-webhooks.md'), 'utf8');
    const code = /```python file=post_ez\.py\n([\s\S]*?)\n```/.exec(guide)?.[1];
    const folder = mkdtempSync(join(tmpdir(), 'post-ez-'));
    const script = join(folder, 'post_ez.py');
    writeFileSync(
      script,
      `${code}\nimport json, sys\nfor d in json.load(sys.stdin)["deliveries"]:\n    print(verify(${JSON.stringify(pez)}, d["header"], d["body"].encode(), d["now"]))\n`,
    );
    const asked = spawnSync('python3', [script], { input: JSON.stringify({ deliveries }), encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    if (asked.error) return undefined;
    if (asked.status !== 0) throw new Error(asked.stderr);
    return asked.stdout
      .trim()
      .split('\n')
      .map((line) => line === 'True');
  }

  const at = 1776866400;
  const signed = by.types.map((type) => {
    const { body, headers } = delivery(by, type, [generateSecret('pez'), pez], at);
    return { header: headers['x-postez-signature']!, body, now: at };
  });
  const tampered = signed.map((each) => ({ ...each, body: each.body.replace('evt_', 'evt-') }));
  const late = signed.map((each) => ({ ...each, now: at + 301 }));
  const { header, ...first } = signed[0]!;
  const malformed = [
    null,
    '',
    'nonsense',
    't=,v1=',
    `t=soon,${header}`,
    `t=${'9'.repeat(5_000)},v1=00`,
    `t=${at},v1=é`,
    header.replaceAll('v1=', 'v2='),
    header.replace(/^t=\d+,/, ''),
  ].map((each) => ({ ...first, header: each }));

  it('says what we say of every type, of a changed body, of an old one and of a header that is none', () => {
    const answers = python([...signed, ...tampered, ...late, ...malformed]);
    if (answers === undefined) {
      process.stderr.write('No python3 on this machine: the rule of Post-EZ was not checked in Python.\n');
      return;
    }
    expect(answers).toEqual([...signed.map(() => true), ...[...tampered, ...late, ...malformed].map(() => false)]);
  });
});
