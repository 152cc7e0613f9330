import { eventually, ownPort } from '#testing';
import { StartupServer } from './startup-server';

describe('the port of an app that starts', () => {
  let port: number;
  let startup: StartupServer;
  beforeEach(async () => {
    port = await ownPort();
    startup = new StartupServer('test', { host: '127.0.0.1', port });
  });
  afterEach(() => startup.close());
  const ask = () => fetch(`http://127.0.0.1:${port}/health/live`);

  it('answers while something is waited for, and is free for the app afterwards', async () => {
    await expect(ask()).rejects.toThrow('fetch failed');
    startup.wait('Waiting for this');
    await eventually(async () => expect((await ask()).status).toBe(200));
    await startup.close();
    await expect(ask()).rejects.toThrow('fetch failed');
  });

  it('is left to the app that runs, whatever it waits for then', async () => {
    await startup.close();
    startup.wait('Waiting for a bus that is away');
    const app = new StartupServer('app', { host: '127.0.0.1', port });
    app.wait('Waiting, in its place');
    await eventually(async () => expect(await (await ask()).json()).toEqual({ status: 'live', app: 'app' }));
    await app.close();
  });

  it('is somebody else’s, and stays so', async () => {
    startup.wait('Waiting for this');
    await eventually(async () => expect((await ask()).status).toBe(200));
    const second = new StartupServer('second', { host: '127.0.0.1', port });
    second.wait('Waiting for this, too');
    await second.close();
    expect(await (await ask()).json()).toEqual({ status: 'live', app: 'test' });
  });
});
