import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { EventStoreDbDouble } from '#event-store/eventstoredb/double/eventstoredb-double';
import { Program } from '../harness/program';

describe('the program on EventStoreDB', () => {
  const folders: string[] = [];
  const opened: EventStoreDbDouble[] = [];
  const started: Program[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map((program) => program.isAlive && program.stop()));
    await Promise.all(opened.splice(0).map((double) => double.stop()));
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  const folder = (): string => {
    const made = mkdtempSync(join(tmpdir(), 'postledger-start-'));
    folders.push(made);
    return made;
  };
  const start = (url: string): Program => {
    const program = Program.start(['dist/apps/standalone/main.js', '--empty'], {
      DATA_DIR: folder(),
      PORT: '0',
      EVENT_STORE_URL: url,
    });
    started.push(program);
    return program;
  };

  it.each([
    ['a node', ({ url }: EventStoreDbDouble) => url],
    ['a cluster', ({ clusterUrl }: EventStoreDbDouble) => clusterUrl],
  ])('waits for %s that is not there yet, says so in a sentence, and starts when it is', async (_, address) => {
    const double = await EventStoreDbDouble.start();
    opened.push(double);
    await double.cutWire();
    const program = start(address(double));
    await program.line(/Waiting for the event store: EventStoreDB does not answer: \S/);
    expect(program.lines.join('\n')).not.toMatch(/\n\s+at .*:\d+:\d+\)/);
    await double.connectWire();
    await program.line(/API\s+http:/);
    expect(await program.stop()).toBe(0);
  });

  it('ends with one sentence when the node refuses the password', async () => {
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
    });
    const double = await EventStoreDbDouble.start(undefined, { key, cert, user: 'admin', password: 'changeit' });
    opened.push(double);
    const ca = join(folder(), 'ca.pem');
    writeFileSync(ca, cert);
    const program = start(`esdb://admin:wr0ng@localhost:${double.port}?tls=true&tlsCAFile=${ca}`);
    const { code } = await program.ended;
    const refused = 'Postledger cannot start. EventStoreDB refuses: user and password';
    expect(program.lines.filter((line) => line.startsWith(refused))).toHaveLength(1);
    expect(program.lines.join('\n')).not.toMatch(/wr0ng|\n\s+at .*:\d+:\d+\)/);
    expect(code).toBe(1);
  });
});
