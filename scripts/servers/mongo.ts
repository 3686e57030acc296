import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MongoClient } from 'mongodb';
import { findOnPath } from './path-binary.ts';
import { privateCopy } from './private-copy.ts';
import type { ServerKind, ServerRecipe } from './server-recipe.ts';

const host = '127.0.0.1';
const replicaSet = 'smsbatch';
const alreadyInitialised = 23;

/** directConnection: a one-node replica set names itself by an address that need not be this one. */
export function localMongoUrl(port: number): string {
  return withoutRetryWrites(`mongodb://${host}:${port}/?directConnection=true`);
}

/**
 * The engine repeats its writes itself. With the driver's own `retryWrites` (its default) SecantusDB slows down without
 * bound, and a retry would hide a refusal by version from the code that has to see it.
 */
export function withoutRetryWrites(url: string): string {
  if (/[?&]retryWrites=/i.test(url)) return url.replace(/([?&])retryWrites=[^&]*/i, '$1retryWrites=false');
  // A query needs a slash after the hosts: mongodb://a,b/?x=1
  const rooted = /^[^:]+:\/\/[^/?]+$/.test(url) ? `${url}/` : url;
  return `${rooted}${rooted.includes('?') ? '&' : '?'}retryWrites=false`;
}

async function withClient<T>(url: string, use: (client: MongoClient) => Promise<T>): Promise<T> {
  // Loaded here, since it takes 150 ms that runs without a MongoDB of their own need not wait for.
  const { MongoClient } = await import('mongodb');
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 2000 });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

/** Removes a database; of a server that no longer answers nothing is expected. */
export async function dropDatabase(url: string, database: string): Promise<void> {
  await withClient(url, (client) => client.db(database).dropDatabase());
}

async function answers(port: number): Promise<void> {
  await withClient(localMongoUrl(port), async (client) => {
    const hello = await client.db('admin').command({ hello: 1 });
    if (!hello.isWritablePrimary) throw new Error('it is not the primary yet');
  });
}

async function initiateReplicaSet(port: number): Promise<void> {
  await withClient(localMongoUrl(port), async (client) => {
    const members = [{ _id: 0, host: `${host}:${port}` }];
    await client
      .db('admin')
      .command({ replSetInitiate: { _id: replicaSet, members } })
      .catch((error: { code?: number }) => {
        if (error.code !== alreadyInitialised) throw error;
      });
  });
  await answers(port);
}

/** MongoDB itself, as a replica set of one: transactions and change streams need one. */
function mongod(title: string, file: string): ServerRecipe {
  return {
    title,
    origin: 'path',
    portsNeeded: 1,
    command: async ({ ports: [port = 0], dir }) => ({
      title,
      file,
      args: ['--replSet', replicaSet, '--bind_ip', host, '--port', `${port}`, '--dbpath', dir],
      ports: [port],
      readyLine: /Waiting for connections/i,
      probe: () => initiateReplicaSet(port),
    }),
  };
}

function secantus(title: string, python: string, modules: string): ServerRecipe {
  return {
    title,
    origin: 'private copy',
    portsNeeded: 1,
    command: async ({ ports: [port = 0], dir }) => {
      // Named, or it would read one from the current folder, the home folder or /etc.
      const configuration = join(dir, 'secantusd.toml');
      await writeFile(configuration, '');
      return {
        title,
        file: python,
        args: [
          ...['-m', 'secantus', '--config', configuration, '--host', host, '--port', `${port}`],
          ...['--storage-path', join(dir, 'wiredtiger')],
          // Without an oplog, which only change streams would read, and which doubles the work of an update.
          '--standalone',
        ],
        env: { PYTHONPATH: modules, PYTHONUNBUFFERED: '1' },
        ports: [port],
        readyLine: /secantus listening on/,
        probe: () => answers(port),
      };
    },
  };
}

export const mongo: ServerKind = {
  name: 'mongo',
  variable: 'MONGODB_URL',
  async find(announce) {
    const { binary, passedOver } = await findOnPath({
      names: ['mongod'],
      atLeast: '7.0.0',
      versionIn: /db version v(\d+\.\d+\.\d+)/,
    });
    if (binary) return mongod(`mongod ${binary.version}`, binary.path);
    for (const line of passedOver) announce(line);
    const title = 'SecantusDB 0.7.0b3';
    const copy = await privateCopy(
      {
        title,
        requirements: 'secantusdb.txt',
        python: { atLeast: '3.10', below: '3.14' },
        boundToPython: true,
        remedy: 'set MONGODB_URL to a MongoDB 7 or later (a replica set), or put mongod on PATH',
      },
      announce,
    );
    return secantus(title, copy.python, copy.dir);
  },
};
