import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A nats-server of its own, which a test may kill and start again over the same store. */
export async function natsProcess() {
  const store = await mkdtemp(join(tmpdir(), 'smsbatch-nats-'));
  const port = await freePort();
  let child: ChildProcess;
  async function start() {
    child = spawn(
      process.env.NATS_SERVER ?? 'nats-server',
      ['-js', '-sd', store, '-a', '127.0.0.1', '-p', `${port}`],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    let text = '';
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`nats-server: ${text}`)));
      child.stderr?.on('data', (chunk) => {
        text += chunk;
        if (text.includes('Server is ready')) resolve();
      });
    });
    child.removeAllListeners('exit');
  }
  async function kill(signal: NodeJS.Signals = 'SIGKILL') {
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }
  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    start,
    kill,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await kill();
      await rm(store, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}
