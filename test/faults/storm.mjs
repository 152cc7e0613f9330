// What befalls the processes and their engines, at random moments.
import { setTimeout as pause } from 'node:timers/promises';

/** Strikes until told to stop; then everything lives again. `engines`: {database, kafka?, double?}. */
export async function storm({ stage, engines, dice, isOver, query, crashes, only }) {
  const { say } = stage;
  const any = () => dice.oneOf(stage.processes);
  const named = (one) => `${one.name}-${one.no}`;
  const slow = [];

  const strikes = {
    async kill() {
      const one = any();
      say(`kill ${named(one)}`);
      await one.kill();
      await pause(dice.between(0, 3_000));
      one.start();
    },
    async stop() {
      const one = any();
      say(`stop ${named(one)}`);
      const { ms, code, signal } = await one.stop();
      say(`${named(one)} stopped after ${ms} ms with ${code ?? signal}`);
      // One that has not begun yet hears nothing of signals.
      if (code !== 0 && !(signal === 'SIGTERM' && ms < 1_000))
        slow.push(`${named(one)} was told to stop and ended with ${code ?? signal} after ${ms} ms (life ${one.life})`);
      one.start();
    },
    async freeze() {
      const one = any();
      const ms = dice.between(500, 9_000);
      say(`freeze ${named(one)} for ${ms} ms`);
      one.signal('SIGSTOP');
      await pause(ms);
      one.signal('SIGCONT');
    },
    async cut() {
      say('cut all connections of the database');
      await query(
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database() and backend_type = 'client backend'",
      ).catch(() => undefined);
    },
    async both() {
      const name = dice.oneOf(['api', 'projector', 'delivery', 'publisher']);
      say(`kill both ${name}`);
      const both = stage.of(name);
      await Promise.all(both.map((one) => one.kill()));
      for (const one of both) one.start();
    },
    /** The apps get another secret key, one after the other in two rounds: first they are told, then they close with it. */
    async rekey() {
      say('another secret key');
      const { env } = stage;
      const [former, key] = [env.POSTLEDGER_SECRET_KEY, dice.bytes(32).toString('base64')];
      const rounds = [
        { POSTLEDGER_SECRET_KEY_NEXT: key },
        { POSTLEDGER_SECRET_KEY: key, POSTLEDGER_SECRET_KEY_PREVIOUS: former },
      ];
      for (const settings of rounds) {
        delete env.POSTLEDGER_SECRET_KEY_NEXT;
        Object.assign(env, settings);
        for (const one of stage.processes) {
          await (dice.chance(0.3) ? one.kill() : one.stop());
          one.start();
          await pause(dice.between(0, 1_000));
        }
        // Whoever begins the next round looks before whether all have made this one.
        await stage.ready(60_000);
      }
      say('every app has the other secret key');
    },
    async crash() {
      const ms = dice.between(0, 3_000);
      say(`crash the database, away for ${ms} ms`);
      await engines.database.crash(ms);
      say('the database is back');
    },
    async freezeDatabase() {
      const ms = dice.between(500, 8_000);
      say(`freeze the database for ${ms} ms`);
      engines.database.freeze(true);
      await pause(ms);
      engines.database.freeze(false);
    },
    async crashAll() {
      say('crash everything at once');
      await Promise.all([...stage.processes.map((one) => one.kill()), engines.database.crash(200)]);
      for (const one of stage.processes) one.start();
    },
    async killKafka() {
      const ms = dice.between(0, 5_000);
      say(`kill Kafka, away for ${ms} ms`);
      await engines.kafka.kill();
      await pause(ms);
      await engines.kafka.restart();
      say('Kafka is back');
    },
    async freezeKafka() {
      const ms = dice.between(500, 15_000);
      say(`freeze Kafka for ${ms} ms`);
      engines.kafka.freeze();
      await pause(ms);
      engines.kafka.thaw();
    },
    async freezeStore() {
      const ms = dice.between(500, 8_000);
      say(`freeze the event store for ${ms} ms`);
      engines.store.freeze(true);
      await pause(ms);
      engines.store.freeze(false);
    },
    async cutStore() {
      say('cut the connections of the event store');
      engines.store.tell('cut');
    },
  };
  const likely = only ?? [
    ...['kill', 'kill', 'kill', 'stop', 'stop', 'freeze', 'freeze', 'freeze', 'cut', 'cut', 'both', 'rekey'],
    ...(crashes ? ['crash', 'crash', 'crash', 'crash', 'crash', 'crashAll', 'freezeDatabase', 'freezeDatabase'] : []),
    ...(engines.kafka ? ['killKafka', 'freezeKafka', 'freezeKafka'] : []),
    ...(engines.store ? ['freezeStore', 'cutStore', 'cutStore'] : []),
  ];
  while (!isOver()) {
    await pause(dice.between(300, 5_000));
    await strikes[dice.oneOf(likely)]();
  }
  return slow;
}
