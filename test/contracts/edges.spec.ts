import addFormats from 'ajv-formats';
import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';
import * as fc from 'fast-check';
import type { RecordedEvent } from '#event-store';
import type { Settlement } from '#publishing';
import { messagesOf } from '#public-messages';
import { contracts, signHeaders } from '#webhook-contracts';
import { generateSecret, verifyPostEz, verifyStandard } from '#webhook-signing';
import { AT, recorded } from './recorded';

// Whatever comes in, each contract's body is JSON in the form of its schema, says the data unchanged, and verifies.

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    'שלום',
    '\u202Eabc',
    '\u{1F469}\u200D\u{1F680}',
    '\u2028\u2029',
    '"}],{',
    '</script>',
    '\\u0000',
    '__proto__',
    '𝒳𐎀',
  ),
);
const anyId = (prefix: string) => fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/).map((tail) => `${prefix}_${tail}`);
const platform = fc.constantFrom('instagram', 'linkedin', 'constructor', 'to_string', 'x2');
const bigNumber = fc.constantFrom(0, 1, 2 ** 31, Number.MAX_SAFE_INTEGER);

const outcome = fc.oneof(
  fc.record({ ok: fc.constant(true), platformPostId: anyText, url: anyText }),
  fc.record({ ok: fc.constant(false), error: anyText, errorCode: anyText }),
);
const settlement: fc.Arbitrary<Settlement> = fc
  .uniqueArray(fc.tuple(anyId('acct'), anyId('dst'), platform, outcome, fc.boolean()), {
    minLength: 1,
    maxLength: 50,
    selector: ([accountId]) => accountId,
  })
  .map((all) => {
    const outcomes = all.map(([accountId, destinationId, platform, how, thisRound]) => ({
      accountId,
      destinationId,
      platform,
      thisRound,
      ...how,
    }));
    const published = outcomes.filter(({ ok }) => ok).length;
    return {
      postId: 'pst_1',
      campaignId: null,
      published,
      failed: outcomes.length - published,
      total: outcomes.length,
      round: 2,
      outcomes,
    };
  });

const anyEvent: fc.Arbitrary<RecordedEvent> = fc.oneof(
  settlement.map((data) => recorded('PostPartiallyPublished', data)),
  settlement.map((data) => recorded('PostFailed', data)),
  fc
    .record({ username: anyText, profileId: anyText, accountId: anyId('acct') })
    .map(({ accountId, username, profileId }) =>
      recorded(
        'AccountConnected',
        { accountId, platform: 'instagram', username, profileId, credentialExpiresAt: null },
        { category: 'account', id: accountId },
      ),
    ),
  fc
    .record({ region: anyText, added: fc.array(anyText), removed: fc.array(anyText) })
    .map((data) => recorded('GalleryUpdated', { galleryId: 'gal_1', ...data }, { category: 'gallery', id: 'gal_1' })),
  fc
    .record({ region: anyText, impressions: bigNumber, engagements: bigNumber })
    .map(({ region, ...counts }) =>
      recorded(
        'RegionPerformanceUpdated',
        { region, period: '2026-04', contentCount: 1, ...counts },
        { category: 'region', id: region || '-' },
      ),
    ),
  fc
    .record({ code: anyText, message: anyText, detail: fc.option(anyText) })
    .map((error) =>
      recorded(
        'OperationFailed',
        { operationId: 'op_1', kind: 'video', region: '../../etc', campaignId: null, error },
        { category: 'operation', id: 'op_1' },
      ),
    ),
);

const validators = new Map<string, ValidateFunction>();
const ajv = addFormats(new Ajv2020({ strict: true, strictTypes: false }));
const secrets = { 'standard-webhooks': generateSecret('whsec'), 'post-ez': generateSecret('pez') };
const now = Math.floor(Date.parse(AT) / 1000);

it.each([...contracts.values()])('$name says any text, id and number as it is', (contract) =>
  fc.assert(
    fc.property(anyEvent, (event) => {
      for (const message of messagesOf(event)) {
        for (const rendered of contract.render(message, { deliveryId: 'dlv_1' })) {
          const bytes = Buffer.from(rendered.body, 'utf8');
          const body = JSON.parse(bytes.toString('utf8')) as { data?: unknown };
          const validate =
            validators.get(contract.name + rendered.type) ?? ajv.compile(contract.schemaOf(rendered.type)!);
          validators.set(contract.name + rendered.type, validate);
          expect([validate(body), validate.errors]).toEqual([true, null]);
          if (['core', 'standard', 'cloudevents'].includes(contract.name))
            expect(body.data).toEqual(JSON.parse(message.dataJson));

          const secret = secrets[contract.signature];
          const headers = signHeaders(contract, [secret], { ...rendered, timestampSeconds: now });
          const verify = contract.signature === 'post-ez' ? verifyPostEz : verifyStandard;
          expect(verify({ secret, headers, body: bytes, now }).body).toBe(rendered.body);
        }
      }
    }),
    { numRuns: 60 },
  ),
);

it('loses no outcome, whatever the platforms and accounts', () =>
  fc.assert(
    fc.property(settlement, (data) => {
      const [message] = messagesOf(recorded('PostPartiallyPublished', data));
      const { platformResults } = JSON.parse(message!.dataJson) as { platformResults: object };
      return Object.keys(platformResults).length === data.outcomes.length;
    }),
  ));
