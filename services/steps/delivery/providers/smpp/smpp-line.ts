import type { SmppSession } from '../../../../../lib/smpp/session.ts';
import type { OutboundMessage } from '../../../../../lib/smpp/submit-sm.ts';
import { relativeTime } from '../../../../../lib/smpp/times.ts';
import type { Line, OutboundPart, Tag } from '../provider.ts';
import type { SmppAccount } from './smpp-config.ts';

const USER_DATA_HEADER = 0x40;
const RECEIPT_WANTED = 0x01;

/** One bind as a line. The message object is filled anew for each part: the session copies it. */
export class SmppLine implements Line {
  readonly id: number;
  readonly #session: SmppSession<Tag>;
  readonly #message: OutboundMessage;
  #validitySeconds = 0;

  constructor(id: number, session: SmppSession<Tag>, account: SmppAccount) {
    this.id = id;
    this.#session = session;
    this.#message = {
      source: { ton: 0, npi: 0, addr: '' },
      destination: '',
      destinationTon: account.destinationTon ?? 1,
      destinationNpi: account.destinationNpi ?? 1,
      serviceType: account.serviceType ?? '',
      esmClass: 0,
      dataCoding: 0,
      registeredDelivery: (account.receipts ?? true) ? RECEIPT_WANTED : 0,
      validityPeriod: '',
      shortMessage: new Uint8Array(0),
      shortMessageStart: 0,
      shortMessageEnd: 0,
    };
  }

  get isUp(): boolean {
    return this.#session.state.kind === 'bound';
  }

  get room(): number {
    return this.#session.room;
  }

  submit(part: OutboundPart, tag: Tag, notAfterMs: number): void {
    const message = this.#message;
    message.source = part.sender;
    message.destination = part.destination;
    message.esmClass = part.hasUserDataHeader ? USER_DATA_HEADER : 0;
    message.dataCoding = part.dataCoding;
    message.shortMessage = part.bytes;
    message.shortMessageStart = part.start;
    message.shortMessageEnd = part.end;
    if (part.validitySeconds !== this.#validitySeconds) {
      this.#validitySeconds = part.validitySeconds;
      message.validityPeriod = part.validitySeconds === 0 ? '' : relativeTime(part.validitySeconds);
    }
    this.#session.submit(message, tag, notAfterMs);
  }
}
