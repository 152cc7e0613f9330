import { MemoryBus } from '#messaging/memory/memory-bus';
import { patientBus } from './patient-bus';

it('waits with its topics and groups for a bus that went away during the start, and says so', async () => {
  const bus = new MemoryBus();
  const said: string[] = [];
  for (const step of ['ensureTopics', 'subscribe'] as const)
    jest.spyOn(bus, step).mockRejectedValueOnce(new Error(`Closed connection at ${step}`));
  // What is not over yet is not said again.
  jest.spyOn(bus, 'subscribe').mockRejectedValueOnce(new Error('Still closed'));
  const close = jest.spyOn(bus, 'close');
  const patient = patientBus(bus, (sentence) => said.push(sentence));
  await patient.ensureTopics(['test.v1']);
  const heard: string[] = [];
  const message = { id: 'evt_1', type: 'test', topic: 'test.v1', key: 'a', headers: {}, value: '{}' };
  const got = new Promise<void>((done) => {
    void patient
      .subscribe({
        group: 'one',
        topics: ['test.v1'],
        onBatch: async (messages) => {
          heard.push(...messages.map(({ id }) => id));
          done();
        },
      })
      .then(() => patient.publish([message]));
  });
  await got;
  await patient.close();
  expect(close).toHaveBeenCalledTimes(1);
  expect(heard).toEqual(['evt_1']);
  expect(said).toEqual(
    ['ensureTopics', 'subscribe'].map((step) => `Waiting for the bus: Closed connection at ${step}`),
  );
});
