import type { CreateIndexesOptions, Db, IndexSpecification } from 'mongodb';

export interface WantedIndex {
  /** The index's name; with it, an index of another shape is found and refused. */
  name: string;
  key: IndexSpecification & object;
  /** unique, sparse, expireAfterSeconds, partialFilterExpression. */
  options?: Pick<
    CreateIndexesOptions,
    'unique' | 'sparse' | 'expireAfterSeconds' | 'partialFilterExpression'
  >;
}

/** Collection name → its indexes. Data, so that the docs can list them. */
export type IndexTable = Readonly<Record<string, readonly WantedIndex[]>>;

/**
 * Creates the indexes that are missing; creating one that exists as wanted does nothing, so every host may do it at start.
 * @throws Error naming the collection, the index, what it is and what is wanted, for one of the same name that differs.
 */
export async function ensureIndexes(db: Db, table: IndexTable): Promise<void> {
  for (const [collection, wanted] of Object.entries(table)) {
    const existing = await listIndexes(db, collection);
    for (const each of wanted) {
      const has = existing.find((index) => index.name === each.name);
      if (has) refuseDifferent(collection, has, each);
      else await db.collection(collection).createIndex(each.key, { name: each.name, ...each.options });
    }
  }
}

interface ExistingIndex {
  name?: string;
  key: unknown;
  [option: string]: unknown;
}

async function listIndexes(db: Db, collection: string): Promise<ExistingIndex[]> {
  try {
    return (await db.collection(collection).listIndexes().toArray()) as ExistingIndex[];
  } catch (error) {
    // NamespaceNotFound: the collection comes with its first index.
    if ((error as { code?: number }).code === 26) return [];
    throw error;
  }
}

const compared = ['unique', 'sparse', 'expireAfterSeconds', 'partialFilterExpression'] as const;

function refuseDifferent(collection: string, has: ExistingIndex, wanted: WantedIndex): void {
  const shape = (index: Record<string, unknown>, key: unknown) =>
    JSON.stringify({
      // The order of an index's keys is part of it.
      key: Object.entries(key as object),
      ...Object.fromEntries(
        compared
          .filter((name) => index[name] !== undefined && index[name] !== false)
          .map((name) => [name, index[name]]),
      ),
    });
  const existing = shape(has, has.key);
  const needed = shape(wanted.options ?? {}, wanted.key);
  if (existing !== needed) {
    throw new Error(
      `Index ${wanted.name} of collection ${collection} exists and does not fit: has ${existing}, wanted ${needed}`,
    );
  }
}
