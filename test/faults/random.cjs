const { createHash } = require('node:crypto');

/** Dice that fall alike for the same words (mulberry32). */
exports.randomOf = (...words) => {
  let state = createHash('sha256').update(words.join(' ')).digest().readUInt32LE();
  /** From 0 to 1. */
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    random,
    /** A whole number from `low` to `high`, both included. */
    between: (low, high) => low + Math.floor(random() * (high - low + 1)),
    oneOf: (things) => things[Math.floor(random() * things.length)],
    chance: (share) => random() < share,
    bytes: (count) => Buffer.from(Array.from({ length: count }, () => Math.floor(random() * 256))),
  };
};
