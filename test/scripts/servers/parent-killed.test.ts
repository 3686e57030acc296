import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { TYPESCRIPT } from '../../../scripts/engine/typescript-loader.ts';
import type { StartedServer } from '../../../scripts/servers/start-servers.ts';

const program = fileURLToPath(new URL('./fixtures/start-and-wait.ts', import.meta.url));
const withinMs = 5000;

async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, `${what}, not within ${withinMs} ms`);
    await delay(20);
  }
}

function isServed(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT'] as const) {
  test(`servers and data go when their starter gets ${signal}`, async () => {
    const environment = { ...process.env, NATS_URL: '', REDIS_ADDR: '' };
    const child = spawn(process.execPath, [...TYPESCRIPT, program, 'nats', 'redis'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: environment,
    });
    const [line] = await once(createInterface(child.stdout), 'line');
    const { started, logDir } = JSON.parse(line) as {
      started: (StartedServer & { url: string })[];
      logDir: string;
    };
    const ports = started.map(({ url }) => Number(new URL(url).port));
    for (const port of ports) assert.ok(await isServed(port));

    child.kill(signal);
    await once(child, 'exit');

    for (const port of ports) await eventually(`port ${port} is free`, async () => !(await isServed(port)));
    const data = join(
      dirname(dirname(logDir)),
      'data',
      logDir.split('/').at(-1)?.replace('-fixture', '') ?? '',
    );
    await eventually(`${data} is removed`, () =>
      access(data).then(
        () => false,
        () => true,
      ),
    );
  });
}
