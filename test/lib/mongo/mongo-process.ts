import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

export async function mongoProcess() {
  const store = await mkdtemp(join(tmpdir(), 'smsbatch-mongo-'));
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  let child: ChildProcess;
  async function start() {
    child = spawn(process.env.SECANTUSD ?? 'secantusd-py', ['--port', `${port}`, '--storage-path', store], {
      stdio: 'ignore',
    });
    for (;;) {
      const socket = connect(port, '127.0.0.1');
      const up = await Promise.race([
        once(socket, 'connect').then(() => true),
        once(socket, 'error').then(() => false),
      ]).catch(() => false);
      socket.destroy();
      if (up) return;
      await setTimeout(50);
    }
  }
  async function kill(signal: NodeJS.Signals = 'SIGKILL') {
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }
  await start();
  return {
    url: `mongodb://127.0.0.1:${port}`,
    start,
    kill,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await kill();
      await rm(store, { recursive: true, force: true });
    },
  };
}
