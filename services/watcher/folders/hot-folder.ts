import type { Logger } from 'pino';
import { errorBody } from '../../../contracts/errors.ts';
import type { CommandClient } from '../../../lib/batch/command-client.ts';
import { loop } from '../../../lib/lifecycle/loop.ts';
import { type Part, part } from '../../../lib/lifecycle/part.ts';
import { isTransient } from '../../../lib/mongo/errors.ts';
import { isUnavailable } from '../../../lib/nats/unavailable.ts';
import type { Store } from '../../../lib/store/collections.ts';
import type { WatcherMetrics } from '../metrics.ts';
import { type KnownFiles, type SeenFile, settledFiles } from '../pure/settled-files.ts';
import type { HotFolder } from './folder-config.ts';
import { look } from './look.ts';
import { putAway } from './put-away.ts';
import { type Taken, takeFile } from './take-file.ts';

const DEFAULT_SETTLE_SECONDS = 5;
/** A fault of ours: the file is tried this often, then put away with the reason. */
const TRIES = 3;
const BACKOFF = { firstMs: 1_000, capMs: 30_000 };

export interface FolderDeps {
  folder: HotFolder;
  store: Store;
  commands: CommandClient;
  metrics: WatcherMetrics;
  log: Logger;
  lookEveryMs: number;
}

/** Makes a batch of each file that has stopped growing, one at a time; a bad one never keeps the others. */
export function hotFolder(deps: FolderDeps): Part {
  const { folder, metrics, log, lookEveryMs } = deps;
  const settleMs = (folder.settleSeconds ?? DEFAULT_SETTLE_SECONDS) * 1_000;
  return part(`folder ${folder.name}`, ({ signal, defer }) => {
    let known: KnownFiles = new Map();
    let faults = new Map<string, number>();
    /** Files that cannot be moved: left alone until they change. */
    let stuck = new Map<string, SeenFile>();

    async function round(): Promise<void> {
      const now = settledFiles(known, await look(folder.path), performance.now(), settleMs);
      known = now.known;
      faults = new Map([...faults].filter(([name]) => known.has(name)));
      stuck = new Map([...stuck].filter(([name]) => known.has(name)));
      for (const file of now.settled) {
        if (signal.aborted) return;
        if (!isStuck(file)) await handle(file);
      }
    }

    const isStuck = ({ name, size, mtimeMs }: SeenFile): boolean => {
      const before = stuck.get(name);
      return before !== undefined && before.size === size && before.mtimeMs === mtimeMs;
    };

    async function handle(file: SeenFile): Promise<void> {
      const taken = await tried(file);
      metrics.files.inc({ result: taken.kind });
      const about = { folder: folder.name, file: file.name };
      if (taken.kind === 'elsewhere') return;
      if (taken.kind === 'changed') {
        log.info(about, 'a file was still being written: it waits until it has settled again');
        return;
      }
      try {
        const to = await putAway(folder.path, file.name, taken, Date.now());
        const { kind } = taken;
        log.info(
          { ...about, taken: kind, to, ...('batchId' in taken && { batchId: taken.batchId }) },
          'a file is taken',
        );
      } catch (err) {
        stuck.set(file.name, file);
        log.error(
          { ...about, err },
          'a file that is taken cannot be moved: it is left alone until it changes',
        );
      }
    }

    /** @throws where a server does not answer, and for a fault that may pass: the loop waits, and tries again */
    async function tried(file: SeenFile): Promise<Taken> {
      try {
        return await takeFile({ ...deps, signal }, folder, file);
      } catch (error) {
        if (signal.aborted || isTransient(error) || isUnavailable(error)) throw error;
        const count = (faults.get(file.name) ?? 0) + 1;
        faults.set(file.name, count);
        if (count < TRIES) throw error;
        log.error({ err: error, folder: folder.name, file: file.name }, 'a file cannot be taken');
        const message = `A fault of ours: ${error instanceof Error ? error.message : String(error)}`;
        return { kind: 'refused', error: errorBody('internal', message) };
      }
    }

    const running = loop(`folder ${folder.name}`, round, signal, { log, pauseMs: lookEveryMs, ...BACKOFF });
    defer(() => running);
  });
}
