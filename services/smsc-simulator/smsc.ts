import type { Socket } from 'node:net';
import { readLatin1 } from '../../lib/smpp/latin1.ts';
import type { MessageView } from '../../lib/smpp/read-message.ts';
import { type BindRequest, ServerSession } from '../../lib/smpp/server-session.ts';
import { type Behaviour, type BehaviourChange, changed } from './behaviour.ts';
import { createDecider, type Verdict } from './decide-answer.ts';
import { DelayQueue } from './delay-queue.ts';
import { ReceiptOutbox } from './receipt-outbox.ts';
import { answeredId, idOrigin, type ReceiptJob, receiptedId } from './receipt-pdu.ts';
import { type LedgerMessage, Recorder } from './recorder.ts';
import { createThrottle } from './throttle.ts';

export interface SmscSettings {
  accounts: Record<string, string> | undefined;
  maxBinds: number;
  systemId: string;
  keepLedger: boolean;
  deliverWindow: number;
  random: () => number;
  behaviour: Behaviour;
}

export interface SmscStatus {
  connections: number;
  binds: number;
  bindsRefused: number;
  receiptsSent: number;
  receiptsAnswered: number;
  receiptsPending: number;
}

interface Connection {
  number: number;
  session: ServerSession<ReceiptJob>;
  outbox: ReceiptOutbox | undefined;
  received: number;
}

interface LateAnswer {
  session: ServerSession<ReceiptJob>;
  sequence: number;
  commandStatus: number;
  messageId: string;
}

const statuses = {
  bindFailed: 0x0d,
  invalidPassword: 0x0e,
  invalidSystemId: 0x0f,
  alreadyBound: 0x05,
} as const;
const receiptBits = 0x03;
const successOnly = 0x03;
const failureOnly = 0x02;

/** The simulated SMSC behind all connections. */
export class Smsc {
  readonly #settings: SmscSettings;
  readonly #ids = idOrigin(Date.now());
  readonly #connections = new Set<Connection>();
  readonly #outboxes = new Map<string, ReceiptOutbox>();
  readonly #late = new DelayQueue<LateAnswer>(({ session, sequence, commandStatus, messageId }) =>
    session.answerSubmit(sequence, commandStatus, messageId),
  );
  readonly recorder: Recorder;
  behaviour: Behaviour;
  #decide: (destination: () => string) => Verdict;
  #mayPass: (nowMs: number) => boolean;
  #connectionCount = 0;
  #bindsRefused = 0;
  #messageNumber = 0;
  #cutAfterDone = false;
  #view: MessageView | undefined;
  readonly #destinationText = (): string => {
    const { bytes, destinationStart, destinationEnd } = this.#view!;
    return readLatin1(bytes, destinationStart, destinationEnd);
  };

  constructor(settings: SmscSettings) {
    this.#settings = settings;
    this.recorder = new Recorder(settings.keepLedger, this.#ids);
    this.behaviour = settings.behaviour;
    this.#decide = createDecider(this.behaviour, settings.random);
    this.#mayPass = createThrottle(this.behaviour.tpsLimit, this.behaviour.tpsBurstMs);
  }

  change(change: BehaviourChange): Behaviour {
    const before = this.behaviour;
    this.behaviour = changed(before, change);
    this.#decide = createDecider(this.behaviour, this.#settings.random);
    if (before.tpsLimit !== this.behaviour.tpsLimit || before.tpsBurstMs !== this.behaviour.tpsBurstMs) {
      this.#mayPass = createThrottle(this.behaviour.tpsLimit, this.behaviour.tpsBurstMs);
    }
    if (change.disconnectAfter !== undefined) this.#cutAfterDone = false;
    return this.behaviour;
  }

  reset(): void {
    this.recorder.clear();
    for (const outbox of this.#outboxes.values()) outbox.clear();
    this.change({}); // rules count from the start again
    this.#cutAfterDone = false;
  }

  status(): SmscStatus {
    const outboxes = [...this.#outboxes.values()];
    return {
      connections: this.#connections.size,
      binds: [...this.#connections].filter(({ session }) => session.bound !== undefined).length,
      bindsRefused: this.#bindsRefused,
      receiptsSent: outboxes.reduce((sum, outbox) => sum + outbox.sent, 0),
      receiptsAnswered: outboxes.reduce((sum, outbox) => sum + outbox.answered, 0),
      receiptsPending: outboxes.reduce((sum, outbox) => sum + outbox.pending, 0),
    };
  }

  *messages({ after, msisdn }: { after?: number; msisdn?: string }): Generator<LedgerMessage> {
    for (const row of this.recorder.rows(after === undefined ? 0 : after + 1, msisdn)) {
      const message = this.recorder.message(row, this.behaviour.receipts.ids);
      if (message !== undefined) yield message;
    }
  }

  accept(socket: Socket): void {
    const number = ++this.#connectionCount;
    const session: ServerSession<ReceiptJob> = new ServerSession<ReceiptJob>(
      socket,
      {
        onBind: (request) => this.#onBind(connection, request),
        onSubmit: (view) => this.#onSubmit(connection, view),
        onDeliverAnswer: (job, answer) => connection.outbox?.onAnswer(job, answer),
        onDeliverRoom: () => connection.outbox?.pump(),
        onClosed: () => {
          this.#connections.delete(connection);
          connection.outbox?.detach(session);
        },
      },
      { systemId: this.#settings.systemId, deliverWindow: this.#settings.deliverWindow },
    );
    const connection: Connection = { number, session, outbox: undefined, received: 0 };
    this.#connections.add(connection);
  }

  disconnectAll(): number {
    const all = [...this.#connections];
    for (const { session } of all) session.close();
    return all.length;
  }

  stop(): void {
    this.#late.clear();
    for (const outbox of this.#outboxes.values()) outbox.clear();
    this.disconnectAll();
  }

  #onBind(connection: Connection, request: BindRequest): number {
    const commandStatus = this.#bindStatus(request);
    if (commandStatus !== 0) {
      this.#bindsRefused += 1;
      return commandStatus;
    }
    let outbox = this.#outboxes.get(request.systemId);
    if (outbox === undefined) {
      outbox = new ReceiptOutbox(() => this.behaviour);
      this.#outboxes.set(request.systemId, outbox);
    }
    connection.outbox = outbox;
    if (request.bindType !== 'transmitter') outbox.attach(connection.session);
    return 0;
  }

  #bindStatus({ systemId, password }: BindRequest): number {
    const { accounts, maxBinds } = this.#settings;
    if (accounts !== undefined) {
      if (accounts[systemId] === undefined) return statuses.invalidSystemId;
      if (accounts[systemId] !== password) return statuses.invalidPassword;
    }
    if (maxBinds === 0) return 0;
    const bound = [...this.#connections].filter(({ session }) => session.bound?.systemId === systemId);
    return bound.length >= maxBinds ? statuses.alreadyBound : 0;
  }

  #onSubmit(connection: Connection, view: MessageView): void {
    const { session } = connection;
    if (session.closed) return;
    const nowMs = Date.now();
    if (this.behaviour.tpsLimit > 0 && !this.#mayPass(performance.now())) {
      const { throttledStatus } = this.behaviour;
      this.recorder.add(view, connection.number, nowMs, 0, throttledStatus, 'answered', true);
      this.#answer(session, view.sequenceNumber, throttledStatus, '', this.behaviour.latencyMs);
      return;
    }
    this.#view = view;
    const verdict = this.#decide(this.#destinationText);
    const cut = verdict.disconnect ?? this.#dueCut(connection);
    if (cut === 'before') {
      session.close();
      return;
    }
    const { commandStatus } = verdict;
    const number = commandStatus === 0 ? ++this.#messageNumber : 0;
    const answers = cut === undefined ? verdict.answers : 0;
    const answer = answers > 0 ? 'answered' : cut === undefined ? 'noAnswer' : 'disconnected';
    this.recorder.add(view, connection.number, nowMs, number, commandStatus, answer, false);
    const { ids } = this.behaviour.receipts;
    const messageId = commandStatus === 0 ? answeredId(number, this.#ids, ids) : '';
    if (commandStatus === 0) {
      const receiptId = ids === 'same' ? messageId : receiptedId(number, this.#ids, ids);
      this.#scheduleReceipt(connection, view, receiptId, verdict, nowMs);
    }
    for (let n = 0; n < answers; n++) {
      this.#answer(session, view.sequenceNumber, commandStatus, messageId, verdict.delayMs);
    }
    if (cut === 'after') session.close();
  }

  #dueCut(connection: Connection): 'after' | undefined {
    const { disconnectEvery, disconnectAfter } = this.behaviour;
    connection.received += 1;
    if (disconnectEvery > 0 && connection.received % disconnectEvery === 0) return 'after';
    if (disconnectAfter > 0 && !this.#cutAfterDone && connection.received >= disconnectAfter) {
      this.#cutAfterDone = true;
      return 'after';
    }
    return undefined;
  }

  #answer(
    session: ServerSession<ReceiptJob>,
    sequence: number,
    commandStatus: number,
    messageId: string,
    delayMs: number,
  ): void {
    if (delayMs === 0) session.answerSubmit(sequence, commandStatus, messageId);
    else this.#late.push({ session, sequence, commandStatus, messageId }, delayMs);
  }

  #scheduleReceipt(
    connection: Connection,
    view: MessageView,
    messageId: string,
    verdict: Verdict,
    nowMs: number,
  ): void {
    const { outbox } = connection;
    const asked = view.registeredDelivery & receiptBits;
    const delivered = verdict.receiptState === 'DELIVRD';
    if (outbox === undefined || asked === 0) return;
    if ((asked === failureOnly && delivered) || (asked === successOnly && !delivered)) return;
    const { random } = this.#settings;
    const { share, format, earlyShare, doubledShare, delayMs, delayJitterMs } = this.behaviour.receipts;
    if (share < 1 && random() >= share) return;
    const { bytes } = view;
    const job: ReceiptJob = {
      source: readLatin1(bytes, view.sourceStart, view.sourceEnd),
      destination: readLatin1(bytes, view.destinationStart, view.destinationEnd),
      messageId,
      state: verdict.receiptState,
      submittedAtMs: nowMs,
      format,
    };
    const early = earlyShare > 0 && random() < earlyShare;
    const wait = early ? 0 : verdict.delayMs + delayMs + (delayJitterMs > 0 ? random() * delayJitterMs : 0);
    const copies = doubledShare > 0 && random() < doubledShare ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      // An early one is written before the answer; one without delay in a later turn, so after it.
      if (early) outbox.send(copy === 0 ? job : { ...job });
      else outbox.sendLater(copy === 0 ? job : { ...job }, wait);
    }
  }
}
