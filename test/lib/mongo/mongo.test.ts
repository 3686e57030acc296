import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MongoNetworkError } from 'mongodb';
import { pino } from 'pino';
import { DeadlineError } from '../../../lib/lifecycle/deadline.ts';
import { clientOptions, connectMongo, type Mongo } from '../../../lib/mongo/connect.ts';
import { isDuplicateKey, isTransient, retryTransient } from '../../../lib/mongo/errors.ts';
import { ensureIndexes } from '../../../lib/mongo/indexes.ts';
import { testServers } from '../../support/servers.ts';

const log = pino({ level: 'silent' });
let servers: Awaited<ReturnType<typeof testServers>>;
let mongo: Mongo;
interface Doc {
  _id: string | number;
  n?: number;
}
const docs = () => mongo.db.collection<Doc>('docs');

before(async () => {
  servers = await testServers(['mongo'], { ownMongo: true });
  mongo = await connectMongo({ url: servers.mongoUrl, database: servers.mongoDatabase, name: 'test', log });
});
after(async () => {
  await mongo.close();
  await servers.stop();
});

describe('connectMongo', () => {
  it('writes by majority, from the journal, without the driver’s retries, unless the URL says otherwise', () => {
    const given = clientOptions({ url: 'mongodb://h/?retryWrites=true&MaxPoolSize=7', name: 'x' });
    assert.equal(given.retryWrites, undefined);
    assert.equal(given.maxPoolSize, undefined);
    const { retryWrites, writeConcern } = mongo.client.options;
    assert.equal(retryWrites, false);
    assert.equal(writeConcern?.w, 'majority');
    assert.equal(writeConcern?.journal, true);
  });

  it('says which address does not answer, without the login', async () => {
    await assert.rejects(
      connectMongo({
        url: 'mongodb://me:secret@127.0.0.1:1/?serverSelectionTimeoutMS=50',
        database: 'x',
        name: 'test',
        log,
        connectTimeoutMs: 10,
      }),
      /^Error: MongoDB at mongodb:\/\/\*\*\*@127\.0\.0\.1:1\/: /,
    );
  });

  it('waits for a server that is still to come, longer than the driver does', async () => {
    await servers.kill('mongo');
    const options = { url: servers.mongoUrl, database: 'x', name: 'test', log, connectTimeoutMs: 120_000 };
    const connecting = connectMongo(options);
    // The driver gives its first attempt up after 4 s.
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    await servers.restart('mongo');
    await (await connecting).close();
  });

  it('close may be called twice', async () => {
    const other = await connectMongo({
      url: servers.mongoUrl,
      database: 'x',
      name: 'test',
      log,
      maxPoolSize: 1,
    });
    await Promise.all([other.close(), other.close()]);
  });
});

describe('errors', () => {
  it('a duplicate key, alone and in bulk', async () => {
    await docs().insertOne({ _id: 1 });
    await assert.rejects(docs().insertOne({ _id: 1 }), isDuplicateKey);
    await assert.rejects(docs().insertMany([{ _id: 1 }, { _id: 2 }], { ordered: false }), isDuplicateKey);
    assert.equal(await docs().countDocuments({ _id: 2 }), 1);
    assert.equal(isDuplicateKey(new Error('E11000')), false);
  });

  it('only what may pass is transient', async () => {
    assert.ok(isTransient(new MongoNetworkError('gone')));
    assert.equal(isTransient(new Error('mine')), false);
    await assert.rejects(mongo.db.command({ noSuchCommand: 1 }), (error) => !isTransient(error));
  });

  it('retryTransient: not for other errors, and not past its deadline', async () => {
    let tries = 0;
    await assert.rejects(
      retryTransient(
        async () => {
          tries += 1;
          throw new Error('mine');
        },
        { deadlineMs: 1_000 },
      ),
      /mine/,
    );
    assert.equal(tries, 1);
    await assert.rejects(
      retryTransient(
        async () => {
          throw new MongoNetworkError('gone');
        },
        { deadlineMs: 20, what: 'loading b1' },
      ),
      (error) => error instanceof DeadlineError && /loading b1/.test(error.message),
    );
  });

  it('the server is killed and comes back: a guarded write is carried out once', async () => {
    await docs().insertOne({ _id: 'cas', n: 0 });
    await docs().insertOne({ _id: 'bulk', n: 0 });
    await servers.kill('mongo');
    const deadlineMs = 20_000;
    const pending = Promise.all([
      retryTransient(() => docs().updateOne({ _id: 'cas', n: 0 }, { $set: { n: 1 } }), { deadlineMs }),
      retryTransient(
        () =>
          docs().bulkWrite([{ updateOne: { filter: { _id: 'bulk', n: 0 }, update: { $set: { n: 1 } } } }]),
        { deadlineMs },
      ),
    ]);
    await servers.restart('mongo');
    await pending;
    assert.equal((await docs().findOne({ _id: 'cas' }))?.n, 1);
    assert.equal((await docs().findOne({ _id: 'bulk' }))?.n, 1);
  });
});

describe('ensureIndexes', () => {
  const table = {
    batches: [
      { name: 'owner', key: { userID: 1, createdAt: -1 } },
      { name: 'tombstone', key: { deletedAt: 1 }, options: { expireAfterSeconds: 0 } },
      { name: 'key', key: { key: 1 }, options: { unique: true } },
    ],
  } as const;

  it('creates what is missing, also when two hosts do it at once, and then nothing', async () => {
    await Promise.all([ensureIndexes(mongo.db, table), ensureIndexes(mongo.db, table)]);
    await ensureIndexes(mongo.db, table);
    const names = (await mongo.db.collection('batches').listIndexes().toArray()).map((each) => each.name);
    assert.deepEqual(names.sort(), ['_id_', 'key', 'owner', 'tombstone']);
  });

  it('refuses an index of the same name that differs', async () => {
    await assert.rejects(
      ensureIndexes(mongo.db, { batches: [{ name: 'owner', key: { userID: 1 } }] }),
      /Index owner of collection batches exists and does not fit: has .*createdAt.*, wanted .*userID/,
    );
    await assert.rejects(
      ensureIndexes(mongo.db, { batches: [{ name: 'key', key: { key: 1 } }] }),
      /has .*"unique":true.*, wanted/,
    );
  });
});
