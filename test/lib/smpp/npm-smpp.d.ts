/** npm `smpp` 0.5.1 has no types; this is what the tests use of it. */
declare module 'smpp' {
  import type { EventEmitter } from 'node:events';
  import type { Server as NetServer, Socket } from 'node:net';

  class Pdu {
    constructor(command: string | Buffer, options?: Record<string, unknown>);
    command: string;
    command_id: number;
    command_status: number;
    sequence_number: number;
    toBuffer(): Buffer;
    response(options?: Record<string, unknown>): Pdu;
    [field: string]: unknown;
  }
  type Send = (options: Record<string, unknown>, onResponse?: (pdu: Pdu) => void) => boolean;
  class ClientSession extends EventEmitter {
    socket: Socket;
    send(pdu: Pdu, onResponse?: (pdu: Pdu) => void): boolean;
    close(callback?: () => void): void;
    destroy(callback?: () => void): void;
    submit_sm: Send;
    deliver_sm: Send;
    data_sm: Send;
    query_sm: Send;
    enquire_link: Send;
    unbind: Send;
    bind_transceiver: Send;
    bind_transmitter: Send;
    bind_receiver: Send;
  }
  class SmppServer extends EventEmitter {
    sessions: ClientSession[];
    listen(port: number, host: string, callback?: () => void): this;
    close(callback?: () => void): this;
    address(): ReturnType<NetServer['address']>;
  }
  interface Filter {
    encode(this: unknown, value: unknown): unknown;
    decode(this: unknown, value: unknown, flag?: unknown): unknown;
  }
  const smpp: {
    PDU: typeof Pdu;
    createServer(listener: (session: ClientSession) => void): SmppServer;
    connect(options: { host: string; port: number }, listener?: () => void): ClientSession;
    filters: Record<string, Filter>;
    errors: Record<string, number>;
  };
  namespace smpp {
    type PDU = Pdu;
    type Session = ClientSession;
    type Server = SmppServer;
  }
  export type PDU = Pdu;
  export type Session = ClientSession;
  export type Server = SmppServer;
  export default smpp;
}
