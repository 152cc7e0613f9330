const { default: Sequencer } = require('@jest/test-sequencer');

/** What takes longest comes first, so that no worker begins it when the others have nothing left: stories of the whole system wait much, however short they are. */
const LONG = [/\/test\/(journeys|resilience|acceptance|engines)\//, /\/test\//, /\.int\.spec\.ts$/];
const rank = ({ path }) => [...LONG, /./].findIndex((long) => long.test(path));

module.exports = class extends Sequencer {
  sort(tests) {
    return super.sort(tests).sort((one, other) => rank(one) - rank(other));
  }
};
