import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const program = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
const layers = ['contracts', 'lib', 'services'];
// The tree had twice as many when this was written: far fewer means that the parser is blind, not that all is well.
const fewestModules = 150;

interface Cruised {
  summary: { totalCruised: number; violations: { from: string; to: string; rule: { name: string } }[] };
  modules: { source: string; dependencies: unknown[] }[];
}

function cruise(cwd: string, folders: readonly string[]): Cruised {
  const args = ['--config', join(root, '.dependency-cruiser.cjs'), '--output-type', 'json', ...folders];
  const { stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  assert.ok(stdout.startsWith('{'), stderr || stdout);
  return JSON.parse(stdout) as Cruised;
}

test('contracts <- lib <- services, services apart, decisions pure', () => {
  const { summary, modules } = cruise(root, [...layers, 'scripts', 'test']);
  assert.deepEqual(
    summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`),
    [],
  );
  const product = modules.filter(({ source }) => /^(contracts|lib|services)\//.test(source));
  assert.ok(product.length > fewestModules, `only ${product.length} modules were read`);
  const imports = product.reduce((sum, { dependencies }) => sum + dependencies.length, 0);
  assert.ok(imports > fewestModules, `only ${imports} imports were seen`);
});

/** Imports that a rule forbids, each in a file of its own of a small tree, and the rule. */
const planted: readonly { rule: string; from: string; imports: string }[] = [
  { rule: 'contracts-depend-on-nothing', from: 'contracts/uses-lib.ts', imports: '../lib/nats/connect.ts' },
  { rule: 'contracts-depend-on-nothing', from: 'contracts/uses-node.ts', imports: 'node:fs' },
  { rule: 'contracts-depend-on-nothing', from: 'contracts/uses-package.ts', imports: 'ulid' },
  { rule: 'lib-below-services', from: 'lib/uses-service.ts', imports: '../services/stats/part.ts' },
  { rule: 'services-meet-in-messages', from: 'services/batch/uses-stats.ts', imports: '../stats/part.ts' },
  { rule: 'product-without-scripts', from: 'services/batch/uses-tool.ts', imports: '../../scripts/tool.ts' },
  { rule: 'product-without-dev-dependencies', from: 'lib/uses-dev.ts', imports: 'fast-check' },
  { rule: 'decisions-are-pure', from: 'services/batch/decide.ts', imports: 'node:crypto' },
  { rule: 'decisions-are-pure', from: 'services/batch/decide/pause.ts', imports: 'ulid' },
  { rule: 'decisions-are-pure', from: 'services/batch/fsm/table.ts', imports: 'node:timers/promises' },
  { rule: 'decisions-are-pure', from: 'lib/rate/pure/gcra.ts', imports: 'node:os' },
  {
    rule: 'decisions-without-servers',
    from: 'services/batch/decide-end.ts',
    imports: '../../lib/nats/connect.ts',
  },
  { rule: 'resolvable', from: 'lib/uses-nothing.ts', imports: './absent.ts' },
];

const innocent = {
  'package.json': JSON.stringify({ dependencies: { ulid: '*' }, devDependencies: { 'fast-check': '*' } }),
  // dependency-cruiser's walk of swc's tree throws at these two without the shim in .dependency-cruiser.cjs.
  'lib/nats/connect.ts': 'export async function connect(x: AsyncDisposable) { await using y = x; return y; }',
  'services/stats/part.ts': 'export function part(x: Disposable) { using y = x; return y; }',
  'scripts/tool.ts': 'export const tool = 1;',
};

for (const form of ['import x', 'import type { X }', 'export * '])
  test(`each rule finds what it forbids, and nothing else is found: ${form}`, async () => {
    const dir = await mkdtemp(join(tmpdir(), 'layers-'));
    try {
      await symlink(join(root, 'node_modules'), join(dir, 'node_modules'));
      const files = planted.map(({ from, imports }) => [from, `${form} from '${imports}';`] as const);
      for (const [file, text] of [...Object.entries(innocent), ...files]) {
        await mkdir(dirname(join(dir, file)), { recursive: true });
        await writeFile(join(dir, file), text);
      }
      const { summary } = cruise(dir, layers);
      const found = new Set(summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`));
      for (const { rule, from } of planted) assert.ok(found.has(`${rule}: ${from}`), `${rule}: ${from}`);
      const offenders = new Set(summary.violations.map(({ from }) => from));
      assert.deepEqual([...offenders].sort(), planted.map(({ from }) => from).sort());
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
