// The layers of the tree as import rules. Run by `npm run layers` and by test/layers.test.ts.
// The parser is @swc/core: with TypeScript 7 dependency-cruiser's default parser reads no file and finds nothing wrong.

const { Visitor } = require('@swc/core/Visitor');

// dependency-cruiser walks the tree with this visitor of @swc/core, which throws at `using` and `await using`.
const { visitStatement } = Visitor.prototype;
Visitor.prototype.visitStatement = function visitStatementOrUsing(statement) {
  if (statement.type !== 'UsingDeclaration') return visitStatement.call(this, statement);
  statement.decls = this.visitVariableDeclarators(statement.decls);
  return statement;
};

/** Decisions: state and command in, events and effects out. */
const pure = ['^services/batch/decide', '^services/batch/fsm/', '/pure/'];

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'contracts-depend-on-nothing',
      comment:
        'contracts/ is what every other part agrees on: subjects, schemas, types. It may use typebox only.',
      severity: 'error',
      from: { path: '^contracts/' },
      to: { pathNot: ['^contracts/', '^node_modules/typebox/'] },
    },
    {
      name: 'lib-below-services',
      comment: 'lib/ is used by services and knows none of them.',
      severity: 'error',
      from: { path: '^lib/' },
      to: { path: '^(services|scripts|test|examples)/' },
    },
    {
      name: 'services-meet-in-messages',
      comment:
        'Services never import one another; they meet in messages. Only services/main.ts starts them all.',
      severity: 'error',
      from: { path: '^services/([^/]+)/' },
      to: { path: '^services/', pathNot: '^services/$1/' },
    },
    {
      name: 'product-without-scripts',
      comment: 'What ships does not need scripts/, test/ or examples/.',
      severity: 'error',
      from: { path: '^services/' },
      to: { path: '^(scripts|test|examples)/' },
    },
    {
      name: 'product-without-dev-dependencies',
      comment: 'An installed package has no development dependencies.',
      severity: 'error',
      from: { path: '^(contracts|lib|services)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'decisions-are-pure',
      comment: 'No clock, id or I/O in a decision: no Node modules, no packages, no servers.',
      severity: 'error',
      from: { path: pure },
      to: {
        dependencyTypes: ['core', 'npm'],
      },
    },
    {
      name: 'decisions-without-servers',
      comment: 'A decision that reaches a client, a clock or a log cannot be replayed.',
      severity: 'error',
      from: { path: pure },
      to: { path: '^lib/(nats|mongo|redis|log|config|metrics|clock)(/|[^/]*\\.ts$)' },
    },
    {
      name: 'no-circular',
      comment: 'Two modules that need each other are one module.',
      severity: 'error',
      from: { path: '^(contracts|lib|services|scripts)/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'resolvable',
      comment: 'An import that cannot be found is not checked by any other rule.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage|\\.runtime)/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
