import type { Logger } from 'pino';
import { type Part, part } from '../../../../../lib/lifecycle/part.ts';
import { SmppSession } from '../../../../../lib/smpp/session.ts';
import type { Answer, DeliverAnswers, SessionState } from '../../../../../lib/smpp/session-options.ts';
import { lineTurns } from '../line-turns.ts';
import type { Provider, ProviderAccount, Tag } from '../provider.ts';
import type { ReceiptGiver, ReceiptIntake } from '../receipt-intake.ts';
import { senderAddress } from '../sender-address.ts';
import { throttleControl } from '../throttle-control.ts';
import { receiptOfDeliver, receiptOfView } from './receipt-of-deliver.ts';
import type { SmppAccount } from './smpp-config.ts';
import { SmppLine } from './smpp-line.ts';
import { refusals } from './status-table.ts';

export interface SmppProviderOptions {
  account: SmppAccount & { password: string };
  intake: ReceiptIntake;
  log: Logger;
  /** The carrier said "too fast": all hosts are to know. */
  onThrottled?: () => void;
}

/** Tells the shared limiter of a throttling this often at most: one burst is one event. */
const TELL_THROTTLED_EVERY_MS = 500;

export const accountOf = (account: SmppAccount): ProviderAccount => ({
  name: account.name,
  kind: account.kind,
  tps: account.tps ?? null,
  window: (account.window ?? 100) * (account.sessions ?? 1),
  reference: account.reference ?? 'udh8',
  receipts: account.receipts ?? true,
});

/** An SMPP account: as many binds as configured, up as long as the process lives, shared by all tasks in turns. */
export function smppProvider(options: SmppProviderOptions): Provider & Part {
  const { account, intake, log } = options;
  const refusalOf = refusals(account.statusOverrides);
  const control = throttleControl({ adapt: account.tps === undefined });
  const lines: SmppLine[] = [];
  const turns = lineTurns(() => lines, control);
  const up = new Set<SmppSession<Tag>>();
  let lastTrouble: string | undefined = 'not connected yet';
  let toldThrottledAt = Number.NEGATIVE_INFINITY;

  function onAnswer(tag: Tag, answer: Answer): void {
    const { user } = tag;
    switch (answer.kind) {
      case 'answered': {
        const nowMs = performance.now();
        if (answer.commandStatus === 0) {
          control.accepted(nowMs);
          user.onAccepted(tag, answer.messageId);
          return;
        }
        const refusal = refusalOf(answer.commandStatus);
        if (refusal.class === 'throttled') throttled(nowMs);
        // The same message comes back at once: a connection that refuses everything must not be asked in a tight loop.
        else if (refusal.class === 'session') control.throttled(nowMs);
        user.onRefused(tag, refusal);
        return;
      }
      case 'noAnswer':
        user.onUnanswered(tag);
        return;
      case 'notSent':
        user.onNotSent(tag);
        return;
    }
  }

  function throttled(nowMs: number): void {
    control.throttled(nowMs);
    if (nowMs - toldThrottledAt < TELL_THROTTLED_EVERY_MS) return;
    toldThrottledAt = nowMs;
    log.warn({ provider: account.name }, 'the carrier says: too fast');
    options.onThrottled?.();
  }

  function onState(session: SmppSession<Tag>, state: SessionState): void {
    if (state.kind === 'bound') {
      up.add(session);
      lastTrouble = undefined;
      log.info({ provider: account.name, peer: state.peerSystemId }, 'bound');
      turns.wake();
      return;
    }
    up.delete(session);
    if (state.kind === 'bindRefused') {
      const refusal = refusalOf(state.commandStatus);
      lastTrouble = `bind refused: ${refusal.text} (${refusal.code})`;
      log.error({ provider: account.name, code: refusal.code, fatal: state.fatal }, lastTrouble);
    } else if (state.kind === 'closed') {
      lastTrouble = state.reason === 'bindRefused' ? lastTrouble : `${state.reason}: ${state.detail}`;
      log.warn({ provider: account.name, reason: state.reason, retryInMs: state.retryInMs }, state.detail);
    }
  }

  function sessionOf(bindType: 'transceiver' | 'transmitter' | 'receiver'): SmppSession<Tag> {
    let line: SmppLine | undefined;
    let giver: LinkGiver | undefined;
    const session: SmppSession<Tag> = new SmppSession<Tag>(
      {
        host: account.host,
        port: account.port,
        bindType,
        systemId: account.systemId,
        password: account.password,
        checkCredentialLengths: false,
        window: account.window ?? 100,
        ...(account.tls && { tls: { servername: account.host } }),
        ...(account.systemType !== undefined && { systemType: account.systemType }),
        ...(account.bindTon !== undefined && { addressTon: account.bindTon }),
        ...(account.bindNpi !== undefined && { addressNpi: account.bindNpi }),
        ...(account.addressRange !== undefined && { addressRange: account.addressRange }),
        ...(account.responseTimeoutMs !== undefined && { responseTimeoutMs: account.responseTimeoutMs }),
        ...(account.enquireLinkMs !== undefined && { enquireLinkIntervalMs: account.enquireLinkMs }),
      },
      {
        onAnswer,
        onLateAnswer: (tag, { commandStatus, messageId }) =>
          tag.user.onLateAnswer(
            tag,
            commandStatus === 0 ? { messageId } : { refusal: refusalOf(commandStatus) },
          ),
        onRoom: () => {
          if (line) turns.offer(line);
        },
        onDeliverView: (view, answers) => {
          const receipt = receiptOfView(view);
          if (!receipt) return false;
          if (giver?.answers !== answers) giver = new LinkGiver(answers);
          intake.receipt(receipt, giver, view.sequenceNumber);
          return true;
        },
        onDeliver: (deliver, respond) => {
          const receipt = receiptOfDeliver(deliver);
          // What people write back has no home yet; taken, so that it does not come again for ever.
          if (!receipt) respond(0);
          else intake.receipt(receipt, { stored: (_, ok) => respond(ok ? 0 : TEMPORARY_ERROR) }, 0);
        },
        onState: (state) => onState(session, state),
      },
    );
    if (bindType !== 'receiver') {
      line = new SmppLine(lines.length, session, account);
      lines.push(line);
    }
    return session;
  }

  const lifecycle = part(`provider ${account.name}`, ({ defer }) => {
    const bindType = account.bindType ?? 'transceiver';
    const sessions = Array.from({ length: account.sessions ?? 1 }, () => sessionOf(bindType));
    if (bindType === 'transmitter' && (account.receipts ?? true)) sessions.push(sessionOf('receiver'));
    defer(() => intake.flush());
    defer(async () => {
      await Promise.all(sessions.map((session) => session.stop()));
      lines.length = 0;
    });
    for (const session of sessions) session.start();
  });

  return {
    ...lifecycle,
    account: accountOf(account),
    senderOf: (sender, extCode) => senderAddress(sender, extCode, account),
    join: (user) => turns.join(user),
    leave: (user) => turns.leave(user),
    wake: () => turns.wake(),
    readyInMs() {
      if (!lines.some((line) => line.isUp)) return Number.POSITIVE_INFINITY;
      return Math.max(0, control.heldUntilMs() - performance.now());
    },
    throttled: () => control.heldUntilMs() > performance.now() || control.adapting,
    trouble: () => (up.size > 0 ? undefined : (lastTrouble ?? 'not connected')),
  };
}

/** ESME_RX_T_APPN: the carrier keeps the receipt and sends it again. */
const TEMPORARY_ERROR = 0x64;

/** One connection, whose receipts are known by their sequence numbers. */
class LinkGiver implements ReceiptGiver {
  readonly answers: DeliverAnswers;

  constructor(answers: DeliverAnswers) {
    this.answers = answers;
  }

  stored(sequenceNumber: number, ok: boolean): void {
    this.answers.answer(sequenceNumber, ok ? 0 : TEMPORARY_ERROR);
  }
}
