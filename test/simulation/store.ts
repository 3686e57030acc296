import { type Collection, type Db, MongoBulkWriteError, MongoServerError } from 'mongodb';
import { type Change, changed, copyOf, type Document, type Filter, matches, projected } from './documents.ts';
import type { Host } from './timeline.ts';
import type { Wire } from './wire.ts';

const DUPLICATE_KEY = 11_000;

/** One write as the store carries it out: by itself, whole. */
export type Write =
  | { kind: 'insert'; document: Document }
  | { kind: 'update'; filter: Filter; change: Change; upsert: boolean; many: boolean }
  | { kind: 'replace'; filter: Filter; document: Filter; upsert: boolean }
  | { kind: 'delete'; filter: Filter; many: boolean };

export interface Written {
  matchedCount: number;
  modifiedCount: number;
  insertedCount: number;
  deletedCount: number;
}

/** Looks at each change of a document. */
export type Observer = (
  collection: string,
  before: Document | undefined,
  after: Document | undefined,
  host: Host,
  /** As the process has asked for it. */
  asked: Write,
) => void;

/** A planted mistake: what becomes of a write on its way. */
export type Tamper = (collection: string, write: Write, host: Host) => Write | undefined;

/**
 * The system of record in memory, with what the product relies on: a write of one document is atomic and guarded by its
 * filter, `_id` is unique, what is acknowledged stays, reads see the last write.
 */
export class StoreServer {
  readonly collections = new Map<string, Map<string, Document>>();
  observe: Observer = () => {};
  tamper: Tamper | undefined;

  documents(collection: string): Map<string, Document> {
    let documents = this.collections.get(collection);
    if (!documents) {
      documents = new Map();
      this.collections.set(collection, documents);
    }
    return documents;
  }

  *found(collection: string, filter: Filter): Generator<Document> {
    const documents = this.documents(collection);
    const id = filter._id;
    const ids = typeof id === 'string' ? [id] : (id as { $in?: string[] } | undefined)?.$in;
    if (!ids) {
      for (const document of documents.values()) if (matches(document, filter)) yield document;
      return;
    }
    for (const each of new Set(ids)) {
      const document = documents.get(each);
      if (document && matches(document, filter)) yield document;
    }
  }

  /** @throws duplicate key */
  write(collection: string, asked: Write, host: Host): Written {
    const written = { matchedCount: 0, modifiedCount: 0, insertedCount: 0, deletedCount: 0 };
    const write = this.tamper ? this.tamper(collection, asked, host) : asked;
    if (!write) return { ...written, matchedCount: 1, modifiedCount: 1 };
    const documents = this.documents(collection);
    const put = (before: Document | undefined, after: Document | undefined) => {
      if (after) documents.set(after._id, after);
      else documents.delete(before!._id);
      this.observe(collection, before, after, host, asked);
    };
    const insert = (document: Document) => {
      if (documents.has(document._id)) throw duplicateKey(document._id);
      put(undefined, document);
      written.insertedCount = 1;
    };
    if (write.kind === 'insert') {
      insert(copyOf(write.document));
      return written;
    }
    const many = write.kind !== 'replace' && write.many;
    const found = [...this.found(collection, write.filter)].slice(0, many ? undefined : 1);
    for (const before of found) {
      if (write.kind === 'delete') {
        put(before, undefined);
        written.deletedCount += 1;
        continue;
      }
      put(
        before,
        write.kind === 'update'
          ? changed(before, write.change)
          : ({ ...copyOf(write.document), _id: before._id } as Document),
      );
      written.matchedCount += 1;
      written.modifiedCount += 1;
    }
    if (found.length > 0 || write.kind === 'delete' || !write.upsert) return written;
    const _id = write.filter._id as string;
    insert(
      write.kind === 'update'
        ? changed({ _id }, write.change, true)
        : ({ ...copyOf(write.document), _id } as Document),
    );
    return written;
  }
}

const duplicateKey = (id: string) =>
  new MongoServerError({ message: `E11000 duplicate key ${id}`, code: DUPLICATE_KEY });

type Bulk = Record<string, Record<string, unknown>>;

function writeOf(operation: Bulk): Write {
  const [kind, given] = Object.entries(operation)[0]!;
  const { filter, upsert = false } = given as { filter: Filter; upsert?: boolean };
  switch (kind) {
    case 'insertOne':
      return { kind: 'insert', document: given.document as Document };
    case 'updateOne':
    case 'updateMany': {
      const many = kind === 'updateMany';
      return { kind: 'update', filter, change: given.update as Change, upsert, many };
    }
    case 'replaceOne':
      return { kind: 'replace', filter, document: given.replacement as Filter, upsert };
    case 'deleteOne':
      return { kind: 'delete', filter, many: false };
    default:
      throw new Error(`the store of the simulation has no bulk ${kind}`);
  }
}

/** The driver's collection, as far as the product uses it, for one process. */
class MemoryCollection {
  readonly collectionName: string;
  readonly #server: StoreServer;
  readonly #wire: Wire;
  readonly #host: Host;

  constructor(name: string, server: StoreServer, wire: Wire, host: Host) {
    this.collectionName = name;
    this.#server = server;
    this.#wire = wire;
    this.#host = host;
  }

  #call<T>(what: string, filter: Filter | undefined, apply: (share: number) => T): Promise<T> {
    const id = typeof filter?._id === 'string' ? ` ${filter._id}` : '';
    return this.#wire.call(this.#host, 'store', `${this.collectionName}.${what}${id}`, apply);
  }

  #write(what: string, given: Write): Promise<Written> {
    const write = copyOf(given);
    const filter = write.kind === 'insert' ? { _id: write.document._id } : write.filter;
    return this.#call(what, filter, () => this.#server.write(this.collectionName, write, this.#host));
  }

  findOne(filter: Filter, options: { projection?: Record<string, unknown> } = {}): Promise<Document | null> {
    return this.#call('findOne', filter, () => {
      for (const found of this.#server.found(this.collectionName, filter))
        return projected(found, options.projection);
      return null;
    });
  }

  find(filter: Filter, options: { projection?: Record<string, unknown>; limit?: number } = {}) {
    let { limit } = options;
    let order: [string, number][] = [];
    const all = () =>
      this.#call('find', filter, () => {
        const found = [...this.#server.found(this.collectionName, filter)];
        if (order.length > 0) {
          found.sort((a, b) => {
            for (const [field, way] of order) {
              const [left, right] = [a[field] as number, b[field] as number];
              if (left !== right) return left < right ? -way : way;
            }
            return 0;
          });
        }
        return found.slice(0, limit).map((each) => projected(each, options.projection));
      });
    const cursor = {
      sort(fields: Record<string, number>) {
        order = Object.entries(fields);
        return cursor;
      },
      limit(most: number) {
        limit = most;
        return cursor;
      },
      batchSize: () => cursor,
      toArray: all,
      async *[Symbol.asyncIterator]() {
        yield* await all();
      },
    };
    return cursor;
  }

  async countDocuments(filter: Filter): Promise<number> {
    return this.#call('count', filter, () => [...this.#server.found(this.collectionName, filter)].length);
  }

  insertOne(document: Document) {
    return this.#write('insertOne', { kind: 'insert', document });
  }

  updateOne(filter: Filter, change: Change, { upsert = false } = {}) {
    return this.#write('updateOne', { kind: 'update', filter, change, upsert, many: false });
  }

  updateMany(filter: Filter, change: Change) {
    return this.#write('updateMany', { kind: 'update', filter, change, upsert: false, many: true });
  }

  replaceOne(filter: Filter, document: Filter, { upsert = false } = {}) {
    return this.#write('replaceOne', { kind: 'replace', filter, document, upsert });
  }

  deleteOne(filter: Filter) {
    return this.#write('deleteOne', { kind: 'delete', filter, many: false });
  }

  deleteMany(filter: Filter) {
    return this.#write('deleteMany', { kind: 'delete', filter, many: true });
  }

  insertMany(documents: Document[]): Promise<Written> {
    return this.bulkWrite(documents.map((document) => ({ insertOne: { document } })));
  }

  /** Unordered, as the product always asks for: each of them by itself. */
  bulkWrite(operations: Bulk[]): Promise<Written> {
    const writes = operations.map((operation) => copyOf(writeOf(operation)));
    return this.#call(`bulk of ${writes.length}`, undefined, (share) => {
      const sum: Written = { matchedCount: 0, modifiedCount: 0, insertedCount: 0, deletedCount: 0 };
      const failed: { index: number; code: number }[] = [];
      const most = Math.ceil(writes.length * share);
      writes.slice(0, most).forEach((write, index) => {
        try {
          const written = this.#server.write(this.collectionName, write, this.#host);
          for (const name of Object.keys(sum) as (keyof Written)[]) sum[name] += written[name];
        } catch (error) {
          if (!(error instanceof MongoServerError)) throw error;
          failed.push({ index, code: error.code as number });
        }
      });
      if (failed.length === 0) return sum;
      const error = { message: 'E11000 duplicate key', code: DUPLICATE_KEY, writeErrors: failed };
      throw new MongoBulkWriteError(error as never, sum as never);
    });
  }
}

/** A process's connection to the store. */
export function databaseOf(server: StoreServer, wire: Wire, host: Host): Db {
  const known = new Map<string, MemoryCollection>();
  const collection = (name: string) => {
    let found = known.get(name);
    if (!found) {
      found = new MemoryCollection(name, server, wire, host);
      known.set(name, found);
    }
    return found as unknown as Collection;
  };
  return { collection } as unknown as Db;
}
