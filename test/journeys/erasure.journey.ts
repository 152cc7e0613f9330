import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, Receiver, testDatabase, type TestDatabase } from '#testing';
import type { Client } from '../harness/client';
import { Program } from '../harness/program';
import { HISTORY_MS, historyIsTold } from '../harness/history';
import { Standalone } from '../harness/standalone';
import { tablesWith } from '../harness/tables-with';

type Thing = Record<string, unknown>;
interface Page {
  readonly data: readonly Thing[];
}
interface Erasure extends Thing {
  readonly sent: readonly Thing[];
}

const GUIDE = join(__dirname, '../../docs/guide/audit.md');
const SECRET_KEY = Buffer.alloc(32, 9).toString('base64');
/** What somebody wrote, or is called; each a word that stands nowhere else. */
const WORDS = {
  text: 'Quokkas at dawn',
  due: 'Quokkas at noon',
  email: 'numbat.quokka@example.com',
  reason: 'Quokka overload',
  note: 'A larger quokka',
  review: 'Quokka is a proper name',
  declined: 'Quokka card declined',
  username: 'quokka.official',
  left: 'Quokka left the band',
};
const ADA = { headers: { 'x-actor': 'usr_ada' } };
const KEPT = { headers: { 'x-actor': 'usr_ada', 'idempotency-key': 'schedule-once' } };
const POST = {
  id: 'pst_later',
  profileId: 'prof_1',
  content: { text: WORDS.text },
  destinations: [{ accountId: 'acct_q', platform: 'instagram' }],
  scheduledAt: '2031-01-01T00:00:00Z',
};

/** What an erasure leaves of somebody's words, over HTTP on the running program. `open` chooses the engines, and may start them. */
export function erasure(name: string, open: () => Promise<Record<string, string>>): void {
  describe(`somebody whose data is erased on ${name}`, () => {
    let database: TestDatabase;
    let standalone: Standalone;
    let receiver: Receiver;
    let client: Client;
    let engines: Record<string, string>;
    let endpoint: { id: string };

    const get = (path: string): Promise<Thing> => client.must(200, 'GET', path);
    const page = async (path: string): Promise<readonly Thing[]> => (await client.must<Page>(200, 'GET', path)).data;
    const exported = async (): Promise<string> => (await client.get('/audit-log/export')).text;
    const received = (type: string): readonly Thing[] =>
      receiver.bodies().flatMap((body) => (body.type === type ? [body.data] : []));
    const delivery = async (type: string): Promise<Thing> =>
      get(`/webhooks/deliveries/${(await page(`/webhooks/deliveries?type=${type}`))[0]!['id'] as string}`);
    /** Not waited for in the way of the event store's double, which lives in this process. */
    const command = async (name: string, ...args: string[]): Promise<string> => {
      const env = { ...engines, DATABASE_URL: database.url, POSTLEDGER_SECRET_KEY: SECRET_KEY };
      const program = Program.start([`dist/apps/${name}`, ...args], env);
      expect(await program.ended).toEqual({ code: 0, signal: null });
      return program.lines.join('\n');
    };

    const tablesWithWords = (): Promise<string[]> => tablesWith(database.db, 'quokka');

    async function streamed(after: string, until: string): Promise<string> {
      const stop = new AbortController();
      const response = await client.stream('/stream', after)(stop.signal);
      let text = '';
      for await (const chunk of response.body!) {
        text += Buffer.from(chunk as Uint8Array).toString('utf8');
        if (text.includes(`event: ${until}\n`) && text.endsWith('\n\n')) break;
      }
      stop.abort();
      return text;
    }

    beforeAll(async () => {
      engines = await open();
      database = await testDatabase({ max: 4 });
      receiver = await Receiver.open();
      standalone = await Standalone.start({
        DATABASE_URL: database.url,
        POSTLEDGER_SECRET_KEY: SECRET_KEY,
        PUBLISHER: 'none',
        ...engines,
      });
      await historyIsTold(standalone);
      client = standalone.client();
      endpoint = await client.endpoint(receiver.url());
      const account = { id: 'acct_q', platform: 'instagram', username: WORDS.username, profileId: 'prof_1' };
      await client.must(201, 'POST', '/accounts', account);
      await client.must(201, 'POST', '/posts', POST, KEPT);
      const due = { ...POST, id: 'pst_due', content: { text: WORDS.due }, scheduledAt: null };
      await client.must(201, 'POST', '/posts', due, ADA);
      await client.must(200, 'POST', '/posts/pst_later/cancel', { reason: WORDS.reason }, ADA);
      await client.must(201, 'POST', '/team/invitations', { id: 'inv_ada', email: WORDS.email, role: 'editor' });
      await client.must(200, 'POST', '/team/invitations/inv_ada/accept', { userId: 'usr_ada' });
      await client.must(201, 'POST', '/designs', { id: 'dsg_1', clientId: 'client_1' });
      await client.must(200, 'POST', '/designs/dsg_1/submit');
      await client.must(200, 'POST', '/designs/dsg_1/request-revision', { note: WORDS.note }, ADA);
      const adaptation = { region: 'au', locale: 'en-AU', reasons: [WORDS.review] };
      await client.must(200, 'POST', '/content/cnt_1/adaptation', adaptation, ADA);
      const payment = {
        invoiceId: 'in_1',
        amountCents: 100,
        currency: 'usd',
        outcome: 'failed',
        reason: WORDS.declined,
      };
      await client.must(200, 'POST', '/subscription/payments', payment, ADA);
      // An account, two posts, a cancelling, an invitation, a member, a design twice, a review, a payment.
      const told = 10;
      await eventually(async () => {
        expect(receiver.received).toHaveLength(told);
        expect(await page('/audit-log?action=DestinationDue')).toHaveLength(1);
        expect(await page('/webhooks/deliveries?status=delivered')).toHaveLength(told);
      });
    }, 120_000 + HISTORY_MS);
    afterAll(async () => {
      await standalone?.remove();
      await receiver?.close();
      await database?.drop();
    });

    it('is read by everybody who may, and stands in no table', async () => {
      expect((await get('/posts/pst_later'))['content']).toMatchObject({ text: WORDS.text });
      expect(await get('/team/invitations/inv_ada')).toMatchObject({ email: WORDS.email });
      expect(received('team.member_invited')).toMatchObject([{ email: WORDS.email }]);
      expect(received('account.connected')).toMatchObject([{ username: WORDS.username }]);
      expect(received('content.cultural_review_required')).toMatchObject([{ reasons: [WORDS.review] }]);
      for (const word of [WORDS.text, WORDS.due, WORDS.email, WORDS.declined]) expect(await exported()).toContain(word);
      expect(await tablesWithWords()).toEqual([]);
    });

    it('is told which webhooks had gone out, and the answer is the same again', async () => {
      await client.must(404, 'POST', '/subjects/usr_nobody/erase');
      const erasure = await client.must<Erasure>(200, 'POST', '/subjects/usr_ada/erase');
      expect(erasure).toMatchObject({ id: 'usr_ada', erased: true, nextCursor: null });
      expect(erasure.sent.map(({ type }) => type).sort()).toEqual([
        'content.cultural_review_required',
        'design.revision_requested',
        'post.cancelled',
        'team.member_invited',
      ]);
      // Two texts, one of them once more when it became due, a reason, an address, a note, a review, a declined card.
      expect(erasure['events']).toBe(8);
      expect(await client.must(200, 'POST', '/subjects/usr_ada/erase')).toEqual(erasure);
      expect(await get('/subjects/usr_ada')).toMatchObject({ erased: true, erasedAt: erasure['erasedAt'] });
      expect(await page('/audit-log?action=SubjectErased')).toHaveLength(1);
    });

    const everywhere = async (): Promise<void> => {
      expect(await get('/posts/pst_later')).toMatchObject({ content: { text: null }, erased: true });
      expect(await page('/posts')).toMatchObject([
        { id: 'pst_due', content: { text: null }, erased: true },
        { id: 'pst_later', content: { text: null }, erased: true },
      ]);
      expect(await get('/team/invitations/inv_ada')).toMatchObject({
        email: null,
        acceptedBy: 'usr_ada',
        erased: true,
      });
      expect(await page('/team/invitations')).toMatchObject([{ email: null, erased: true }]);
      expect(await get('/designs/dsg_1')).toMatchObject({ note: null, erased: true });
      expect(await get('/content/cnt_1')).toMatchObject({
        adaptations: [{ reasons: null, erased: true }],
        erased: true,
      });
      expect(await get('/subscription/payments/in_1')).toMatchObject({ reason: null, erased: true });

      const [entry] = await page('/audit-log?action=PostCancelled');
      expect(entry).toMatchObject({ actor: 'usr_ada', data: { postId: 'pst_later', reason: null }, erased: true });
      const then = await get('/audit-log/entities/post/pst_later');
      expect(then).toMatchObject({ state: { content: { text: null }, erased: true } });

      const { body, erased } = await delivery('team.member_invited');
      expect([(JSON.parse(body as string) as { data: Thing }).data['email'], erased]).toEqual([null, true]);
      const feed = await page(`/webhooks/endpoints/${endpoint.id}/events`);
      const pulled = feed.find(({ type }) => type === 'post.cancelled')!;
      expect(pulled).toMatchObject({ erased: true });
      expect(JSON.parse(pulled['body'] as string)).toMatchObject({ data: { postId: 'pst_later', reason: null } });

      const first = (await page('/audit-log?action=AccountConnected')).at(-1)!['id'] as string;
      const stream = await streamed(first, 'content.cultural_review_required');
      expect(stream).toContain('"email":null');
      for (const word of Object.values(WORDS).filter((it) => it !== WORDS.username))
        expect(`${stream}${await exported()}`).not.toContain(word);

      // What was kept under the Idempotency-Key is the same answer, as it can be read now.
      expect(await client.must(201, 'POST', '/posts', POST, KEPT)).toMatchObject({
        content: { text: null },
        erased: true,
      });
      expect(await get('/audit-log/verify')).toMatchObject({ ok: true });
      if (spawnSync('python3', ['--version']).status === 0) {
        const script = /```python\n([\s\S]*?)```/.exec(readFileSync(GUIDE, 'utf8'))![1]!;
        const said = execFileSync('python3', ['-c', script], { input: await exported(), encoding: 'utf8' });
        expect(said).toMatch(/^\d+ entries, unbroken\n$/);
      } else process.stderr.write('No python3 on this machine: the chain was not checked in Python.\n');
      expect(await tablesWithWords()).toEqual([]);
    };

    it('reads null everywhere from then on', everywhere);

    it('is sent again without what was erased', async () => {
      const { id } = await delivery('team.member_invited');
      await client.must(202, 'POST', `/webhooks/deliveries/${id as string}/replay`);
      await eventually(() => expect(received('team.member_invited')).toHaveLength(2));
      expect(received('team.member_invited')[1]).toMatchObject({ inviteId: 'inv_ada', email: null });
    });

    it('had not gone out with what is sent after the erasure', async () => {
      const before = await page('/subjects/usr_ada/sent');
      expect(before).toHaveLength(4);
      const { id } = await client.endpoint(receiver.url('/late'), { startFrom: '2026-01-01T00:00:00Z' });
      await eventually(async () =>
        expect(
          await page(`/webhooks/deliveries?endpointId=${id}&type=team.member_invited&status=delivered`),
        ).toHaveLength(1),
      );
      expect(await page('/subjects/usr_ada/sent')).toEqual(before);
      await client.must(204, 'DELETE', `/webhooks/endpoints/${id}`);
    });

    it('is an account as well', async () => {
      await client.must(200, 'POST', '/accounts/acct_q/disconnect', { reason: WORDS.left }, ADA);
      expect(await client.must<Erasure>(200, 'POST', '/subjects/acct_q/erase')).toMatchObject({ events: 1 });
      expect(await get('/accounts/acct_q')).toMatchObject({
        username: null,
        disconnectedReason: WORDS.left,
        erased: true,
      });
    });

    it('may come back, and be erased again', async () => {
      const again = { ...POST, id: 'pst_again', destinations: [{ accountId: 'acct_2', platform: 'instagram' }] };
      await client.must(201, 'POST', '/accounts', {
        id: 'acct_2',
        platform: 'instagram',
        username: 'x',
        profileId: 'p',
      });
      const made = await client.must(201, 'POST', '/posts', again, ADA);
      expect(made).toMatchObject({ content: { text: WORDS.text } });
      expect((await get('/posts/pst_later'))['content']).toMatchObject({ text: null });
      expect(await get('/subjects/usr_ada')).toMatchObject({ erased: false });
      await client.must(200, 'POST', '/subjects/usr_ada/erase');
      expect((await get('/posts/pst_again'))['content']).toMatchObject({ text: null });
      expect((await get('/accounts/acct_q'))['disconnectedReason']).toBeNull();
      expect(await page('/audit-log?action=SubjectErased')).toHaveLength(3);
    });

    it('is not brought back by views that are built anew, nor by a restart', async () => {
      expect(await command('projector/cli.js', 'rebuild', 'posts')).toContain('readers see');
      for (const view of ['posts', 'audit'])
        expect(await command('projector/cli.js', 'verify', view)).toContain('equal to the log');
      await standalone.program.stop();
      await standalone.start();
      expect(await get('/posts/pst_later')).toMatchObject({ content: { text: null }, erased: true });
      expect(await page('/audit-log?action=MemberInvited')).toMatchObject([{ data: { email: null }, erased: true }]);
      expect(await get('/audit-log/verify')).toMatchObject({ ok: true });
      expect(await tablesWithWords()).toEqual([]);
    });
  });
}
