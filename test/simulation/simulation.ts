/*
 * Deterministic simulation: the product's own code on servers, a carrier and a clock in memory, moved by one queue of events
 * in an order that a seed decides (timeline.ts). Every request of every process to a server may kill the process before or after
 * it took effect, freeze it with what it has in hand, be lost on the way there or back, or be slow (wire.ts).
 *
 * Real code: the actor's turn with its marks, rules, effects and outbox (lib/actor, services/batch); take, journal, take-over,
 * in doubt, windows, settlement and outcome writes of delivery, the count of statistics, the answers of tasks (lib/tasks,
 * lib/journal, services/steps); rounds, lattice, in-doubt resolution, parking and recounts of receipts (services/receipts);
 * fire, change, catch-up, timers and sweep of schedules (services/scheduler, lib/timers); the watcher's sweeps; the publisher
 * with its retries.
 *
 * Modelled: MongoDB as documents with atomic, filtered writes of one document each, unique `_id`, acknowledged = kept, reads that
 * see the last write (store.ts); JetStream as streams with sequences, message ids for two minutes, expected sequences, one
 * message a subject for tasks, durable consumers with ack_wait, max_ack_pending, redelivery, doubled deliveries, lost
 * acknowledgements, timers, and the loss of the whole disk (bus.ts); the carrier with its ledger, silence, late answers, throttling,
 * refusals, broken connections, receipts early, doubled, late or never (carrier.ts); people (people.ts); processes that die all at once.
 * validation, partition and preparation write what a batch needs and nothing else (workers.ts).
 *
 * Not modelled: the pull loops and their connections, SMPP's bytes, sockets and TLS (the line of line.ts stands for them), Redis and
 * figures (rates are one shared table), MongoDB set back to an earlier copy, a JetStream cluster, import of tables, delete, clone, dry
 * run and child batches, custom steps, schedules whose runs start batches or tasks, hosts whose clocks differ, memory and speed.
 */

import { isFinal, stateName } from '../../contracts/states.ts';
import { seededRandom } from '../../lib/random/seeded-random.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';
import { nextDueOf } from '../../services/scheduler/plan.ts';
import { actors, addPartitions } from './actors.ts';
import { GOOD_MANNERS } from './carrier.ts';
import { Invariants } from './invariants.ts';
import { addReceipts, joiners } from './joiners.ts';
import { sharedLimiter } from './limiter.ts';
import { MISTAKES } from './mistakes.ts';
import { People, SCHEDULE } from './people.ts';
import { addSchedules, planners } from './planners.ts';
import { type Process, processOf } from './process.ts';
import { sweepers } from './sweepers.ts';
import { type Host, START_MS, Timeline } from './timeline.ts';
import { useVirtualTime } from './virtual-time.ts';
import { NO_TROUBLES } from './wire.ts';
import { addSteps, workers } from './workers.ts';
import { World } from './world.ts';

export interface SimulationOptions {
  seed: number;
  /** Events, over as many worlds as that takes. */
  steps: number;
  /** Name of a planted mistake (mistakes.ts). */
  mistake?: string | undefined;
  /** Lines of the trace in a failure. */
  traceLines?: number;
}

export interface SimulationResult {
  steps: number;
  worlds: number;
  /** What was met, to see that the run was worth its name. */
  met: Record<string, number>;
  failure?: Failure;
}

export interface Failure {
  /** Of the world: enough to repeat it alone. */
  seed: number;
  message: string;
  trace: readonly string[];
}

/** A world is troubled for so long, then heals. */
const TROUBLED_MS = [10_000, 60_000] as const;
/** From then on everything has to come to rest within this time of the simulated world. */
const RESTS_WITHIN_MS = 40 * 60_000;
const LOOK_EVERY_MS = 1_000;
/** Receipts without a message are waited for so long. */
const PARKED_WITHIN_MS = 100_000;
/** A world in which this much happens is going round in circles. */
const MOST_STEPS = 150_000;

/** Worlds one after the other, each from a seed of its own, until that many steps are taken or a promise is broken. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  // Parsing it draws from chance, and is done once a process.
  nextDueOf(SCHEDULE, START_MS);
  const result: SimulationResult = { steps: 0, worlds: 0, met: {} };
  for (let seed = options.seed; result.steps < options.steps; seed++) {
    const world = await oneWorld(seed, options.mistake);
    result.steps += world.steps;
    result.worlds += 1;
    for (const [name, count] of Object.entries(world.met)) result.met[name] = (result.met[name] ?? 0) + count;
    if (world.failure) {
      const { message, trace } = world.failure;
      result.failure = { seed, message, trace: trace.slice(-(options.traceLines ?? 40)) };
      return result;
    }
  }
  return result;
}

interface OneWorld {
  steps: number;
  met: Record<string, number>;
  failure?: { message: string; trace: readonly string[] };
}

async function oneWorld(seed: number, mistake: string | undefined): Promise<OneWorld> {
  const timeline = new Timeline(Math.floor(seededRandom(seed)() * 2 ** 32));
  const back = useVirtualTime(timeline);
  try {
    const run = new Run(timeline, mistake);
    try {
      await run.run();
    } catch (error) {
      return {
        steps: timeline.steps,
        met: run.met(),
        failure: { message: textOf(error), trace: timeline.trace(3_000) },
      };
    }
    return { steps: timeline.steps, met: run.met() };
  } finally {
    back();
  }
}

const textOf = (error: unknown): string =>
  error instanceof Error && error.name === 'Broken'
    ? error.message
    : ((error as Error).stack ?? String(error));

class Run {
  readonly #timeline: Timeline;
  readonly #world: World;
  readonly #invariants: Invariants;
  readonly #people: People;
  #parkedUntil = 0;

  constructor(timeline: Timeline, mistake: string | undefined) {
    this.#timeline = timeline;
    const calm = timeline.chance(0.2);
    const share = (most: number) => (calm ? 0 : timeline.random() * most);
    this.#world = new World(timeline, {
      chunkSize: 1 + timeline.below(6),
      window: 1 + timeline.below(5),
      catchAtSocket: share(0.01),
    });
    const world = this.#world;
    this.#invariants = new Invariants(world);
    this.#people = new People(world);
    world.wire.troubles = { kill: share(0.01), freeze: share(0.01), lose: share(0.02), delay: share(0.02) };
    world.bus.troubles = { loseAck: share(0.1), double: share(0.05) };
    world.carrier.manners = {
      silent: share(0.05),
      late: share(0.05),
      throttled: share(0.1),
      transient: share(0.1),
      unreachable: share(0.1),
      breaks: share(0.02),
      wrongSender: share(0.004),
      noReceipt: timeline.random() * 0.5,
    };
    if (mistake !== undefined) MISTAKES[mistake]!(world);
    addPartitions(world);
    addSteps(world);
    addReceipts(world);
    addSchedules(world);
    const limiter = sharedLimiter();
    const roles: ((process: Process) => void)[][] = timeline.chance(0.5)
      ? [
          [actors, (process) => workers(process, limiter), joiners, planners, sweepers],
          [actors, (process) => workers(process, limiter), joiners, planners, sweepers],
        ]
      : [
          [actors],
          [actors],
          [(process) => workers(process, limiter)],
          [(process) => workers(process, limiter)],
          [joiners],
          [joiners],
          [planners, sweepers],
          [planners],
        ];
    roles.forEach((parts, n) => {
      world.run(`host${n}`, (host: Host) => {
        const process = processOf(world, host);
        for (const part of parts) part(process);
      });
    });
  }

  met(): Record<string, number> {
    const { store, carrier } = this.#world;
    let unknown = 0;
    for (const each of store.documents('outcomes').values())
      unknown += (each.counts as { unknown: number }).unknown;
    let submissions = 0;
    for (const each of carrier.ledger.values()) submissions += each.length;
    return {
      batches: store.documents('batches').size,
      submissions,
      inDoubt: unknown,
      ends: this.#invariants.ends.size,
      scheduledRuns: this.#invariants.runs.size,
      wipes: this.#world.bus.wipes,
    };
  }

  async run(): Promise<void> {
    const timeline = this.#timeline;
    this.#people.begin();
    this.#plagues();
    const until = timeline.nowMs + timeline.between(...TROUBLED_MS);
    await this.#steps(() => timeline.nowMs >= until);
    this.#heal();
    await this.#rest();
    this.#invariants.atRest();
    this.#check();
  }

  async #steps(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      if (!(await this.#timeline.step())) return;
      this.#check();
      if (this.#timeline.steps > MOST_STEPS) this.#world.breaks('never stuck', 'it goes round in circles');
    }
  }

  #check(): void {
    if (this.#world.broken) throw this.#world.broken;
  }

  /** Servers that go away for a while, a broker that loses its disk. */
  #plagues(): void {
    const timeline = this.#timeline;
    const world = this.#world;
    if (world.wire.troubles.kill === 0) return;
    const next = () =>
      timeline.after(timeline.between(3_000, 30_000), () => {
        if (world.wire.troubles === NO_TROUBLES) return;
        const luck = timeline.random();
        if (luck < 0.35) this.#away('store');
        else if (luck < 0.7) this.#away('bus');
        else if (luck < 0.8) {
          world.bus.wipe();
          this.#invariants.busWasLost();
        } else for (const host of [...world.hosts.values()]) world.kill(host);
        next();
      });
    next();
  }

  #away(server: 'store' | 'bus'): void {
    const timeline = this.#timeline;
    const ms = timeline.between(100, 12_000);
    timeline.note(`the ${server} is away for ${Math.round(ms)} ms`);
    this.#world.wire.awayUntil[server] = timeline.nowMs + ms;
  }

  #heal(): void {
    const world = this.#world;
    this.#timeline.note('the world heals');
    this.#people.rest();
    world.wire.troubles = NO_TROUBLES;
    world.wire.awayUntil.store = 0;
    world.wire.awayUntil.bus = 0;
    world.bus.troubles = { loseAck: 0, double: 0 };
    world.carrier.manners = { ...GOOD_MANNERS, noReceipt: world.carrier.manners.noReceipt };
    world.catchAtSocket = 0;
    for (const host of world.hosts.values()) this.#timeline.thaw(host);
  }

  /** All comes to a stand by itself; then people bring to its end what they had stopped, or what has failed. */
  async #rest(): Promise<void> {
    const timeline = this.#timeline;
    const deadline = timeline.nowMs + RESTS_WITHIN_MS;
    this.#parkedUntil = timeline.nowMs + PARKED_WITHIN_MS;
    for (;;) {
      const look = timeline.nowMs + LOOK_EVERY_MS;
      await this.#steps(() => timeline.nowMs >= look);
      if (timeline.nowMs > deadline)
        this.#world.breaks('never stuck', `still not at rest: ${this.#whatMoves()}`);
      this.#check();
      if (this.#whatMoves() !== '') continue;
      if (!this.#bringOn()) return;
    }
  }

  get #batches(): BatchDocument[] {
    return [...this.#world.store.documents('batches').values()] as never;
  }

  #whatMoves(): string {
    const { bus } = this.#world;
    const timeline = this.#timeline;
    const moving = this.#batches
      .filter(
        ({ state, finish }) =>
          finish || ['Ready', 'Running', 'Pausing', 'Aborting', 'Scheduled'].includes(state.status),
      )
      .map((batch) => `${batch._id} is ${stateName(batch.state)}`);
    const unpublished = this.#batches
      .filter((batch) => batch.unpublished)
      .map(({ _id }) => `${_id} is unpublished`);
    const open = bus.consumers
      .filter(({ waiting, out }) => waiting.length + out.size > 0)
      .map(({ name, waiting, out }) => `${name} has ${waiting.length} + ${out.size}`);
    // What has not found its message by then waits longer and longer: too long for the simulation.
    const parked = timeline.nowMs < this.#parkedUntil ? this.#invariants.parked().length : 0;
    return [
      ...moving,
      ...unpublished,
      ...open,
      ...(parked > 0 ? [`${parked} receipts are parked`] : []),
    ].join(', ');
  }

  /** @returns whether anything was left to be brought on */
  #bringOn(): boolean {
    let any = false;
    for (const { _id, state } of this.#batches) {
      if (isFinal(state)) continue;
      any = true;
      if (state.phase === null) this.#people.tell(_id, 'start');
      else this.#people.tell(_id, state.status === 'Failed' ? 'retry' : 'resume');
    }
    return any;
  }
}
