// Who may import whom. `npm run check` holds it; test/unit/layout.test.ts shows that each rule bites.

/** Layers of protocols/, lowest first; those in one entry do not know each other. */
const layers = [
  ['channel'],
  ['kernels'],
  ['sharing'],
  ['ot', 'rlwe'],
  ['layers', 'offline'],
  ['inference'],
  ['index.ts'],
];
const path = (names) => `^protocols/(${names.map((name) => name.replace('.', '\\.')).join('|')})(/|$)`;

/** Nobody imports what stands above or beside. */
const upward = layers.flatMap((names, rank) =>
  names.map((name) => ({
    name: `${name}-imports-what-is-below`,
    comment: `${name} imports lower layers of protocols/ only: ${layers.slice(0, rank).flat().join(', ') || 'none'}`,
    severity: 'error',
    from: { path: path([name]) },
    to: {
      path: path([...names.filter((other) => other !== name), ...layers.slice(rank + 1).flat()]),
      // Where the online and the offline phase meet: types alone.
      ...(name === 'layers' && { pathNot: '^protocols/offline/correlations\\.ts$' }),
    },
  })),
);

export default {
  forbidden: [
    ...upward,
    {
      name: 'layers-know-offline-by-its-types',
      comment: 'layers/ and offline/ meet in the types of offline/correlations.ts',
      severity: 'error',
      from: { path: path(['layers']) },
      to: { path: '^protocols/offline/correlations\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'protocols-know-a-layer',
      comment: 'every file of protocols/ is in a layer that this file knows',
      severity: 'error',
      from: { path: '^protocols/', pathNot: [path(layers.flat())] },
      to: {},
    },
    {
      name: 'protocols-alone',
      comment: 'protocols/ knows no page, server or script',
      severity: 'error',
      from: { path: '^protocols/' },
      to: { path: '^(client|signaling-server|scripts|examples|test)/' },
    },
    {
      name: 'protocols-run-everywhere',
      comment: 'protocols/ runs in Workers and in Node: noble and valibot are all that it needs',
      severity: 'error',
      from: { path: '^protocols/' },
      to: {
        dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-no-pkg', 'npm-unknown', 'unknown'],
        pathNot: '(^|/)(@noble/|valibot)',
      },
    },
    {
      name: 'only-tests-import-tests',
      comment: 'nothing shipped imports test/: its dealer and its small parameters are insecure',
      severity: 'error',
      from: { pathNot: '^test/' },
      to: { path: '^test/' },
    },
    {
      name: 'no-cycles',
      comment: 'modules that import each other cannot be read one after the other',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|node_modules)/|^protocols/kernels/(assembly|build)/' },
    enhancedResolveOptions: { conditionNames: ['import', 'types', 'default'], exportsFields: ['exports'] },
  },
};
