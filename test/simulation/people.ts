import { headers } from '@nats-io/transport-node';
import type { Verb } from '../../contracts/commands.ts';
import { commandSubject, scheduleCommandSubject } from '../../contracts/subjects.ts';
import { RUNS_SUBJECT } from './planners.ts';
import { START_MS } from './timeline.ts';
import type { World } from './world.ts';

/** Every two seconds: a year of a nightly one in some minutes. */
export const SCHEDULE = {
  cron: '*/2 * * * * *',
  timeZone: 'UTC',
  target: { kind: 'publish', subject: RUNS_SUBJECT },
} as const;

type Body = Record<string, unknown>;

/** Those who send commands: at random, doubled, at the worst moment. */
export class People {
  readonly batches: string[] = [];
  readonly schedules: string[] = [];
  readonly #world: World;
  #count = 0;
  #resting = false;

  constructor(world: World) {
    this.#world = world;
  }

  begin(): void {
    const { timeline } = this.#world;
    for (let n = 1 + timeline.below(3); n > 0; n--) this.#create();
    if (timeline.chance(0.7)) this.#createSchedule();
    this.#next();
  }

  /** By hand just when the next one is due: whoever decides both meets himself. */
  #runAtDue(id: string): void {
    const { timeline } = this.#world;
    const everyMs = 2_000;
    timeline.after(everyMs - (timeline.nowMs % everyMs) + timeline.between(-4, 4), () => {
      if (this.#resting) return;
      if (timeline.chance(0.5)) this.toSchedule(id, 'run');
      this.#runAtDue(id);
    });
  }

  /** No more commands by chance. */
  rest(): void {
    this.#resting = true;
  }

  #next(): void {
    const { timeline } = this.#world;
    timeline.after(timeline.between(50, 2_500), () => {
      if (this.#resting) return;
      this.#act();
      this.#next();
    });
  }

  #act(): void {
    const { timeline } = this.#world;
    if (this.schedules.length > 0 && timeline.chance(0.25)) {
      const verb = timeline.pick(['pause', 'resume', 'resume', 'run'] as const);
      this.toSchedule(timeline.pick(this.schedules), verb);
      return;
    }
    if (this.batches.length < 6 && timeline.chance(0.08)) {
      this.#create();
      return;
    }
    const id = timeline.pick(this.batches);
    const [verb, body] = timeline.pick(COMMANDS);
    if (verb === 'abort' && timeline.chance(0.6)) return;
    this.tell(id, verb, typeof body === 'function' ? body(timeline.nowMs) : body);
  }

  #create(): void {
    const { timeline } = this.#world;
    const id = `b${this.batches.length + 1}`;
    this.batches.push(id);
    const at = (ms: number) => new Date(timeline.nowMs + ms).toISOString();
    const batch = {
      name: id,
      content: 'Hello',
      tableStorageName: 't',
      steps: ['validation', 'preparation', 'delivery', 'statistics'],
      ...(timeline.chance(0.3) && { onInDoubt: 'resend' }),
      ...(timeline.chance(0.3) && { ratePerSecond: timeline.pick([2, 10, 40]) }),
      ...(timeline.chance(0.3) && { maxConcurrency: 1 }),
      ...(timeline.chance(0.1) && { notAfter: at(timeline.between(2_000, 60_000)) }),
      ...(timeline.chance(0.2) && { scheduleTime: at(timeline.between(1_000, 20_000)), autoTrigger: true }),
    };
    this.tell(id, 'create', { batch, start: timeline.chance(0.8) });
  }

  tell(batchId: string, verb: Verb, body: Body = {}): void {
    this.#publish(commandSubject(batchId, verb), body);
  }

  #createSchedule(): void {
    const { timeline } = this.#world;
    const id = `s${this.schedules.length + 1}`;
    this.schedules.push(id);
    const schedule = {
      ...SCHEDULE,
      ...(timeline.chance(0.5) && { jitterSeconds: 1 }),
      ...(timeline.chance(0.3) && { catchUpSeconds: 15 }),
      ...(timeline.chance(0.3) && { catchUp: 'all' }),
      target: { ...SCHEDULE.target, subject: `${RUNS_SUBJECT}.${id}` },
    };
    this.#publish(scheduleCommandSubject(id, 'create'), { schedule });
    this.#runAtDue(id);
  }

  toSchedule(id: string, verb: 'pause' | 'resume' | 'run'): void {
    this.#publish(scheduleCommandSubject(id, verb), verb === 'run' ? { requestId: `r${this.#count}` } : {});
  }

  /** Once, twice under the same message id, or twice as two commands. */
  #publish(subject: string, body: Body): void {
    const { timeline, bus } = this.#world;
    const data = Buffer.from(JSON.stringify(body));
    const send = (msgId: string) => {
      timeline.note(`somebody sends ${subject}`);
      bus.store(subject, data, { msgId, headers: headers() });
    };
    this.#count += 1;
    const id = `people ${this.#count}`;
    timeline.after(timeline.between(0, 5), () => send(id));
    const luck = timeline.random();
    if (luck < 0.1) timeline.after(timeline.between(0, 3_000), () => send(id));
    else if (luck < 0.2) timeline.after(timeline.between(0, 3_000), () => send(`${id} again`));
  }
}

const COMMANDS: readonly (readonly [Verb, Body | ((nowMs: number) => Body)])[] = [
  ['start', {}],
  ['pause', { reason: 'typo' }],
  ['pause', {}],
  ['pause', {}],
  ['resume', {}],
  ['resume', {}],
  ['resume', {}],
  ['retry', {}],
  ['retry', {}],
  ['abort', {}],
  ['reconcile', {}],
  ['reconcile', (nowMs) => ({ progressAt: Math.floor(nowMs - START_MS / 2) })],
  ['update', { patch: { ratePerSecond: 5 } }],
  ['update', { patch: { ratePerSecond: 30 } }],
  ['update', { patch: { maxConcurrency: 2 } }],
];
