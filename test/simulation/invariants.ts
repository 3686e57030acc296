import { chunkId, taskId } from '../../contracts/ids.ts';
import { type OutcomeCounts, openOf, totalOf } from '../../contracts/outcomes.ts';
import { isFinal, stateName } from '../../contracts/states.ts';
import { parseEventSubject, STREAMS } from '../../contracts/subjects.ts';
import { MAX_RESENDS } from '../../lib/journal/resolve-in-doubt.ts';
import type { ParkedReceipt } from '../../lib/receipts/parked.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';
import type { OutcomeDocument, ReceiptDocument } from '../../lib/store/chunk-documents.ts';
import { mergeOutcomes } from '../../lib/store/merge-outcomes.ts';
import { countStatuses } from '../../lib/store/outcome-columns.ts';
import { receiptRank } from '../../lib/store/receipt-lattice.ts';
import { place, type TaskDocument } from '../../lib/store/task-document.ts';
import type { ScheduleDocument } from '../../services/scheduler/schedule-document.ts';
import type { Stored } from './bus.ts';
import type { Document } from './documents.ts';
import type { Recipient } from './recipients.ts';
import type { Write } from './store.ts';
import type { Host } from './timeline.ts';
import type { World } from './world.ts';

/** After a pause is accepted, or the task has gone to somebody else: what was authorised before is too old by then. */
const STOPPED_WITHIN_MS = 1_000;

/** A run that was on its way that long before the bus lost its disk may be lost with it. */
const LOST_WITH_THE_BUS_MS = 60_000;

/** The longest wait between two looks for a receipt's message (lib/receipts/parked.ts). */
const LONGEST_PARKED_MS = 600_000;

/** Later is higher; a status never goes to a lower one. The carrier's word beats a refusal that came before it. */
const RANK: Record<string, number> = { p: 0, u: 1, r: 2, a: 3, s: 4, d: 4, i: 4, e: 4 };

/** What must hold at every step, looked at from outside: in the store, on the bus and at the carrier. */
export class Invariants {
  /** Messages of runs, by their ids. */
  readonly runs = new Map<string, number>();
  readonly runEvents = new Set<string>();
  readonly ends = new Map<string, { body: { counts: OutcomeCounts; total: number | null; state: string } }>();
  /** Lives whose end was ever announced, on whatever bus. */
  readonly #announced = new Set<string>();
  readonly #world: World;
  readonly #heldSince = new Map<string, number>();
  readonly #commands = new Set<Stored>();
  readonly #lostAt: number[] = [];
  readonly #doneSince = new Map<string, number>();
  readonly #obeyed = new Set<string>();
  readonly #lastCommandAt = new Map<string, number>();
  /** When outcomes were last written: receipts that were looked for before may find their message now. */
  #lastOutcomesAt = 0;

  constructor(world: World) {
    this.#world = world;
    world.store.observe = (collection, before, after, host, asked) =>
      this.#written(collection, before, after, host, asked);
    world.bus.onStored = (message) => this.#published(message);
    world.carrier.onSubmit = (recipient, part, late) => this.#submitted(recipient, part, late);
  }

  #document<T>(collection: string, id: string): T | undefined {
    return this.#world.store.documents(collection).get(id) as T | undefined;
  }

  batch(id: string): BatchDocument | undefined {
    return this.#document('batches', id);
  }

  outcomesOf({ _id, incarnation }: BatchDocument, index: number): OutcomeDocument | undefined {
    return this.#document('outcomes', chunkId(_id, incarnation, index));
  }

  receiptsOf({ _id, incarnation }: BatchDocument, index: number): ReceiptDocument | undefined {
    return this.#document('receipts', chunkId(_id, incarnation, index));
  }

  #written(
    collection: string,
    before: Document | undefined,
    after: Document | undefined,
    host: Host,
    asked: Write,
  ): void {
    if (!after) return;
    switch (collection) {
      case 'batches':
        this.#batchWritten(before as never, after as never, host, asked);
        return;
      case 'tasks':
        this.#taskWritten(before as never, after as never, asked);
        return;
      case 'outcomes':
        this.#outcomesWritten(before as never, after as never);
        return;
      case 'receipts':
        this.#receiptsWritten(before as never, after as never);
        return;
      case 'schedules':
        this.#scheduleWritten(before as never, after as never, asked);
    }
  }

  #batchWritten(before: BatchDocument | undefined, after: BatchDocument, host: Host, asked: Write): void {
    const { _id, version, state } = after;
    if (before && before.version === version && asked.kind !== 'replace') return;
    const world = this.#world;
    world.timeline.note(`${host.name} writes ${_id} v${version}: ${stateName(state)}`);
    if (version !== (before?.version ?? 0) + 1) {
      world.breaks('one writer', `${_id} goes from version ${before?.version} to ${version}`);
    }
    this.#obeyedOnce(_id, 'document' in asked ? (asked.document as never) : after);
    if (before && isFinal(before.state) && stateName(before.state) !== stateName(state)) {
      world.breaks('final means final', `${_id} goes from ${stateName(before.state)} to ${stateName(state)}`);
    }
    if (before && after.epoch < before.epoch) world.breaks('one writer', `the epoch of ${_id} falls`);
    if (before?.work && after.stopping && !before.stopping) {
      const { step, out } = before.work;
      for (const n of out) {
        const task = this.#document<TaskDocument>('tasks', taskId(_id, before.incarnation, step, n));
        if (task?.out && task.epoch === before.epoch && task.run !== 'hold') {
          world.breaks('stoppable', `${_id} is ${stateName(state)}, and nobody holds its task ${n}`);
        }
      }
    }
  }

  #obeyedOnce(id: string, { lastCommandSeq, lastCommandAt }: BatchDocument): void {
    const world = this.#world;
    const command = `${id}: command ${lastCommandSeq} of ${lastCommandAt}`;
    // In somebody's hands while the bus lost its disk: sequences count anew, so neither it nor those behind it can be told apart.
    const isOfLostBus = world.bus.wipes > 0 && lastCommandAt < (this.#lastCommandAt.get(id) ?? 0);
    if (isOfLostBus) this.#obeyed.clear();
    else if (this.#obeyed.has(command)) world.breaks('a command is done once', `${command} is done again`);
    this.#obeyed.add(command);
    this.#lastCommandAt.set(id, lastCommandAt);
  }

  #taskWritten(before: TaskDocument | undefined, after: TaskDocument, asked: Write): void {
    const { nowMs } = this.#world.timeline;
    const { _id } = after;
    const owner = 'filter' in asked ? asked.filter.ownerSeq : undefined;
    if (before && typeof owner === 'number' && owner !== before.ownerSeq) {
      this.#world.breaks(
        'one writer',
        `owner ${owner} writes the journal of ${_id}, which is owner ${before.ownerSeq}’s`,
      );
    }
    if (after.run !== 'hold') this.#heldSince.delete(_id);
    else if (before?.run !== 'hold') this.#heldSince.set(_id, nowMs);
    if (before && after.ownerSeq < before.ownerSeq) {
      this.#world.breaks(
        'one writer',
        `ownerSeq of ${_id} falls from ${before.ownerSeq} to ${after.ownerSeq}`,
      );
    }
    if (after.out) this.#doneSince.delete(_id);
    else if (before?.out !== false) this.#doneSince.set(_id, nowMs);
  }

  #outcomesWritten(before: OutcomeDocument | undefined, after: OutcomeDocument): void {
    const { _id, counts, statuses, size } = after;
    const counted = countStatuses(statuses);
    if (totalOf(counts) !== size || JSON.stringify(counts) !== JSON.stringify(counted)) {
      this.#world.breaks('accounted for', `${_id} counts ${JSON.stringify(counts)} of ${statuses}`);
    }
    if (!before) return;
    if (after.ownerSeq < before.ownerSeq) {
      const owners = `owner ${after.ownerSeq} writes over owner ${before.ownerSeq}`;
      this.#world.breaks('one writer', `${owners} in ${_id}`);
    }
    this.#lastOutcomesAt = this.#world.timeline.nowMs;
    const receipts = this.#document<ReceiptDocument>('receipts', _id);
    this.#forward(_id, mergeOutcomes(before, receipts).statuses, mergeOutcomes(after, receipts).statuses);
  }

  #receiptsWritten(before: ReceiptDocument | undefined, after: ReceiptDocument): void {
    const { _id, states, version } = after;
    const outcomes = this.#document<OutcomeDocument>('outcomes', _id);
    if (!outcomes) return;
    if (before && version !== before.version + 1) {
      this.#world.breaks('one writer', `receipts of ${_id} go from version ${before.version} to ${version}`);
    }
    this.#forward(_id, mergeOutcomes(outcomes, before).statuses, mergeOutcomes(outcomes, after).statuses);
    if (!before) return;
    for (let i = 0; i < states.length; i++) {
      if (receiptRank(states[i]!) < receiptRank(before.states[i] ?? '.')) {
        this.#world.breaks(
          'only forward',
          `receipt ${i} of ${_id} goes from ${before.states[i]} to ${states[i]}`,
        );
      }
    }
  }

  #forward(id: string, before: string, after: string): void {
    for (let i = 0; i < before.length; i++) {
      const [from, to] = [before[i]!, after[i]!];
      if (from === to) continue;
      if (RANK[to]! <= RANK[from]! || RANK[from]! > 3)
        this.#world.breaks('only forward', `${i} of ${id} goes from ${from} to ${to}`);
    }
  }

  /** One write may hold two decisions; it has to be made on what is there. */
  #scheduleWritten(before: ScheduleDocument | undefined, after: ScheduleDocument, asked: Write): void {
    if (!before || asked.kind !== 'update' || asked.change.$set?.revision === undefined) return;
    const { revision } = asked.filter;
    if (revision === before.revision) return;
    const { _id } = after;
    this.#world.breaks(
      'one writer',
      `schedule ${_id} is at ${before.revision}, and written as from ${revision}`,
    );
  }

  #submitted(recipient: Recipient, part: number, late: boolean): void {
    const world = this.#world;
    const { batchId, index, position, task: n, parts, phone } = recipient;
    const who = `${phone} (${batchId}, task ${n}, ${index}/${position}, part ${part})`;
    world.timeline.note(`${late ? 'late, ' : ''}${who} reaches the carrier`);
    const batch = this.batch(batchId);
    const task =
      batch && this.#document<TaskDocument>('tasks', taskId(batchId, batch.incarnation, 'delivery', n));
    if (!batch || !task) {
      world.breaks('intent before sending', `${who} is sent, and there is no task of it`);
      return;
    }
    if (parts === 0) world.breaks('accounted for', `${who} was not to be sent`);
    if (task.authorisedTo <= place(index, position)) {
      world.breaks('intent before sending', `${who} is sent; authorised is up to ${task.authorisedTo}`);
    }
    const taken = world.carrier
      .submissionsOf(recipient)
      .filter((each) => each.part === part && each.verdict === 'taken');
    const most = batch.definition.onInDoubt === 'resend' ? MAX_RESENDS : 0;
    if (taken.length > most) world.breaks('nobody gets it twice', `${who} is sent ${taken.length + 1} times`);
    if (late) return;
    const { nowMs } = world.timeline;
    const heldSince = this.#heldSince.get(task._id);
    if (heldSince !== undefined && nowMs - heldSince > STOPPED_WITHIN_MS) {
      world.breaks('stoppable', `${who} is sent ${Math.round(nowMs - heldSince)} ms after its task was held`);
    }
    const doneSince = this.#doneSince.get(task._id);
    if (doneSince !== undefined && nowMs - doneSince > STOPPED_WITHIN_MS) {
      world.breaks(
        'stoppable',
        `${who} is sent ${Math.round(nowMs - doneSince)} ms after its task has answered`,
      );
    }
  }

  #published(message: Stored): void {
    const { subject, headers, data, stream } = message;
    if (stream === STREAMS.commands) this.#commands.add(message);
    if (subject.startsWith('runs.')) {
      const id = headers.get('Nats-Msg-Id');
      this.runs.set(id, (this.runs.get(id) ?? 0) + 1);
      return;
    }
    const event = parseEventSubject(subject);
    if (!event) return;
    if (event.event.startsWith('run-')) {
      const { scheduleId, dueAt, until } = JSON.parse(Buffer.from(data).toString());
      this.runEvents.add(`${scheduleId} ${dueAt} ${until ?? dueAt}`);
    }
    if (event.event !== 'ended') return;
    const body = JSON.parse(Buffer.from(data).toString());
    const life = `${event.batchId} ${body.incarnation}`;
    this.#world.timeline.note(`the end of ${event.batchId} is announced: ${body.state}`);
    if (this.ends.has(life)) this.#world.breaks('the end is announced once', `${life} ends twice`);
    this.ends.set(life, { body });
    this.#announced.add(life);
  }

  /** The bus has lost what it held: what it is told anew is no second time, and what it had taken may be gone. */
  busWasLost(): void {
    this.#lostAt.push(this.#world.timeline.nowMs);
    this.ends.clear();
    this.#commands.clear();
    for (const id of this.runs.keys()) this.runs.set(id, 0);
    this.#world.carrier.told.clear();
  }

  /** Receipts that fit no message yet and were not looked for often, and since anything was sent. */
  parked(): ParkedReceipt[] {
    const all = [...this.#world.store.documents('parked_receipts').values()] as unknown as ParkedReceipt[];
    return all.filter(({ attempts, nextTryAtMs }) => {
      const triedAtMs = nextTryAtMs - Math.min(LONGEST_PARKED_MS, 1_000 * 2 ** (attempts - 1));
      return attempts < 3 || triedAtMs <= this.#lastOutcomesAt;
    });
  }

  /** Once nothing moves any more. */
  atRest(): void {
    for (const command of this.#commands) {
      if (!this.#world.handled.has(command))
        this.#world.breaks('no silence', `nobody has obeyed or refused ${command.subject} #${command.seq}`);
    }
    for (const batch of this.#world.store.documents('batches').values())
      this.#batchAtRest(batch as unknown as BatchDocument);
    this.#schedulesAtRest();
  }

  #batchAtRest(batch: BatchDocument): void {
    const world = this.#world;
    const { _id, state, size } = batch;
    if (!isFinal(state)) world.breaks('never stuck', `${_id} rests as ${stateName(state)}`);
    if (!this.#announced.has(`${_id} ${batch.incarnation}`)) {
      world.breaks('the end is announced once', `nobody was told of the end of ${_id}`);
    }
    const plan = world.plans.get(_id);
    if (!size || !plan) return;
    const sum: Record<string, number> = {};
    let resent = 0;
    let sentAgain = 0;
    for (const recipient of plan.recipients) {
      const outcomes = this.outcomesOf(batch, recipient.index);
      if (!outcomes) {
        sum.p = (sum.p ?? 0) + 1;
        continue;
      }
      const merged = mergeOutcomes(outcomes, this.receiptsOf(batch, recipient.index));
      const letter = merged.statuses[recipient.position]!;
      sum[letter] = (sum[letter] ?? 0) + 1;
      if (recipient.position === 0) resent += outcomes.resent;
      const taken = world.carrier.submissionsOf(recipient).filter(({ verdict }) => verdict === 'taken');
      sentAgain += Math.max(0, taken.length - recipient.parts);
      this.#claimAtRest(batch, recipient, letter);
    }
    const total = Object.values(sum).reduce((all, each) => all + each, 0);
    if (total !== size.total) world.breaks('accounted for', `${_id} accounts for ${total} of ${size.total}`);
    if (sentAgain > 0 && resent === 0) {
      world.breaks(
        'nobody gets it twice',
        `${_id} has sent ${sentAgain} parts again, and counts none as resent`,
      );
    }
    this.#endAtRest(batch, sum);
  }

  #claimAtRest(batch: BatchDocument, recipient: Recipient, letter: string): void {
    const { carrier, breaks } = {
      carrier: this.#world.carrier,
      breaks: this.#world.breaks.bind(this.#world),
    };
    const who = `${recipient.phone} of ${batch._id} (${recipient.index}/${recipient.position})`;
    const resends = batch.definition.onInDoubt === 'resend';
    if (letter === 'a' && !carrier.hasSome(recipient)) {
      breaks('claimed is true', `${who} is accepted, and the carrier never had it`);
    }
    if (letter === 'a' && !carrier.hasTaken(recipient) && !carrier.told.has(recipient)) {
      breaks('claimed is true', `${who} is accepted, and the carrier had only some of its parts`);
    }
    const allowed = recipient.parts > 1 || resends ? 'aurpe' : 'au';
    if (carrier.hasTaken(recipient) && !allowed.includes(letter)) {
      breaks('accounted for', `the carrier has ${who}, and we say ${letter}`);
    }
    const told = carrier.told.get(recipient);
    const waits = this.parked().some(({ receipt }) => receipt.msisdn === recipient.phone);
    if (letter === 'u' && !waits && told?.size === recipient.parts && carrier.hasTaken(recipient)) {
      breaks('in doubt, resolved', `a receipt of ${who} is stored, and it is still unknown`);
    }
  }

  #endAtRest(batch: BatchDocument, sum: Record<string, number>): void {
    const { breaks } = { breaks: this.#world.breaks.bind(this.#world) };
    const { _id, incarnation, size, deliveryBegan } = batch;
    const end = this.ends.get(`${_id} ${incarnation}`)?.body;
    if (!end) return;
    const { counts, total, state } = end;
    if (state !== stateName(batch.state))
      breaks('the end is announced once', `${_id}: ${state} is announced`);
    if (total !== size!.total || totalOf(counts) !== total) {
      breaks('accounted for', `the end of ${_id} counts ${totalOf(counts)} of ${total}`);
    }
    if (state === 'Succeeded' && deliveryBegan && openOf(counts) > 0) {
      breaks('finished means final', `${_id} has succeeded with ${openOf(counts)} open`);
    }
    const now = (letter: string) => sum[letter] ?? 0;
    // Receipts and late answers move a status after the end, too: only forward.
    if (counts.accepted > now('a') || counts.unknown < now('u')) {
      breaks(
        'finished means final',
        `the end of ${_id} says ${JSON.stringify(counts)}, there is ${JSON.stringify(sum)}`,
      );
    }
  }

  #schedulesAtRest(): void {
    for (const [id, times] of this.runs)
      if (times > 1) this.#world.breaks('on time, once', `${id} was published ${times} times`);
    for (const each of this.#world.store.documents('schedules').values()) {
      this.#scheduleAtRest(each as unknown as ScheduleDocument);
    }
  }

  #scheduleAtRest(schedule: ScheduleDocument): void {
    const { _id, createdAt, next, state, history, definition } = schedule;
    const jitterMs = (definition.jitterSeconds ?? 0) * 1_000;
    const everyMs = 2_000;
    const last = (state === 'active' ? next?.dueAt : undefined) ?? createdAt;
    const paused: [number, number][] = [];
    for (const { verb, at } of history) {
      if (verb === 'pause') paused.push([at, Number.POSITIVE_INFINITY]);
      else if (verb === 'resume' && paused.length > 0) paused.at(-1)![1] = at;
    }
    const missed = [...this.runEvents]
      .filter((each) => each.startsWith(`${_id} `))
      .map((each) => each.split(' '));
    for (let due = Math.ceil((createdAt + 1) / everyMs) * everyMs; due < last; due += everyMs) {
      const compact = new Date(due).toISOString().replaceAll(/[-:]|\.\d+/g, '');
      if (this.runs.has(`run:${_id}-${compact}:${createdAt}`)) continue;
      if (missed.some(([, from, to]) => Date.parse(from!) <= due && due <= Date.parse(to!))) continue;
      // With its jitter it would have fired in the pause.
      if (paused.some(([from, to]) => from <= due + jitterMs && due <= to)) continue;
      // Decided, and not published yet when the bus lost its disk: nothing tells of it any more.
      if (this.#lostAt.some((at) => due <= at && at - due < LOST_WITH_THE_BUS_MS)) continue;
      this.#world.breaks(
        'on time, once',
        `the run of ${_id} due at ${new Date(due).toISOString()} never was`,
      );
    }
  }
}
