import { basename } from 'node:path';
import { dropDatabase } from '../../scripts/servers/mongo.ts';
import {
  type ServerName,
  type Servers,
  type StartServersOptions,
  startServers,
} from '../../scripts/servers/start-servers.ts';

interface TestServersOptions extends Pick<StartServersOptions, 'natsNodes' | 'natsMaxFileStoreBytes'> {
  /** For tests that kill it: what is killed must not be shared. */
  ownMongo?: boolean;
}

/**
 * The servers of one test file: a nats-server and a redis-server of its own, and a database of its own on the
 * MongoDB-compatible server that `npm test` shares between files (SMSBATCH_TEST_MONGODB_URL); a file that runs alone gets
 * its own. NATS_URL, MONGODB_URL and REDIS_ADDR are not looked at: tests create and remove streams, keys and collections.
 *
 * `await using servers = await testServers();` at the top of a test or of the file; the database is dropped at the end.
 */
export async function testServers(
  wanted: readonly ServerName[] = ['nats', 'mongo', 'redis'],
  { ownMongo = false, ...nats }: TestServersOptions = {},
): Promise<Servers> {
  const { NATS_URL: _nats, MONGODB_URL: _mongo, REDIS_ADDR: _redis, ...environment } = process.env;
  const shared = ownMongo ? '' : (environment.SMSBATCH_TEST_MONGODB_URL ?? '');
  const file = basename(process.argv[1] ?? 'test').replace(/\.test\.ts$/, '');
  const servers = await startServers({
    servers: wanted,
    label: file,
    ...nats,
    environment: { ...environment, ...(shared && { MONGODB_URL: shared }) },
  });
  if (!shared || !wanted.includes('mongo')) return servers;

  let stopping: Promise<void> | null = null;
  const stop = (): Promise<void> => {
    stopping ??= dropDatabase(servers.mongoUrl, servers.mongoDatabase).finally(() => servers.stop());
    return stopping;
  };
  // Inherits the rest, getters included, so that nothing is read before it is asked for.
  return Object.create(servers, { stop: { value: stop }, [Symbol.asyncDispose]: { value: stop } }) as Servers;
}
