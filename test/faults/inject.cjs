// Preloaded into an app (`node -r`): whatever it asks of its engines takes seeded random times, both before it is sent and before its answer is
// seen, and now and then the connection is cut instead: before the request was sent, or when it was done and nobody has heard of it.
// FAULTS is {seed, name, some, long, cut}: the shares of requests that wait for up to 50 ms, that wait for up to 3 s, and whose connection is cut.
const { randomOf } = require('./random.cjs');

const { seed, name, ...weather } = JSON.parse(process.env.FAULTS);
const { random } = randomOf(seed, name);

let { some, long, cut } = weather;
/** From now on nothing is slow or cut. */
process.on('SIGUSR2', () => (some = long = cut = 0));

function waitMs() {
  const dice = random();
  if (dice < long) return 200 + random() * 2_800;
  return dice < long + some ? random() * 50 : 0;
}
const later = (act) => {
  const ms = waitMs();
  return ms === 0 ? act() : void setTimeout(act, ms);
};
const pause = () => new Promise((over) => later(over));
const isCut = () => random() < cut / 2;
const reset = () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });

/** What is asked of one connection keeps its order. */
function inTurn() {
  const waiting = [];
  let isBusy = false;
  const next = () => {
    const act = waiting.shift();
    isBusy = act !== undefined;
    if (act) later(() => (act(), next()));
  };
  return (act) => {
    waiting.push(act);
    if (!isBusy) next();
  };
}
const turns = new WeakMap();
const turnsOf = (client) => {
  if (!turns.has(client)) turns.set(client, { asked: inTurn(), heard: inTurn() });
  return turns.get(client);
};

const { Client } = require('pg');
const { query, _handleNotification: notify } = Client.prototype;
Client.prototype.query = function (config, values, callback) {
  const ask = (told) =>
    turnsOf(this).asked(() => {
      if (isCut()) this.connection.stream.destroy(reset());
      query.call(this, config, Array.isArray(values) ? values : undefined, (error, result) => {
        if (error || !isCut()) return later(() => told(error, result));
        this.connection.stream.destroy(reset());
        told(reset());
      });
    });
  const given = typeof values === 'function' ? values : callback;
  if (typeof given === 'function') return void ask(given);
  return new Promise((done, fail) => ask((error, result) => (error ? fail(error) : done(result))));
};
Client.prototype._handleNotification = function (message) {
  if (isCut()) return this.connection.stream.destroy(reset());
  turnsOf(this).heard(() => notify.call(this, message));
};

if (process.env.BUS_URL) {
  const KafkaConnection = require('kafkajs/src/network/connection');
  const { send } = KafkaConnection.prototype;
  KafkaConnection.prototype.send = async function (request) {
    await pause();
    if (isCut()) this.socket?.destroy(reset());
    const answer = await send.call(this, request);
    if (isCut()) {
      this.socket?.destroy(reset());
      throw reset();
    }
    await pause();
    return answer;
  };
}

if (process.env.EVENT_STORE_URL) {
  const { EventStoreDBClient, UnavailableError } = require('@eventstore/db-client');
  const cutOff = () =>
    new UnavailableError({ code: 14, details: 'the connection was cut', message: 'the connection was cut' });
  const { appendToStream } = EventStoreDBClient.prototype;
  EventStoreDBClient.prototype.appendToStream = async function (...given) {
    await pause();
    const answer = await appendToStream.apply(this, given);
    if (isCut()) throw cutOff();
    await pause();
    return answer;
  };
  const { subscribeToAll } = EventStoreDBClient.prototype;
  EventStoreDBClient.prototype.subscribeToAll = function (...given) {
    const subscription = subscribeToAll.apply(this, given);
    const { read } = subscription;
    // What came together comes late together: if each event waited, a log could grow faster than anybody may read it.
    let isWaiting = false;
    let isNew = true;
    subscription.read = function (size) {
      const ms = isWaiting ? undefined : isNew ? waitMs() : 0;
      if (ms === 0) {
        const event = read.call(this, size);
        isNew = event === null;
        return event;
      }
      if (!isWaiting) setTimeout(() => ((isWaiting = isNew = false), this.emit('readable')), ms);
      isWaiting = true;
      return null;
    };
    return subscription;
  };
  for (const way of ['readStream', 'readAll']) {
    const read = EventStoreDBClient.prototype[way];
    EventStoreDBClient.prototype[way] = function (...given) {
      const stream = read.apply(this, given);
      const { _transform: hear } = stream;
      stream._transform = function (answer, encoding, heard) {
        stream._transform = hear;
        later(() => (isCut() ? heard(cutOff()) : hear.call(this, answer, encoding, heard)));
      };
      return stream;
    };
  }
}
