import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DCLinter } from 'dclint';

const root = fileURLToPath(new URL('../../', import.meta.url));
const composeFile = join(root, 'deploy/compose.yaml');

function run(
  file: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(file, args, { cwd: root, env: { ...process.env, ...env } }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
    );
  });
}

// dclint's own declarations do not resolve under `nodenext`.
interface LintResult {
  messages: { line: number; rule: string; message: string }[];
}

// The Compose specification's own schema, and rules against what bites later: floating tags, ports open to everybody.
function findings(file: string): string[] {
  const taste = ['service-keys-order', 'services-alphabetical-order', 'require-quotes-in-ports'];
  const rules = Object.fromEntries(taste.map((rule) => [rule, 0 as const]));
  const results: LintResult[] = new DCLinter({ rules, quiet: false, debug: false, exclude: [] }).lintFiles(
    [file],
    false,
  );
  assert.equal(results.length, 1);
  return results.flatMap(({ messages }) =>
    messages.map(({ line, rule, message }) => `${line} ${rule}: ${message}`),
  );
}

test('compose.yaml fits the Compose schema', () => {
  assert.deepEqual(findings(composeFile), []);
});

test('the check of the schema finds a key that Compose does not know', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'compose-'));
  try {
    const planted = join(dir, 'compose.yaml');
    const compose = await readFile(composeFile, 'utf8');
    await writeFile(planted, compose.replace('stop_grace_period:', 'stop_grace_time:'));
    assert.match(findings(planted).join('\n'), /additional propert/i);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('what compose.yaml and the Dockerfile mount and copy is there', async () => {
  const compose = await readFile(composeFile, 'utf8');
  const mounts = [...compose.matchAll(/^\s+- \.\/(\S+?):/gm)].map(([, path]) => `deploy/${path}`);
  assert.deepEqual(mounts.sort(), [
    'deploy/mongo/health.js',
    'deploy/nats/nats-server.conf',
    'deploy/redis/redis.conf',
  ]);
  const dockerfile = await readFile(join(root, 'deploy/Dockerfile'), 'utf8');
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(
    ([, paths]) => paths?.split(' ') ?? [],
  );
  assert.ok(copied.length >= 8);
  const allowed = (await readFile(join(root, '.dockerignore'), 'utf8')).split('\n');
  for (const path of [...mounts, ...copied]) await access(join(root, path));
  for (const path of copied) assert.ok(allowed.includes(`!${path}`), `.dockerignore keeps ${path} out`);
});

test('no port is published to other machines', async () => {
  const compose = await readFile(composeFile, 'utf8');
  const published = [...compose.matchAll(/^\s+- "(\S+:\d+)"$/gm)].map(([, port]) => port ?? '');
  assert.equal(published.length, 5);
  for (const port of published) assert.match(port, /^127\.0\.0\.1:/);
});

test('the health check says what the service says', async () => {
  let status = 200;
  const server = createServer((request, response) => {
    assert.equal(request.url, '/readyz');
    response.writeHead(status).end('draining');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = `${(server.address() as AddressInfo).port}`;
  const check = () => run(process.execPath, [join(root, 'deploy/healthcheck.mjs')], { HTTP_PORT: port });

  assert.equal((await check()).code, 0);
  status = 503;
  assert.deepEqual(await check(), { code: 1, output: 'not ready: 503 draining\n' });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  const { code, output } = await check();
  assert.equal(code, 1);
  assert.match(output, /no answer on port \d+: connect ECONNREFUSED/);
});
