import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { FINAL_STATUSES } from '../../contracts/states.ts';
import { commandSubject } from '../../contracts/subjects.ts';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import { callApi } from '../engine/api.ts';
import type { Attempts } from './attempts.ts';
import { between, oneOf, type PlannedDeed, weighted } from './plan.ts';
import { TABLES, type TableOfPeople } from './tables.ts';

/** A batch as its users know it. */
export interface KnownBatch {
  id: string;
  /** One batch and the children that resend its refused: they share their sender, by which the carrier's book tells them apart. */
  family: string;
  table: TableOfPeople;
  parent?: string;
  body: { id: string } & Record<string, unknown>;
  verb: 'create' | 'retry' | 'clone';
  created: boolean;
  /** What its users want of it now. */
  wanted: 'run' | 'paused' | 'aborted';
  /** As last seen; null before. */
  state: string | null;
  hasChild: boolean;
}

const MOST_ALIVE = 10;
const RAW_AT_ONCE = 6;
const PAUSED_MS = { from: 1_500, to: 6_000 };
/** Of the pauses: until somebody resumes the batch at the end of the run. */
const PAUSED_FOR_LONG = 0.15;
const LONG_TEXT = 'All your base are belong to us. '.repeat(7);

const isFinal = (state: string | null): boolean =>
  state !== null && (FINAL_STATUSES as readonly string[]).includes(state);

/** Creates batches and steers them at random, as the plan says. */
export class Users {
  readonly batches = new Map<string, KnownBatch>();
  readonly #nc: NatsConnection;
  readonly #js: JetStreamClient;
  readonly #attempts: Attempts;
  #made = 0;
  #rawMade = 0;
  /** Commands that the server has stored. */
  readonly raws: { requestId: string; batchId: string; storedAtMs: number }[] = [];

  constructor(nc: NatsConnection, attempts: Attempts) {
    this.#nc = nc;
    this.#js = jetstream(nc);
    this.#attempts = attempts;
  }

  async do({ deed, dice }: PlannedDeed): Promise<void> {
    await this[`${deed}`](dice);
  }

  alive(): KnownBatch[] {
    return [...this.batches.values()].filter(({ state }) => !isFinal(state));
  }

  /** What is left to be done until every batch has ended, or is where a person put it. */
  unsettled(): KnownBatch[] {
    return this.alive().filter(({ wanted, state }) => !(wanted === 'paused' && state?.endsWith('Paused')));
  }

  async look(): Promise<void> {
    for (const batch of this.alive()) {
      try {
        const { state } = await callApi<{ state: string }>(
          this.#nc,
          'batch',
          'get',
          { id: batch.id, history: false },
          3_000,
        );
        batch.state = state;
        batch.created = true;
      } catch {
        // Not there yet, or nobody answers now.
      }
    }
  }

  async create([size = 0, text = 0, doubt = 0, raw = 0]: readonly number[]): Promise<void> {
    if (this.unsettled().length >= MOST_ALIVE) return;
    const id = `c${String(++this.#made).padStart(5, '0')}`;
    const table = weighted(TABLES, size);
    const body = {
      id,
      batch: {
        name: `${id} 批次`,
        tableStorageName: table.name,
        content: text < 0.2 ? LONG_TEXT : 'Hello World',
        providers: ['simulator'],
        sender: id,
        ...(table.ratePerSecond !== null && { ratePerSecond: table.ratePerSecond }),
        ...(doubt < 0.12 && { onInDoubt: 'resend' }),
        ...(raw < 0.3 && { campaignName: 'chaos' }),
      },
      start: true,
    };
    await this.#make({ id, family: id, table, body, verb: 'create' });
  }

  async pause([who = 0, forLong = 0, ms = 0]: readonly number[]): Promise<void> {
    const batch = oneOf(this.#steerable(), who);
    if (!batch) return;
    batch.wanted = 'paused';
    await this.#attempts.call('pause', { id: batch.id, operatorId: 'chaos' });
    if (forLong < PAUSED_FOR_LONG) return;
    await sleep(between(PAUSED_MS, ms));
    if (batch.wanted !== 'paused') return;
    batch.wanted = 'run';
    await this.#attempts.call('resume', { id: batch.id, operatorId: 'chaos' });
  }

  async abort([who = 0]: readonly number[]): Promise<void> {
    const batch = oneOf(this.#steerable(), who);
    if (!batch) return;
    batch.wanted = 'aborted';
    await this.#attempts.call('abort', { id: batch.id, reason: 'chaos' });
  }

  async rate([who = 0, rate = 0, stale = 0]: readonly number[]): Promise<void> {
    const batch = oneOf(this.#steerable(), who);
    if (!batch) return;
    const ratePerSecond = Math.round(
      (batch.table.ratePerSecond ?? 3_000) * between({ from: 0.5, to: 2 }, rate),
    );
    await this.#attempts.call('update', {
      id: batch.id,
      patch: { ratePerSecond },
      // Of its creation: it has moved on since.
      ...(stale < 0.2 && { expectedVersion: 1 }),
    });
  }

  /** Published as any program does: stored is all that it hears. Each has to be obeyed, or an event to say why not. */
  async raw([who = 0]: readonly number[]): Promise<void> {
    const batches = [...this.batches.values()].slice(-MOST_ALIVE);
    const first = Math.floor(who * batches.length);
    for (const { id } of [...batches.slice(first), ...batches.slice(0, first)].slice(0, RAW_AT_ONCE)) {
      const requestId = `raw-${++this.#rawMade}`;
      const body = { patch: { campaignName: requestId }, requestId };
      try {
        await this.#js.publish(commandSubject(id, 'update'), JSON.stringify(body), { timeout: 5_000 });
        this.raws.push({ requestId, batchId: id, storedAtMs: Date.now() });
      } catch {
        // Not stored, or nobody knows: nothing was promised.
      }
    }
  }

  /** A child with the refused ones of a batch that has ended. */
  async retry([who = 0]: readonly number[]): Promise<void> {
    await this.#makeChild('retry', who, 'Succeeded', { filter: { outcomes: ['rejected'] } });
  }

  /** A new batch with what an aborted one did not send. */
  async clone([who = 0]: readonly number[]): Promise<void> {
    await this.#makeChild('clone', who, 'Aborted', {});
  }

  async #makeChild(verb: 'retry' | 'clone', who: number, parentState: string, more: object): Promise<void> {
    const parents = [...this.batches.values()].filter(
      ({ state, parent, hasChild }) => !parent && !hasChild && state === parentState,
    );
    const parent = oneOf(parents, who);
    if (!parent) return;
    parent.hasChild = true;
    const { family, table } = parent;
    const id = `${parent.id}-${verb[0]}`;
    const body = { id: parent.id, ...more, childId: id, start: true };
    await this.#make({ id, family, table, parent: parent.id, body, verb });
  }

  #steerable(): KnownBatch[] {
    return this.alive().filter(({ created, wanted }) => created && wanted === 'run');
  }

  async #make(
    batch: Pick<KnownBatch, 'id' | 'family' | 'table' | 'body' | 'verb' | 'parent'>,
  ): Promise<void> {
    const known: KnownBatch = { ...batch, created: false, wanted: 'run', state: null, hasChild: false };
    this.batches.set(batch.id, known);
    await this.#ask(known);
  }

  /** The same again until it is answered: once obeyed, it changes nothing. */
  async #ask(batch: KnownBatch): Promise<void> {
    const { outcome } = await this.#attempts.call(batch.verb, batch.body);
    batch.created = outcome === 'ok';
    // A child of nobody: the parent had none that fit.
    if (outcome === 'refused' && batch.parent) this.batches.delete(batch.id);
  }

  /** After the last fault: what users do with batches that do not go on by themselves. */
  async bringToEnd(batch: KnownBatch): Promise<void> {
    const { id, state } = batch;
    // A child of nobody: the parent had no recipient that fits.
    if (batch.parent && state === 'PartitionFailed') batch.wanted = 'aborted';
    if (!batch.created) await this.#ask(batch);
    else if (batch.wanted === 'aborted') await this.#attempts.call('abort', { id });
    else if (state?.endsWith('Paused')) await this.#attempts.call('resume', { id });
    else if (state?.endsWith('Failed')) await this.#attempts.call('retry', { id });
    else if (state === 'Pending') await this.#attempts.call('start', { id });
  }
}
