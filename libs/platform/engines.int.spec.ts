import { randomBytes } from 'node:crypto';
import { MINUTE } from '#kernel';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { loadSettings } from './config/settings';
import { openEngines, type Engines } from './engines';
import { createLogger } from './logger';

describe('the engines of a process', () => {
  const log = createLogger('test', 'silent');
  let test: TestDatabase;
  let engines: Engines;
  let warn: jest.SpiedFunction<typeof log.warn>;
  beforeAll(async () => {
    test = await testDatabase();
    // The upkeep of the bus has a timer of its own.
    jest.useFakeTimers({
      doNotFake: ['Date', 'performance', 'nextTick', 'queueMicrotask', 'setImmediate', 'setInterval'],
    });
    const settings = loadSettings({
      POSTLEDGER_MODE: 'sandbox',
      DATABASE_URL: test.url,
      POSTLEDGER_SECRET_KEY: randomBytes(32).toString('base64'),
      KAFKA_USERNAME: 'me',
      KAFKA_CA_FILE: '',
    });
    warn = jest.spyOn(log, 'warn');
    engines = await openEngines(settings, { name: 'test', log });
  });
  afterAll(async () => {
    jest.useRealTimers();
    await engines.close();
    await test.drop();
  });

  it('say that what is set for Kafka is for nothing while no URL makes it the bus', () => {
    expect(warn).toHaveBeenCalledWith({ unused: ['KAFKA_USERNAME'] }, expect.stringContaining('BUS_URL is not set'));
  });

  it('log what fails of the upkeep of the bus, for which nobody waits', async () => {
    await test.db.script('alter function bus.maintain rename to nobody_maintains');
    jest.advanceTimersByTime(MINUTE);
    jest.useRealTimers();
    await eventually(() =>
      expect(warn).toHaveBeenCalledWith(
        { err: expect.stringContaining('bus.maintain') },
        'the days of the bus are looked after later',
      ),
    );
  });
});
