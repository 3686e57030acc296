import { jetstream } from '@nats-io/jetstream';
import { Command, InvalidArgumentError } from 'commander';
import type { BatchView } from '../../contracts/batch-api.ts';
import { commandSubject } from '../../contracts/subjects.ts';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import { seededRandom } from '../../lib/random/seeded-random.ts';
import { ApiError, callApi } from '../engine/api.ts';
import { type Books, figuresOf, openTriesScene, type TriesScene, WORKERS } from './tries-scene.ts';

/** The promise: nothing leaves later than this after a pause or an abort was accepted. */
const STOPPED_WITHIN_MS = 1_000;
/** What a worker that was caught between check and socket write still writes, it writes at once when it wakes up. */
const THAW_MS = 500;
const LANES = 4;
/** Recipients of a batch at each rate (segments a second; null: as fast as it goes), so that it lasts a few tries. */
const RATES: readonly { ratePerSecond: number | null; table: string; rows: number }[] = [
  { ratePerSecond: 5, table: 'stop-5', rows: 200 },
  { ratePerSecond: 50, table: 'stop-50', rows: 1_500 },
  { ratePerSecond: 500, table: 'stop-500', rows: 8_000 },
  { ratePerSecond: 2_000, table: 'stop-2000', rows: 20_000 },
  { ratePerSecond: null, table: 'stop-full', rows: 30_000 },
];
const FROZEN_SHARE = 0.3;
const ABORT_SHARE = 0.25;
const RAW_SHARE = 0.5;

interface Try {
  batch: string;
  ratePerSecond: number | null;
  verb: 'pause' | 'abort';
  /** `nats pub -J sms.cmd.<id>.pause` in place of the API. */
  raw: boolean;
  frozen: boolean;
  acceptedAtMs: number;
  /** When a resume was sent: from then on it may send again. */
  untilMs: number;
}

interface Freeze {
  fromMs: number;
  toMs: number;
}

export interface StopTriesResult {
  seed: number;
  tries: number;
  frozen: number;
  at5PerSecond: number;
  pauses: number;
  aborts: number;
  /** Arrival of the last submit of each try after its acceptance, ms; 0: none came after it. */
  lastSubmitMs: { count: number; median: number; max: number };
  /** Submits later than a second, and those of them that a worker wrote in the moment it woke up. */
  late: number;
  lateFromFrozen: number;
  books: Books;
  lateExamples: object[];
}

const readOptions = () =>
  new Command('stop-tries')
    .description(
      'Pauses and aborts running batches again and again, and reads in the carrier’s ledger what left later.',
    )
    .option('--tries <n>', 'pauses and aborts', wholeNumber, 100)
    .option('--seed <n>', 'of the plan', wholeNumber, 1)
    .option('--json', 'the last line of the output is one JSON object', false)
    .parse()
    .opts<{ tries: number; seed: number; json: boolean }>();

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number of 1 or more');
  return value;
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

class StopTries {
  readonly #scene: TriesScene;
  readonly #wanted: number;
  readonly #seed: number;
  readonly #tries: Try[] = [];
  readonly #freezes: Freeze[] = [];
  readonly #batches: string[] = [];
  #started = 0;
  #freezing = false;

  constructor(scene: TriesScene, { tries, seed }: { tries: number; seed: number }) {
    this.#scene = scene;
    this.#wanted = tries;
    this.#seed = seed;
  }

  async run(): Promise<StopTriesResult> {
    for (const { table, rows } of RATES) await this.#scene.table(table, rows);
    await Promise.all(Array.from({ length: LANES }, (_, lane) => this.#lane(lane)));
    await this.#scene.finish([...this.#batches]);
    return this.#judge();
  }

  /** One batch after the other, each stopped and resumed while it sends. */
  async #lane(lane: number): Promise<void> {
    const random = seededRandom(this.#seed * 1_000 + lane);
    for (let n = 0; this.#started < this.#wanted; n++) {
      const rate = RATES[(lane + n) % RATES.length]!;
      const id = `s${lane}x${n}`;
      const { ratePerSecond } = rate;
      await this.#scene.begin(id, rate.table, ratePerSecond === null ? {} : { ratePerSecond });
      this.#batches.push(id);
      while (this.#started < this.#wanted) {
        this.#started += 1;
        const end = await this.#try(id, ratePerSecond, random);
        if (end === 'over') this.#started -= 1;
        if (end !== 'resumed') break;
      }
    }
  }

  /** @returns `over`: it had ended before it could be stopped, and this was no try */
  async #try(
    id: string,
    ratePerSecond: number | null,
    random: () => number,
  ): Promise<'resumed' | 'aborted' | 'over'> {
    const verb = random() < ABORT_SHARE ? 'abort' : 'pause';
    const raw = random() < RAW_SHARE;
    const freeze = random() < FROZEN_SHARE && !this.#freezing;
    await sleep(200 + random() * 1_500);
    const thawed = freeze ? this.#freeze(random() < 0.5 ? 0 : 1, 3_000 + random() * 4_000) : undefined;
    if (freeze) await sleep(random() * 1_000);
    const acceptedAtMs = await this.#stop(id, verb, raw);
    if (acceptedAtMs === undefined) {
      await thawed;
      return 'over';
    }
    const frozen = this.#freezing;
    const one: Try = { batch: id, ratePerSecond, verb, raw, frozen, acceptedAtMs, untilMs: Infinity };
    await thawed;
    await sleep(STOPPED_WITHIN_MS + 500 + random() * 1_000);
    const { state } = await callApi<BatchView>(this.#scene.nc, 'batch', 'get', { id });
    // A command that came when everything was sent stopped nothing.
    if (!/Paus|Abort/.test(state)) return 'over';
    this.#tries.push(one);
    say(
      `${this.#tries.length}: ${id} at ${ratePerSecond ?? 'full speed'}, ${verb}${raw ? ' (raw)' : ''}${frozen ? ', a worker frozen' : ''}`,
    );
    if (verb === 'abort') return 'aborted';
    one.untilMs = Date.now();
    await callApi(this.#scene.nc, 'batch', 'resume', { id });
    const states = ['DeliveryRunning', 'Succeeded'];
    await callApi(this.#scene.nc, 'batch', 'wait', { id, states, timeoutMs: 60_000 }, 65_000);
    return 'resumed';
  }

  /** @returns when it was accepted: the API's answer, or the PubAck of the raw command; undefined: there was nothing to stop */
  async #stop(id: string, verb: 'pause' | 'abort', raw: boolean): Promise<number | undefined> {
    try {
      if (raw) await jetstream(this.#scene.nc).publish(commandSubject(id, verb), '{}');
      else await callApi(this.#scene.nc, 'batch', verb, { id });
      return Date.now();
    } catch (error) {
      if (error instanceof ApiError) return undefined;
      throw error;
    }
  }

  async #freeze(which: number, forMs: number): Promise<void> {
    this.#freezing = true;
    const worker = this.#scene.process(WORKERS[which]!);
    const freeze = { fromMs: Date.now(), toMs: Infinity };
    this.#freezes.push(freeze);
    worker.kill('SIGSTOP');
    await sleep(forMs);
    worker.kill('SIGCONT');
    freeze.toMs = Date.now();
    this.#freezing = false;
  }

  async #judge(): Promise<StopTriesResult> {
    const tries = this.#tries;
    const byBatch = new Map<string, Try[]>();
    for (const each of tries) byBatch.set(each.batch, [...(byBatch.get(each.batch) ?? []), each]);
    const lastMs = new Map<Try, number>(tries.map((each) => [each, 0]));
    const lateExamples: object[] = [];
    let late = 0;
    let lateFromFrozen = 0;
    for await (const { sender, at } of this.#scene.simulator.ledger()) {
      for (const each of byBatch.get(sender) ?? []) {
        if (at <= each.acceptedAtMs || at >= each.untilMs) continue;
        const lateMs = at - each.acceptedAtMs;
        if (lateMs > STOPPED_WITHIN_MS) {
          const thaw = this.#freezes.some(({ toMs }) => at >= toMs - THAW_MS && at <= toMs + THAW_MS);
          if (thaw) lateFromFrozen += 1;
          else late += 1;
          if (lateExamples.length < 10) lateExamples.push({ ...each, lateMs, thaw });
          if (thaw) continue;
        }
        lastMs.set(each, Math.max(lastMs.get(each)!, lateMs));
      }
    }
    return {
      seed: this.#seed,
      tries: tries.length,
      frozen: tries.filter(({ frozen }) => frozen).length,
      at5PerSecond: tries.filter(({ ratePerSecond }) => ratePerSecond === 5).length,
      pauses: tries.filter(({ verb }) => verb === 'pause').length,
      aborts: tries.filter(({ verb }) => verb === 'abort').length,
      lastSubmitMs: figuresOf([...lastMs.values()]),
      late,
      lateFromFrozen,
      books: await this.#scene.books(this.#batches),
      lateExamples,
    };
  }
}

const options = readOptions();
try {
  await using scene = await openTriesScene('stop-tries', { latencyMs: 20, latencyJitterMs: 10 });
  say(`Logs: ${scene.servers.logDir}`);
  const result = await new StopTries(scene, options).run();
  const { books, late } = result;
  say(JSON.stringify(result, null, 2));
  if (options.json) console.log(JSON.stringify(result));
  process.exitCode = late + books.missing + books.unexpected + books.doubled === 0 ? 0 : 1;
} catch (error) {
  say(`The run failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
  process.exitCode = 2;
}
