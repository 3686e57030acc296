import type { NatsConnection } from '@nats-io/transport-node';
import type { ScheduleView } from '../../contracts/schedule-api.ts';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import { callApi } from '../engine/api.ts';
import { SCHEDULE_SENDER } from './carrier-book.ts';
import { phoneOf } from './tables.ts';

const ID = 'chaos';
const EVERY_MS = 10_000;
const PEOPLE = 12;
const LOOK_EVERY_MS = 20_000;

/** The people of each run, as digits. */
export const campaignPeople = (): Set<string> =>
  new Set(Array.from({ length: PEOPLE }, (_, n) => phoneOf(n)));

/** A campaign every ten seconds, from a template; its runs have to be there once each, or to be explained. */
export class Campaign {
  readonly #nc: NatsConnection;
  readonly #fromMs: number;
  /** Due time → what the schedule says of it. */
  readonly runs = new Map<string, { outcome: string; batchId?: string; reason?: string }>();
  /** Due times of which the schedule speaks twice. */
  readonly twice: string[] = [];

  private constructor(nc: NatsConnection, fromMs: number) {
    this.#nc = nc;
    this.#fromMs = fromMs;
  }

  static async begin(nc: NatsConnection): Promise<Campaign> {
    const template = {
      name: 'Campaign of ${time}',
      content: 'Due ${time}',
      providers: ['simulator'],
      sender: SCHEDULE_SENDER,
      recipients: [...campaignPeople()].map((phone) => ({ phone: `+${phone}` })),
    };
    const schedule = {
      cron: `*/${EVERY_MS / 1_000} * * * * *`,
      timeZone: 'UTC',
      overlap: 'allow',
      catchUp: 'all',
      target: { kind: 'batch.template', template },
    };
    await callApi(nc, 'schedule', 'create', { id: ID, schedule });
    return new Campaign(nc, Date.now());
  }

  /** Looks often enough to see every run: a schedule shows its last ten. */
  async watch(signal: AbortSignal): Promise<void> {
    while (await sleep(LOOK_EVERY_MS, signal)) {
      try {
        await this.#look();
      } catch {
        // Nobody answers now.
      }
    }
  }

  async #look(): Promise<void> {
    const { runs } = await callApi<ScheduleView>(this.#nc, 'schedule', 'get', { id: ID }, 5_000);
    const dues = runs.map(({ dueAt }) => dueAt);
    for (const due of dues.filter((each, at) => dues.indexOf(each) !== at)) this.twice.push(due);
    for (const { dueAt, outcome, batchId, reason } of runs) {
      this.runs.set(dueAt, { outcome, ...(batchId && { batchId }), ...(reason && { reason }) });
    }
  }

  /** No more runs; what is due by now has `withinMs` to be decided. */
  async end(withinMs: number): Promise<{ dues: string[]; unexplained: string[] }> {
    const pausedAtMs = Date.now();
    await callApi(this.#nc, 'schedule', 'pause', { id: ID, reason: 'the end of the run' });
    const dues: string[] = [];
    // The first and the last may fall into the moment of creation and pause.
    for (
      let ms = Math.ceil((this.#fromMs + 1_000) / EVERY_MS) * EVERY_MS;
      ms < pausedAtMs - EVERY_MS;
      ms += EVERY_MS
    ) {
      dues.push(new Date(ms).toISOString().replace('.000', ''));
    }
    const seen = () => new Set([...this.runs.keys()].map((due) => Date.parse(due)));
    const missing = () => dues.filter((due) => !seen().has(Date.parse(due)));
    for (const untilMs = Date.now() + withinMs; ; ) {
      await this.#look();
      if (missing().length === 0 || Date.now() > untilMs) return { dues, unexplained: missing() };
      await sleep(500);
    }
  }
}
