import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { type AnyPdu, decodePdu, encodePdu, type PduInput } from '../../../lib/smpp/codec.ts';
import { FrameReader } from '../../../lib/smpp/frames.ts';
import type { CommandName } from '../../../lib/smpp/pdu.ts';
import { SmppSession } from '../../../lib/smpp/session.ts';
import type {
  Answer,
  SessionHandlers,
  SessionState,
  SmppSessionOptions,
} from '../../../lib/smpp/session-options.ts';
import type { OutboundMessage } from '../../../lib/smpp/submit-sm.ts';
import { Signals } from './signals.ts';

/** An SMSC that does nothing but what a test tells it: it hands over each PDU and sends what it is given. */
export class ScriptedPeer {
  readonly server: Server;
  readonly pdus = new Signals<AnyPdu>();
  readonly sockets = new Signals<Socket>();
  /** What is done with each PDU as it comes. */
  onPdu: (pdu: AnyPdu, peer: ScriptedPeer) => void;
  port = 0;

  constructor(onPdu: (pdu: AnyPdu, peer: ScriptedPeer) => void = bindOnly) {
    this.onPdu = onPdu;
    this.server = createServer((socket) => {
      socket.on('error', () => {});
      const frames = new FrameReader(1 << 20, {
        onFrame: (bytes, start, end) => {
          const pdu = decodePdu(Buffer.from(bytes.subarray(start, end)));
          this.onPdu(pdu, this);
          this.pdus.push(pdu);
        },
        onHostileLength: () => socket.destroy(),
      });
      socket.on('data', (chunk: Buffer) => frames.push(chunk));
      this.sockets.push(socket);
    });
  }

  async listen(): Promise<this> {
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as { port: number }).port;
    return this;
  }

  get socket(): Socket {
    return this.sockets.all.at(-1)!;
  }

  send<C extends CommandName>(pdu: PduInput<C>): void {
    this.socket.write(encodePdu(pdu, { checkLengths: false }));
  }

  received(command: CommandName): AnyPdu[] {
    return this.pdus.all.filter((pdu) => pdu.command === command);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets.all) socket.destroy();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }
}

export function bindOnly(pdu: AnyPdu, peer: ScriptedPeer): void {
  const { sequenceNumber } = pdu;
  if (pdu.command.startsWith('bind_') && !pdu.command.endsWith('_resp')) {
    peer.send({
      command: `${pdu.command}_resp` as 'bind_transceiver_resp',
      sequenceNumber,
      body: { system_id: 'SMSC' },
    });
  }
  if (pdu.command === 'unbind') peer.send({ command: 'unbind_resp', sequenceNumber });
}

export function answerAll(pdu: AnyPdu, peer: ScriptedPeer): void {
  bindOnly(pdu, peer);
  const { sequenceNumber } = pdu;
  if (pdu.command === 'submit_sm') {
    peer.send({
      command: 'submit_sm_resp',
      sequenceNumber,
      body: { message_id: `id-${pdu.body.destination_addr}` },
    });
  }
}

export interface Client {
  session: SmppSession<number>;
  answers: Signals<{ tag: number; answer: Answer }>;
  states: Signals<SessionState>;
}

export function clientOf(
  port: number,
  options: Partial<SmppSessionOptions> = {},
  handlers: Partial<SessionHandlers<number>> = {},
): Client {
  const answers: Client['answers'] = new Signals();
  const states: Client['states'] = new Signals();
  const session = new SmppSession<number>(
    {
      host: '127.0.0.1',
      port,
      systemId: 'esme',
      password: 'secret',
      reconnectBaseMs: 20,
      reconnectCapMs: 100,
      ...options,
    },
    {
      onAnswer: (tag, answer) => answers.push({ tag, answer }),
      onState: (state) => states.push(state),
      ...handlers,
    },
  );
  return { session, answers, states };
}

const source = { ton: 5, npi: 0, addr: 'Shop' };

export function messageTo(destination: string, text = 'hello'): OutboundMessage {
  const shortMessage = Buffer.from(text);
  return { source, destination, esmClass: 0, dataCoding: 0, registeredDelivery: 1, shortMessage };
}
