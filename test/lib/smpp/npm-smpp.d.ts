/** npm `smpp` 0.5.1 has no types; this is what the tests use of it. */
declare module 'smpp' {
  import type { EventEmitter } from 'node:events';
  import type { Server as NetServer, Socket } from 'node:net';

  export class PDU {
    constructor(command: string | Buffer, options?: Record<string, unknown>);
    command: string;
    command_id: number;
    command_status: number;
    sequence_number: number;
    toBuffer(): Buffer;
    response(options?: Record<string, unknown>): PDU;
    [field: string]: unknown;
  }
  type Send = (options: Record<string, unknown>, onResponse?: (pdu: PDU) => void) => boolean;
  export class Session extends EventEmitter {
    socket: Socket;
    send(pdu: PDU, onResponse?: (pdu: PDU) => void): boolean;
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
  export class Server extends EventEmitter {
    sessions: Session[];
    listen(port: number, host: string, callback?: () => void): this;
    close(callback?: () => void): this;
    address(): ReturnType<NetServer['address']>;
  }
  interface Filter {
    encode(this: unknown, value: unknown): unknown;
    decode(this: unknown, value: unknown, flag?: unknown): unknown;
  }
  const smpp: {
    PDU: typeof PDU;
    createServer(listener: (session: Session) => void): Server;
    connect(options: { host: string; port: number }, listener?: () => void): Session;
    filters: Record<string, Filter>;
    errors: Record<string, number>;
  };
  export default smpp;
}
