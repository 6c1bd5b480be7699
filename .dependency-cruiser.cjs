/** The import law: which room may import which. See docs/architecture.md. */
const within = (room) => `^${room}/`;

/** A rule that forbids imports from `room` into any room of ours that is not in `allowed`. */
const only = (room, allowed, comment) => ({
  name: `${room.replaceAll('/', '-')}-imports`,
  comment,
  severity: 'error',
  from: { path: within(room) },
  to: {
    path: '^(schemas|topologies|statistics|runtime|services|sdk|cli|examples|bench|test)/',
    pathNot: [within(room), ...allowed.map((path) => `^${path}`)],
  },
});

module.exports = {
  forbidden: [
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    only('schemas', [], 'What is said: imports nothing of ours.'),
    only('statistics', [], 'Pure numbers: imports nothing of ours.'),
    only('runtime/ports', [], 'Contracts: import nothing of ours.'),
    only('topologies', ['schemas/', 'statistics/', 'runtime/engine/topology.ts'], 'Pure folds: schemas, statistics and the types of the engine.'),
    only('runtime/engine', ['runtime/ports/', 'schemas/'], 'Runs topologies on ports.'),
    only('runtime/adapters', ['runtime/ports/', 'runtime/tensors/', 'schemas/codec/', 'schemas/flow-graph.ts'], 'One client library each, behind a port; executors read how a task is to run.'),
    only('runtime/config', ['runtime/ports/'], 'Settings.'),
    only('sdk', ['schemas/', 'runtime/ports/', 'statistics/'], 'The public face: nothing of the services.'),
    {
      name: 'services-apart',
      comment: 'A service imports no other service; all-in-one composes them. What the gateway lends to services that answer under its rules is a contract.',
      severity: 'error',
      from: { path: '^services/([^/]+)/', pathNot: '^services/all-in-one/' },
      to: { path: '^services/([^/]+)/', pathNot: ['^services/$1/', '^services/gateway/extension\\.ts$'] },
    },
    {
      name: 'services-do-not-import-the-shells',
      severity: 'error',
      from: { path: '^(services|runtime|sdk|topologies)/' },
      to: { path: '^(cli|examples|bench|test)/' },
    },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, path: '^(topologies|runtime|services|schemas)/', pathNot: ['\\.generated\\.ts$', 'schemas/generate\\.ts$'] }, to: {} },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default'] },
  },
};
