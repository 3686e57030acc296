import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import smpp, { type PDU, type Session } from 'smpp';
import type { DeliverSm } from '../../../lib/smpp/read-message.ts';
import { parseReceipt } from '../../../lib/smpp/receipt.ts';
import {
  type DeliverAnswer,
  ServerSession,
  type ServerSessionOptions,
} from '../../../lib/smpp/server-session.ts';
import { clientOf, messageTo } from './peers.ts';
import { Signals } from './signals.ts';

const receiptText =
  'id:7 sub:001 dlvrd:001 submit date:2611250829 done date:2611250830 stat:DELIVRD err:000 text:';

async function npmServer(onSession: (session: Session) => void) {
  const server = smpp.createServer((session) => {
    session.on('error', () => {});
    onSession(session);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    async [Symbol.asyncDispose]() {
      for (const session of [...server.sessions]) session.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Our SMSC side, accepting `secret` only. */
async function ourServer(
  onSubmit: (
    text: string,
    destination: string,
    session: ServerSession<string>,
    sequenceNumber: number,
  ) => void,
  options: ServerSessionOptions = {},
) {
  const sessions = new Signals<ServerSession<string>>();
  const deliverAnswers = new Signals<[string, DeliverAnswer]>();
  const server = createServer((socket) => {
    const session = new ServerSession<string>(
      socket,
      {
        onBind: (request) => (request.password === 'secret' ? 0 : 0x0e),
        onSubmit: (view) => {
          const text = view.bytes.toString('latin1', view.shortMessageStart, view.shortMessageEnd);
          const destination = view.bytes.toString('latin1', view.destinationStart, view.destinationEnd);
          onSubmit(text, destination, session, view.sequenceNumber);
        },
        onDeliverAnswer: (tag, answer) => deliverAnswers.push([tag, answer]),
      },
      options,
    );
    sessions.push(session);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    sessions,
    deliverAnswers,
    async [Symbol.asyncDispose]() {
      for (const session of sessions.all) session.close();
      server.close();
      await once(server, 'close');
    },
  };
}

async function npmClient(port: number, password = 'secret') {
  const session = smpp.connect({ host: '127.0.0.1', port });
  session.on('error', () => {});
  await once(session, 'connect');
  const bound = await new Promise<PDU>((resolve) =>
    session.bind_transceiver({ system_id: 'npm', password }, resolve),
  );
  return {
    session,
    bound,
    async [Symbol.asyncDispose]() {
      if (!session.socket.destroyed) await new Promise<void>((resolve) => session.destroy(() => resolve()));
    },
  };
}

describe('our session with npm smpp’s server', () => {
  it('binds, submits, is answered, gets receipts, answers enquire_link, unbinds', async () => {
    const submitted: string[] = [];
    const delivered = new Signals<DeliverSm>();
    const answeredDeliver = new Signals<PDU>();
    await using server = await npmServer((session) => {
      session.on('bind_transceiver', (pdu: PDU) => session.send(pdu.response({ system_id: 'npm' })));
      session.on('unbind', (pdu: PDU) => {
        session.send(pdu.response());
        session.close();
      });
      session.on('submit_sm', (pdu: PDU) => {
        const { message } = pdu.short_message as { message: string };
        submitted.push(`${pdu.source_addr}>${pdu.destination_addr}:${message}`);
        if (pdu.destination_addr === '499') session.send(pdu.response({ command_status: 0x0b }));
        else session.send(pdu.response({ message_id: `m${pdu.destination_addr}` }));
        if (pdu.destination_addr === '490') {
          const body = {
            esm_class: 4,
            source_addr: '490',
            destination_addr: 'Shop',
            short_message: Buffer.from(receiptText),
          };
          session.deliver_sm({ ...body, receipted_message_id: 'm490', message_state: 2 }, (answer) =>
            answeredDeliver.push(answer),
          );
          session.enquire_link({}, (answer) => answeredDeliver.push(answer));
        }
      });
    });
    const client = clientOf(
      server.port,
      {},
      {
        onDeliver: (deliver, respond) => {
          delivered.push(deliver);
          respond(0);
        },
      },
    );
    client.session.start();
    await client.session.whenBound(5000);
    for (let i = 0; i < 10; i++) client.session.submit(messageTo(`49${i}`), i);
    const answers = await client.answers.count('answer', 10);
    assert.deepEqual(
      answers.map(({ tag, answer }) => [
        tag,
        answer.kind === 'answered' && answer.commandStatus,
        answer.kind === 'answered' && answer.messageId,
      ]),
      Array.from({ length: 10 }, (_, i) => (i === 9 ? [9, 0x0b, ''] : [i, 0, `m49${i}`])),
    );
    assert.deepEqual(
      submitted,
      Array.from({ length: 10 }, (_, i) => `Shop>49${i}:hello`),
    );
    const [receipt] = await delivered.count('receipt', 1);
    assert.deepEqual(parseReceipt(receipt!), {
      messageId: 'm490',
      state: 'delivered',
      final: true,
      networkError: '000',
      doneAt: Date.UTC(2026, 10, 25, 8, 30),
    });
    const [deliverAnswer, enquireAnswer] = await answeredDeliver.count('answer to deliver_sm', 2);
    assert.deepEqual([deliverAnswer!.command, deliverAnswer!.command_status], ['deliver_sm_resp', 0]);
    assert.deepEqual([enquireAnswer!.command, enquireAnswer!.command_status], ['enquire_link_resp', 0]);
    await client.session.stop();
    assert.equal(client.session.state.kind, 'stopped');
  });
});

describe('npm smpp’s client with our server session', () => {
  it('binds, submits, is answered, gets receipts and answers them, unbinds', async () => {
    await using server = await ourServer((text, destination, session, sequenceNumber) => {
      if (destination === '499') session.answerSubmit(sequenceNumber, 0x58, '');
      else session.answerSubmit(sequenceNumber, 0, `ours-${text}`);
      if (destination === '490') {
        session.deliver(
          {
            body: { esm_class: 4, source_addr: '490', short_message: Buffer.from(receiptText) },
            tlvs: { message_state: 2, receipted_message_id: '7' },
          },
          'r0',
        );
        session.enquireLink();
      }
    });
    await using client = await npmClient(server.port);
    assert.deepEqual(
      [client.bound.command_status, client.bound.system_id, client.bound.sc_interface_version],
      [0, 'SMSC', 0x34],
    );
    const received = new Signals<PDU>();
    client.session.on('deliver_sm', (pdu: PDU) => {
      received.push(pdu);
      client.session.send(pdu.response());
    });
    client.session.on('enquire_link', (pdu: PDU) => client.session.send(pdu.response()));
    const answers = new Signals<PDU>();
    for (let i = 0; i < 10; i++) {
      client.session.submit_sm(
        { destination_addr: `49${i}`, data_coding: 0, short_message: Buffer.from(`t${i}`) },
        (pdu) => answers.push(pdu),
      );
    }
    await answers.count('answer', 10);
    assert.deepEqual(
      answers.all.map((pdu) => [pdu.command_status, pdu.message_id]),
      Array.from({ length: 10 }, (_, i) => (i === 9 ? [0x58, undefined] : [0, `ours-t${i}`])),
    );
    const [receipt] = await received.count('receipt', 1);
    assert.deepEqual(
      [receipt!.receipted_message_id, receipt!.message_state, receipt!.esm_class],
      ['7', 2, 4],
    );
    assert.deepEqual(await server.deliverAnswers.first('answer', () => true), [
      'r0',
      { kind: 'answered', commandStatus: 0 },
    ]);
    const unbound = await new Promise<PDU>((resolve) => client.session.unbind({}, resolve));
    assert.equal(unbound.command, 'unbind_resp');
  });

  it('is refused with a wrong password, and may not submit', async () => {
    await using server = await ourServer(() => assert.fail('submitted without a bind'));
    await using client = await npmClient(server.port, 'wrong');
    assert.equal(client.bound.command_status, 0x0e);
    const answer = await new Promise<PDU>((resolve) =>
      client.session.submit_sm({ destination_addr: '49' }, resolve),
    );
    assert.equal(answer.command_status, 0x04);
  });

  it('is refused a second bind, and gets a generic_nack for what is not served', async () => {
    await using server = await ourServer(() => {});
    await using client = await npmClient(server.port);
    const again = await new Promise<PDU>((resolve) =>
      client.session.bind_transceiver({ system_id: 'a', password: 'secret' }, resolve),
    );
    assert.equal(again.command_status, 0x05);
    const query = await new Promise<PDU>((resolve) => client.session.query_sm({ message_id: 'a' }, resolve));
    assert.deepEqual([query.command, query.command_status], ['generic_nack', 3]);
  });
});

describe('our server session', () => {
  it('keeps to its deliver window, and reports deliver_sm without an answer', async () => {
    await using server = await ourServer(() => {}, { deliverWindow: 3, deliverTimeoutMs: 60 });
    await using client = await npmClient(server.port);
    assert.equal(client.bound.command_status, 0);
    const session = server.sessions.all[0]!;
    assert.equal(session.deliverRoom, 3);
    for (const tag of ['a', 'b', 'c']) session.deliver({ body: {} }, tag);
    assert.equal(session.deliverRoom, 0);
    assert.throws(() => session.deliver({ body: {} }, 'd'), /no room/);
    await server.deliverAnswers.count('time-out', 3);
    assert.deepEqual(
      server.deliverAnswers.all,
      ['a', 'b', 'c'].map((tag) => [tag, { kind: 'noAnswer', reason: 'timeout' }]),
    );
    assert.equal(session.deliverRoom, 3);
    session.deliver({ body: {} }, 'e');
    client.session.destroy();
    assert.deepEqual(await server.deliverAnswers.first('loss', ([tag]) => tag === 'e'), [
      'e',
      { kind: 'noAnswer', reason: 'disconnected' },
    ]);
  });

  it('survives any bytes: each connection is answered or closed, and the next one is served', async () => {
    await using server = await ourServer((_text, _destination, session, sequence) =>
      session.answerSubmit(sequence, 0, 'x'),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        fc.option(fc.integer({ min: 0, max: 0xffff })),
        async (noise, length) => {
          const socket = connect(server.port, '127.0.0.1');
          socket.on('error', () => {});
          await once(socket, 'connect');
          const bytes = Buffer.alloc(Math.max(4, noise.length));
          bytes.set(noise);
          if (length !== null) bytes.writeUInt32BE(length, 0);
          socket.end(bytes);
          socket.resume();
          await once(socket, 'close');
        },
      ),
      { numRuns: 150 },
    );
    await using client = await npmClient(server.port);
    const answer = await new Promise<PDU>((resolve) =>
      client.session.submit_sm({ destination_addr: '49', short_message: Buffer.from('t') }, resolve),
    );
    assert.equal(answer.command_status, 0);
  });
});
