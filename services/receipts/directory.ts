import { lifeId } from '../../contracts/ids.ts';
import type { IndexTable } from '../../lib/mongo/indexes.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';
import type { Store } from '../../lib/store/collections.ts';
import type { PartitionDocument } from '../../lib/store/partition-document.ts';
import type { ChunkLayout } from '../../lib/tables/partition-layout.ts';

/** Carriers send receipts for three days at most. */
export const RECEIPT_HOURS = 72;
const HOUR_MS = 3_600_000;
/** Clocks of hosts differ: changes this much older than the newest are looked at again. */
const CLOCK_SLACK_MS = 60_000;

export const DIRECTORY_INDEXES: IndexTable = {
  batches: [{ name: 'sending', key: { deliveryBegan: 1, updatedAt: 1 } }],
};

/** One life of a batch that sends, or sent within the last 72 h. */
export interface Life {
  id: string;
  batchId: string;
  incarnation: string;
  layout: ChunkLayout;
  /** Accounts that it may go over; undefined: the configured default, so any. */
  accounts: ReadonlySet<string> | undefined;
  /** Source address of its messages; undefined: whatever the account has. It never changes once something is sent. */
  sender: string | undefined;
  startedAt: number;
  endedAt: number | undefined;
}

type Sending = Pick<BatchDocument, '_id' | 'incarnation' | 'updatedAt'> &
  Partial<Pick<BatchDocument, 'endedAt' | 'startedAt' | 'deletedAt'>> & {
    definition: { providers?: string[]; sender?: string; extCode?: string };
  };

const PROJECTION = {
  incarnation: 1,
  'definition.providers': 1,
  'definition.sender': 1,
  'definition.extCode': 1,
  startedAt: 1,
  endedAt: 1,
  deletedAt: 1,
  updatedAt: 1,
} as const;

/**
 * Which batches a receipt of an account can belong to. Built from MongoDB at start, then kept fresh by looking at the batches
 * that changed since: a query a second, however many receipts come in.
 */
export class Directory {
  readonly #store: Pick<Store, 'batches' | 'partitions'>;
  readonly #now: () => number;
  readonly #lives = new Map<string, Life>();
  #byAccount = new Map<string, Life[]>();
  #newestChange = 0;
  #refreshedAt = 0;
  #refreshing: Promise<void> | undefined;

  constructor(store: Pick<Store, 'batches' | 'partitions'>, now: () => number = Date.now) {
    this.#store = store;
    this.#now = now;
  }

  /** The lives of an account, those that send now first, then the latest ended. */
  livesOf(account: string): readonly Life[] {
    let lives = this.#byAccount.get(account);
    if (!lives) {
      lives = [...this.#lives.values()]
        .filter((life) => life.accounts?.has(account) ?? true)
        .sort((a, b) => (b.endedAt ?? Infinity) - (a.endedAt ?? Infinity) || b.startedAt - a.startedAt || 0);
      this.#byAccount.set(account, lives);
    }
    return lives;
  }

  life(id: string): Life | undefined {
    return this.#lives.get(id);
  }

  get size(): number {
    return this.#lives.size;
  }

  /** Looks for what has changed, unless somebody did within the last `olderThanMs`. */
  async refresh(olderThanMs = 0): Promise<void> {
    if (this.#refreshing) return this.#refreshing;
    if (this.#now() - this.#refreshedAt < olderThanMs) return;
    this.#refreshing = this.#read().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #read(): Promise<void> {
    const now = this.#now();
    const oldest = now - RECEIPT_HOURS * HOUR_MS;
    const since = this.#newestChange === 0 ? 0 : this.#newestChange - CLOCK_SLACK_MS;
    const changed = (await this.#store.batches
      .find({ deliveryBegan: true, updatedAt: { $gte: since } }, { projection: PROJECTION })
      .toArray()) as unknown as Sending[];
    const wanted = changed.filter((batch) => !batch.deletedAt && !((batch.endedAt ?? now) < oldest));
    await this.#add(wanted);
    for (const batch of changed) {
      this.#newestChange = Math.max(this.#newestChange, batch.updatedAt);
      if (batch.deletedAt) this.#lives.delete(lifeId(batch._id, batch.incarnation));
    }
    for (const [id, life] of this.#lives) if ((life.endedAt ?? now) < oldest) this.#lives.delete(id);
    this.#byAccount = new Map();
    this.#refreshedAt = now;
  }

  async #add(batches: readonly Sending[]): Promise<void> {
    const missing: Sending[] = [];
    for (const batch of batches) {
      const life = this.#lives.get(lifeId(batch._id, batch.incarnation));
      if (life) life.endedAt = batch.endedAt;
      else missing.push(batch);
    }
    for (let at = 0; at < missing.length; at += 200) {
      const page = missing.slice(at, at + 200);
      const ids = page.map((batch) => lifeId(batch._id, batch.incarnation));
      const partitions = await this.#store.partitions.find({ _id: { $in: ids } }).toArray();
      const byId = new Map(partitions.map((each) => [each._id, each]));
      for (const batch of page) {
        const partition = byId.get(lifeId(batch._id, batch.incarnation));
        if (partition) this.#lives.set(partition._id, lifeOf(batch, partition));
      }
    }
  }
}

function lifeOf(batch: Sending, partition: PartitionDocument): Life {
  const { providers, sender = '', extCode = '' } = batch.definition;
  return {
    id: partition._id,
    batchId: batch._id,
    incarnation: batch.incarnation,
    layout: { bucketBits: partition.bucketBits, imports: partition.imports },
    accounts: providers && providers.length > 0 ? new Set(providers) : undefined,
    sender: sender + extCode || undefined,
    startedAt: batch.startedAt ?? 0,
    endedAt: batch.endedAt,
  };
}
