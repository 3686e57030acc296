import type { OutcomeCounts } from '../../contracts/outcomes.ts';
import { Bus, type Consumer, type Stored } from './bus.ts';
import { Carrier } from './carrier.ts';
import { type BatchPlan, planBatch } from './recipients.ts';
import { StoreServer } from './store.ts';
import { Host, type Timeline } from './timeline.ts';
import { Wire } from './wire.ts';

/** A promise was broken: what, and where in the run. */
export class Broken extends Error {
  override readonly name = 'Broken';
  readonly promise: string;

  constructor(promise: string, what: string) {
    super(`${promise}: ${what}`);
    this.promise = promise;
  }
}

export interface WorldOptions {
  /** Recipients of each task and chunk; small, so that every border is met often. */
  chunkSize: number;
  window: number;
  /** Of each write to the carrier: its process is caught between its last check and the socket. */
  catchAtSocket: number;
}

/** Everything that outlives a process: servers, carrier, the plans of batches; and which processes there are. */
export class World {
  readonly timeline: Timeline;
  readonly options: WorldOptions;
  readonly wire: Wire;
  readonly store = new StoreServer();
  readonly bus: Bus;
  readonly carrier: Carrier;
  readonly plans = new Map<string, BatchPlan>();
  readonly hosts = new Map<string, Host>();
  readonly consumers = new Map<string, Consumer>();
  /** Messages that somebody has dealt with to the end. */
  readonly handled = new Set<Stored>();
  /** A planted mistake: what the last count answers. */
  countsInstead: ((counts: OutcomeCounts, total: number) => OutcomeCounts) | undefined;
  catchAtSocket: number;
  broken: Error | undefined;
  #started = 0;
  #programs = new Map<string, (host: Host) => void>();

  constructor(timeline: Timeline, options: WorldOptions) {
    this.timeline = timeline;
    this.options = options;
    this.catchAtSocket = options.catchAtSocket;
    this.wire = new Wire(timeline, (host) => this.kill(host));
    this.bus = new Bus(timeline, this.wire);
    this.carrier = new Carrier(timeline);
  }

  breaks(promise: string, what: string): void {
    this.broken ??= new Broken(promise, what);
  }

  /** A batch's recipients, by its ID alone: also of batches that nobody has planned. */
  planOf(batchId: string): BatchPlan {
    let plan = this.plans.get(batchId);
    if (!plan) {
      const { timeline, options } = this;
      const tasks = 1 + timeline.below(3);
      const chunksOfTask = Array.from({ length: tasks }, () => 1 + timeline.below(3));
      const shape = { chunksOfTask, chunkSize: options.chunkSize };
      plan = planBatch(batchId, this.plans.size, shape, timeline.random);
      this.plans.set(batchId, plan);
      this.carrier.know(plan.recipients);
    }
    return plan;
  }

  /** Starts a process; it is started again whenever it has died. */
  run(name: string, program: (host: Host) => void): void {
    this.#programs.set(name, program);
    this.#start(name);
  }

  #start(name: string): void {
    this.#started += 1;
    const host = new Host(`${name}-${this.#started}`);
    this.hosts.set(name, host);
    this.timeline.after(0, () => this.#programs.get(name)!(host), host);
  }

  kill(host: Host): void {
    if (host.state === 'dead') return;
    this.timeline.kill(host);
    for (const [name, each] of this.hosts) {
      if (each === host) this.timeline.after(this.timeline.between(500, 6_000), () => this.#start(name));
    }
  }
}
