// How the subpath imports of package.json resolve to sources, for dependency-cruiser.
const { readdirSync } = require('node:fs');
const { join } = require('node:path');

const libs = join(__dirname, '../libs');
const alias = Object.fromEntries(
  readdirSync(libs).flatMap((lib) => [
    [`#${lib}$`, join(libs, lib, lib === 'webhook-signing' ? 'src/index.ts' : 'index.ts')],
    [`#${lib}`, join(libs, lib)],
  ]),
);
module.exports = {
  resolve: {
    alias,
    extensions: ['.ts', '.js', '.mjs', '.json'],
    conditionNames: ['node', 'require', 'import', 'default'],
  },
};
