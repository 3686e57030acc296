import { jetstream } from '@nats-io/jetstream';
import { Command, InvalidArgumentError } from 'commander';
import { commandSubject } from '../../contracts/subjects.ts';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import { seededRandom } from '../../lib/random/seeded-random.ts';
import type { TaskDocument } from '../../lib/store/task-document.ts';
import { callApi } from '../engine/api.ts';
import { metricOf } from '../engine/metrics.ts';
import { type Books, figuresOf, HOSTS, openTriesScene, type TriesScene, WORKERS } from './tries-scene.ts';

/** The promise: what a dead or frozen process had in its hands goes on elsewhere within this. */
const MOVED_WITHIN_MS = 10_000;
const GIVE_UP_MS = 60_000;
const FROZEN_FOR_MS = 8_000;
/** Batches that are only sent commands, over as many partitions as there may be. */
const ACTORS = 24;
const ROWS = 20_000;
const RATE_PER_SECOND = 400;

type Kind = 'worker-killed' | 'host-killed' | 'worker-frozen' | 'host-frozen';

export interface TakeOverResult {
  seed: number;
  /** ms from the signal until everything that the process had in hand had moved on elsewhere. */
  movedMs: Record<Kind, { count: number; median: number; max: number }>;
  /** Late writes of processes that woke up, refused and counted by them: of tasks, and of turns. */
  refusedWrites: number;
  refusedTurns: number;
  /** Frozen processes that had something in hand, and how many of them counted a refusal. */
  frozenWithWork: number;
  frozenThatCounted: number;
  books: Books;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('a whole number');
  return value;
}

const readOptions = () =>
  new Command('take-over')
    .description(
      'Kills and freezes batch hosts and workers in turn, and measures how soon their work goes on elsewhere.',
    )
    .option('--kills <n>', 'half of them hosts, half workers', wholeNumber, 20)
    .option('--freezes <n>', 'likewise', wholeNumber, 10)
    .option('--seed <n>', 'of the plan', wholeNumber, 1)
    .option('--json', 'the last line of the output is one JSON object', false)
    .parse()
    .opts<{ kills: number; freezes: number; seed: number; json: boolean }>();

const say = (line: string): void => void process.stderr.write(`${line}\n`);

class TakeOver {
  readonly #scene: TriesScene;
  readonly #random: () => number;
  readonly #moved: Record<Kind, number[]> = {
    'worker-killed': [],
    'host-killed': [],
    'worker-frozen': [],
    'host-frozen': [],
  };
  readonly #batches: string[] = [];
  readonly #refused = { writes: 0, turns: 0, withWork: 0, counted: 0 };
  #updates = 0;

  constructor(scene: TriesScene, seed: number) {
    this.#scene = scene;
    this.#random = seededRandom(seed);
  }

  async run({
    kills,
    freezes,
    seed,
  }: {
    kills: number;
    freezes: number;
    seed: number;
  }): Promise<TakeOverResult> {
    await this.#scene.table('over', ROWS);
    const batch = { content: 'hello', tableStorageName: 'over', providers: ['simulator'] };
    for (let n = 0; n < ACTORS; n++) {
      const id = `actor-${n}`;
      await callApi(this.#scene.nc, 'batch', 'create', { id, batch: { name: id, ...batch } });
    }
    const kinds: Kind[] = [];
    for (let n = 0; n < kills; n++) kinds.push(n % 2 === 0 ? 'worker-killed' : 'host-killed');
    for (let n = 0; n < freezes; n++) kinds.push(n % 2 === 0 ? 'worker-frozen' : 'host-frozen');
    for (const kind of kinds) {
      await sleep(this.#random() * 1_000);
      const movedMs = kind.startsWith('worker') ? await this.#worker(kind) : await this.#host(kind);
      this.#moved[kind].push(movedMs);
      say(`${kind}: moved on after ${Math.round(movedMs)} ms`);
    }
    await this.#scene.finish([...this.#batches]);
    const { writes, turns, withWork, counted } = this.#refused;
    return {
      seed,
      movedMs: {
        'worker-killed': figuresOf(this.#moved['worker-killed']),
        'host-killed': figuresOf(this.#moved['host-killed']),
        'worker-frozen': figuresOf(this.#moved['worker-frozen']),
        'host-frozen': figuresOf(this.#moved['host-frozen']),
      },
      refusedWrites: writes,
      refusedTurns: turns,
      frozenWithWork: withWork,
      frozenThatCounted: counted,
      books: await this.#scene.books(this.#batches),
    };
  }

  /** A worker with tasks of delivery in hand: each of them has to be someone else's, and the batch has to send on. */
  async #worker(kind: Kind): Promise<number> {
    const { store } = this.#scene;
    const victim = await this.#holder();
    const worker = this.#scene.process(victim);
    const before = await metricOf(worker, 'smsbatch_step_writes_refused_total');
    const fromMs = performance.now();
    worker.kill(kind === 'worker-killed' ? 'SIGKILL' : 'SIGSTOP');
    // What it holds now it holds for good.
    const held = await store.tasks.find({ step: 'delivery', out: true, holder: victim }).toArray();
    const batches = [...new Set(held.map(({ batchId }) => batchId))];
    let takenAtPlaces: number | undefined;
    const movedMs = await this.#until(fromMs, async () => {
      const now = await store.tasks.find({ batchId: { $in: batches }, step: 'delivery' }).toArray();
      const later = new Map(now.map((each) => [each._id, each]));
      if (!held.every((task) => isElsewhere(task, later.get(task._id)))) return false;
      takenAtPlaces ??= placesOf(now);
      return placesOf(now) > takenAtPlaces || now.every(({ done }) => done);
    });
    if (kind === 'worker-killed') {
      await worker.exited;
      await this.#scene.start(victim);
      return movedMs;
    }
    await sleep(Math.max(0, FROZEN_FOR_MS - (performance.now() - fromMs)));
    worker.kill('SIGCONT');
    const counted = await this.#counted(async () => {
      return (await metricOf(worker, 'smsbatch_step_writes_refused_total')) - before;
    }, held.length > 0);
    this.#refused.writes += counted;
    return movedMs;
  }

  /** A host in the midst of commands: each of them has to be obeyed. */
  async #host(kind: Kind): Promise<number> {
    const victim = HOSTS[this.#random() < 0.5 ? 0 : 1]!;
    const host = this.#scene.process(victim);
    const before = await metricOf(host, 'smsbatch_turns_refused_total');
    const wanted = new Map<string, string>();
    const burst = async (): Promise<void> => {
      await Promise.all(
        Array.from({ length: ACTORS }, async (_, n) => {
          const description = `update ${++this.#updates}`;
          wanted.set(`actor-${n}`, description);
          const body = JSON.stringify({ patch: { description } });
          await jetstream(this.#scene.nc).publish(commandSubject(`actor-${n}`, 'update'), body);
        }),
      );
    };
    let flowing = true;
    const flow = (async () => {
      for (; flowing; await sleep(100)) await burst();
    })();
    await sleep(300 + this.#random() * 300);
    const fromMs = performance.now();
    host.kill(kind === 'host-killed' ? 'SIGKILL' : 'SIGSTOP');
    flowing = false;
    await flow;
    const movedMs = await this.#until(fromMs, async () => {
      const actors = await this.#scene.store.batches.find({ _id: { $in: [...wanted.keys()] } }).toArray();
      return actors.every(({ _id, definition }) => definition.description === wanted.get(_id));
    });
    if (kind === 'host-killed') {
      await host.exited;
      await this.#scene.start(victim);
      return movedMs;
    }
    await sleep(Math.max(0, FROZEN_FOR_MS - (performance.now() - fromMs)));
    host.kill('SIGCONT');
    const counted = await this.#counted(async () => {
      return (await metricOf(host, 'smsbatch_turns_refused_total')) - before;
    }, false);
    this.#refused.turns += counted;
    return movedMs;
  }

  /** The name of a worker that is sending; begins a batch where none is. */
  async #holder(): Promise<string> {
    const { store } = this.#scene;
    for (;;) {
      const out = await store.tasks.find({ step: 'delivery', out: true }).toArray();
      const sending = out.filter(({ holder, authorisedTo }) => holder !== undefined && authorisedTo > 0);
      const holders = [...new Set(sending.flatMap(({ holder }) => holder ?? []))].sort();
      const names = WORKERS.filter((name) => holders.includes(name));
      if (names.length > 0) return names[Math.floor(this.#random() * names.length)]!;
      const running = await store.batches.countDocuments({ 'state.phase': 'delivery' });
      if (running === 0) {
        const id = `over-${this.#batches.length}`;
        this.#batches.push(id);
        await this.#scene.begin(id, 'over', { ratePerSecond: RATE_PER_SECOND });
      }
      await sleep(100);
    }
  }

  async #until(fromMs: number, isSo: () => Promise<boolean>): Promise<number> {
    while (!(await isSo())) {
      if (performance.now() - fromMs > GIVE_UP_MS) return Number.POSITIVE_INFINITY;
      await sleep(50);
    }
    return performance.now() - fromMs;
  }

  /** What a process that woke up has counted. It may take a moment; one without anything in hand counts nothing. */
  async #counted(read: () => Promise<number>, withWork: boolean): Promise<number> {
    const fromMs = performance.now();
    let counted = await read();
    while (counted === 0 && performance.now() - fromMs < (withWork ? 15_000 : 3_000)) {
      await sleep(200);
      counted = await read();
    }
    if (withWork) this.#refused.withWork += 1;
    if (withWork && counted > 0) this.#refused.counted += 1;
    return counted;
  }
}

/** Someone else has taken it, or it has ended. */
const isElsewhere = (before: TaskDocument, now: TaskDocument | undefined): boolean =>
  !now || now.done || !now.out || now.ownerSeq > before.ownerSeq;

const placesOf = (tasks: readonly TaskDocument[]): number =>
  tasks.reduce((sum, { authorisedTo }) => sum + authorisedTo, 0);

const options = readOptions();
try {
  await using scene = await openTriesScene('take-over', { latencyMs: 20, latencyJitterMs: 10 });
  say(`Logs: ${scene.servers.logDir}`);
  const result = await new TakeOver(scene, options.seed).run(options);
  const { books, movedMs } = result;
  say(JSON.stringify(result, null, 2));
  if (options.json) console.log(JSON.stringify(result));
  const slowest = Math.max(...Object.values(movedMs).map(({ max }) => max));
  const uncounted = result.frozenWithWork - result.frozenThatCounted;
  const wrong = books.missing + books.unexpected + books.doubled;
  process.exitCode = slowest <= MOVED_WITHIN_MS && uncounted === 0 && wrong === 0 ? 0 : 1;
} catch (error) {
  say(`The run failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
  process.exitCode = 2;
}
