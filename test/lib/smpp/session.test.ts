import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DeliverSm } from '../../../lib/smpp/read-message.ts';
import type { SessionState } from '../../../lib/smpp/session-options.ts';
import { answerAll, bindOnly, clientOf, messageTo, ScriptedPeer } from './peers.ts';
import { Signals } from './signals.ts';

const isKind = (kind: SessionState['kind']) => (state: SessionState) => state.kind === kind;
const immediate = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('binding', () => {
  for (const bindType of ['transceiver', 'transmitter', 'receiver'] as const) {
    it(`as ${bindType}`, async () => {
      await using peer = await new ScriptedPeer().listen();
      const client = clientOf(peer.port, { bindType, systemType: 'VMA', addressRange: '^49' });
      await using session = client.session;
      session.start();
      session.start();
      await session.whenBound(5000);
      const bind = peer.received(`bind_${bindType}`)[0]!;
      assert.deepEqual(bind.body, {
        system_id: 'esme',
        password: 'secret',
        system_type: 'VMA',
        interface_version: 0x34,
        addr_ton: 0,
        addr_npi: 0,
        address_range: '^49',
      });
      assert.deepEqual(session.state, { kind: 'bound', peerSystemId: 'SMSC' });
      assert.equal(session.room, bindType === 'receiver' ? 0 : 100);
      await session.stop();
      await session.stop();
      assert.equal(peer.received('unbind').length, 1);
      assert.deepEqual(
        client.states.all.map((state) => state.kind),
        ['connecting', 'bound', 'unbound', 'closed', 'stopped'],
      );
    });
  }

  for (const commandStatus of [0x0d, 0x0e, 0x0f, 0x53]) {
    it(`refused with 0x${commandStatus.toString(16)}: an alarm, and a slow retry`, async () => {
      await using peer = await new ScriptedPeer((pdu, self) => {
        if (pdu.command === 'bind_transceiver') {
          self.send({ command: 'bind_transceiver_resp', sequenceNumber: pdu.sequenceNumber, commandStatus });
        }
      }).listen();
      const client = clientOf(peer.port, { refusedRetryMs: 60_000 });
      await using session = client.session;
      session.start();
      assert.deepEqual(await client.states.first('refusal', isKind('bindRefused')), {
        kind: 'bindRefused',
        commandStatus,
        fatal: true,
      });
      const closed = await client.states.first('close', isKind('closed'));
      assert.ok(closed.kind === 'closed' && closed.reason === 'bindRefused' && closed.retryInMs === 60_000);
    });
  }

  it('refused for a while (0x05) is no alarm: it comes back by the back-off', async () => {
    let binds = 0;
    await using peer = await new ScriptedPeer((pdu, self) => {
      if (pdu.command !== 'bind_transceiver') return bindOnly(pdu, self);
      const commandStatus = binds++ === 0 ? 0x05 : 0;
      self.send({ command: 'bind_transceiver_resp', sequenceNumber: pdu.sequenceNumber, commandStatus });
    }).listen();
    const client = clientOf(peer.port);
    await using session = client.session;
    session.start();
    await session.whenBound(5000);
    assert.deepEqual(client.states.all.find(isKind('bindRefused')), {
      kind: 'bindRefused',
      commandStatus: 5,
      fatal: false,
    });
  });

  it('answered by a generic_nack is a refusal', async () => {
    await using peer = await new ScriptedPeer((pdu, self) => {
      self.send({ command: 'generic_nack', sequenceNumber: pdu.sequenceNumber, commandStatus: 0x03 });
    }).listen();
    const client = clientOf(peer.port);
    await using session = client.session;
    session.start();
    const refused = await client.states.first('refusal', isKind('bindRefused'));
    assert.ok(refused.kind === 'bindRefused' && refused.commandStatus === 3 && !refused.fatal);
  });

  it('without an answer times out and is tried again', async () => {
    await using peer = await new ScriptedPeer(() => {}).listen();
    const client = clientOf(peer.port, { bindTimeoutMs: 60 });
    await using session = client.session;
    session.start();
    const closed = await client.states.first('close', isKind('closed'));
    assert.ok(closed.kind === 'closed' && closed.reason === 'bindTimeout');
    peer.onPdu = bindOnly;
    await session.whenBound(5000);
    assert.equal(session.counters.connects >= 2, true);
  });

  it('with nobody there says so, and comes back when somebody is', async () => {
    await using peer = await new ScriptedPeer().listen();
    peer.server.close();
    const client = clientOf(peer.port);
    await using session = client.session;
    session.start();
    const closed = await client.states.first('close', isKind('closed'));
    assert.ok(closed.kind === 'closed' && closed.reason === 'connectFailed', JSON.stringify(closed));
    await peer.listen();
    await session.whenBound(5000);
  });

  it('with credentials that SMPP 3.4 has no room for is refused before anything is sent', async () => {
    const client = clientOf(1, { password: 'longer than 8' });
    assert.throws(() => client.session.start(), /password is "longer than 8", expected at most 8 characters/);
    await using peer = await new ScriptedPeer().listen();
    const lenient = clientOf(peer.port, { password: 'longer than 8', checkCredentialLengths: false });
    await using session = lenient.session;
    session.start();
    await session.whenBound(5000);
  });
});

describe('submitting', () => {
  it('reports each message once with the peer’s answer, in one write a turn', async () => {
    await using peer = await new ScriptedPeer(answerAll).listen();
    const client = clientOf(peer.port, { window: 50 });
    await using session = client.session;
    session.start();
    await session.whenBound(5000);
    const chunks: number[] = [];
    peer.socket.on('data', (chunk: Buffer) => chunks.push(chunk.length));
    for (let tag = 0; tag < 50; tag++) session.submit(messageTo(`49${tag}`), tag);
    assert.equal(session.room, 0);
    assert.throws(() => session.submit(messageTo('49'), 99), /no room/);
    const answers = await client.answers.count('answer', 50);
    assert.equal(chunks.length, 1);
    assert.deepEqual(
      answers,
      Array.from({ length: 50 }, (_, tag) => ({
        tag,
        answer: { kind: 'answered', commandStatus: 0, messageId: `id-49${tag}` },
      })),
    );
    assert.equal(session.room, 50);
  });

  it('keeps to the window while answers come in any order, and signals room', async () => {
    const held: number[] = [];
    await using peer = await new ScriptedPeer((pdu, self) => {
      bindOnly(pdu, self);
      if (pdu.command !== 'submit_sm') return;
      held.push(pdu.sequenceNumber);
      assert.ok(held.length <= 10, `${held.length} messages out at a window of 10`);
      // Answer one at random once five are out, or near the end.
      while (held.length >= 5 || (self.received('submit_sm').length >= 495 && held.length > 0)) {
        const [sequenceNumber] = held.splice(Math.floor(Math.random() * held.length), 1);
        self.send({
          command: 'submit_sm_resp',
          sequenceNumber: sequenceNumber!,
          body: { message_id: `n${sequenceNumber}` },
        });
      }
    }).listen();
    let next = 0;
    const pump = (): void => {
      while (client.session.room > 0 && next < 500) client.session.submit(messageTo(String(next)), next++);
    };
    const client = clientOf(peer.port, { window: 10 }, { onRoom: pump });
    await using session = client.session;
    session.start();
    await client.answers.count('answer', 500);
    assert.deepEqual(
      client.answers.all.map(({ tag }) => tag).sort((a, b) => a - b),
      Array.from({ length: 500 }, (_, i) => i),
    );
    assert.equal(session.counters.strayAnswers, 0);
  });

  it('counts answers that are nobody’s, and ignores them', async () => {
    await using peer = await new ScriptedPeer((pdu, self) => {
      bindOnly(pdu, self);
      if (pdu.command !== 'submit_sm') return;
      const { sequenceNumber } = pdu;
      // Not ours, the same slot of the ring, far away, and one twice.
      for (const other of [sequenceNumber + 1, sequenceNumber + 512, 0x7fffffff, 0]) {
        self.send({ command: 'submit_sm_resp', sequenceNumber: other, body: { message_id: 'stray' } });
      }
      self.send({ command: 'submit_sm_resp', sequenceNumber, body: { message_id: 'good' } });
      self.send({ command: 'submit_sm_resp', sequenceNumber, body: { message_id: 'again' } });
      self.send({ command: 'query_sm_resp', sequenceNumber: 77 });
      self.send({ command: 'enquire_link', sequenceNumber: 5 });
    }).listen();
    const client = clientOf(peer.port);
    await using session = client.session;
    session.start();
    await session.whenBound(5000);
    session.submit(messageTo('49'), 1);
    await peer.pdus.first('enquire_link_resp', (pdu) => pdu.command === 'enquire_link_resp');
    assert.deepEqual(client.answers.all, [
      { tag: 1, answer: { kind: 'answered', commandStatus: 0, messageId: 'good' } },
    ]);
    assert.equal(session.counters.strayAnswers, 6);
  });

  it('takes refusals without a body, 0 without an id, and a generic_nack as answers', async () => {
    await using peer = await new ScriptedPeer((pdu, self) => {
      bindOnly(pdu, self);
      if (pdu.command !== 'submit_sm') return;
      const { sequenceNumber } = pdu;
      const bare = (commandStatus: number, commandId: number): void => {
        const header = Buffer.alloc(16);
        header.writeUInt32BE(16, 0);
        header.writeUInt32BE(commandId, 4);
        header.writeUInt32BE(commandStatus, 8);
        header.writeUInt32BE(sequenceNumber, 12);
        self.socket.write(header);
      };
      if (pdu.body.destination_addr === '1') bare(0x58, 0x80000004);
      if (pdu.body.destination_addr === '2') bare(0, 0x80000004);
      if (pdu.body.destination_addr === '3') bare(0x03, 0x80000000);
      if (pdu.body.destination_addr === '4') bare(0, 0x80000000);
    }).listen();
    const client = clientOf(peer.port);
    await using session = client.session;
    session.start();
    await session.whenBound(5000);
    for (const tag of [1, 2, 3, 4]) session.submit(messageTo(String(tag)), tag);
    const answers = await client.answers.count('answer', 4);
    assert.deepEqual(
      answers.map(({ answer }) => answer.kind === 'answered' && [answer.commandStatus, answer.messageId]),
      [
        [0x58, ''],
        [0, ''],
        [0x03, ''],
        [0xff, ''],
      ],
    );
  });

  it('throws for what cannot be encoded, and loses nothing by it', async () => {
    await using peer = await new ScriptedPeer(answerAll).listen();
    const client = clientOf(peer.port);
    await using session = client.session;
    session.start();
    await session.whenBound(5000);
    session.submit(messageTo('1'), 1);
    assert.throws(() => session.submit(messageTo('9'.repeat(30)), 2), /destination_addr/);
    session.submit(messageTo('3'), 3);
    const answers = await client.answers.count('answer', 2);
    assert.deepEqual(
      answers.map(({ tag, answer }) => [tag, answer.kind === 'answered' && answer.messageId]),
      [
        [1, 'id-1'],
        [3, 'id-3'],
      ],
    );
    assert.equal(session.outstanding, 0);
  });
});

describe('answers that do not come', () => {
  it('are reported in doubt after the time-out; a late one still finds its message', async () => {
    await using peer = await new ScriptedPeer().listen();
    const late = new Signals<unknown>();
    const client = clientOf(
      peer.port,
      { window: 2, responseTimeoutMs: 80 },
      { onLateAnswer: (tag, answer) => late.push([tag, answer.messageId]) },
    );
    await using session = client.session;
    session.start();
    await session.whenBound(5000);
    session.submit(messageTo('1'), 1);
    session.submit(messageTo('2'), 2);
    assert.equal(session.room, 0);
    const startMs = performance.now();
    await client.answers.count('answer', 2);
    assert.ok(performance.now() - startMs >= 75);
    assert.deepEqual(
      client.answers.all.map(({ answer }) => answer),
      Array(2).fill({ kind: 'noAnswer', reason: 'timeout' }),
    );
    assert.equal(session.room, 2);
    const sequenceNumber = peer.received('submit_sm')[0]!.sequenceNumber;
    peer.send({ command: 'submit_sm_resp', sequenceNumber, body: { message_id: 'late' } });
    assert.deepEqual(await late.first('late answer', () => true), [1, 'late']);
    assert.equal(session.room, 2);
    assert.deepEqual([session.counters.timedOut, session.counters.lateAnswers], [2, 1]);
  });

  it('because the link is lost are in doubt, and what was not handed over is not sent; then it binds again', async () => {
    await using peer = await new ScriptedPeer().listen();
    const client = clientOf(peer.port);
    await using session = client.session;
    session.start();
    await session.whenBound(5000);
    for (const tag of [1, 2, 3]) session.submit(messageTo(String(tag)), tag);
    await peer.pdus.first(
      'submit_sm 3',
      (pdu) => pdu.command === 'submit_sm' && pdu.body.destination_addr === '3',
    );
    peer.socket.destroy();
    await client.answers.count('answer', 3);
    assert.deepEqual(
      client.answers.all,
      [1, 2, 3].map((tag) => ({ tag, answer: { kind: 'noAnswer', reason: 'disconnected' } })),
    );
    await client.states.next('bound again', isKind('bound'));
    assert.equal(session.room, 100);
  });

  it('enquire_link is sent in silence; without an answer the link is given up', async () => {
    await using peer = await new ScriptedPeer().listen();
    const client = clientOf(peer.port, { enquireLinkIntervalMs: 40, enquireLinkTimeoutMs: 60 });
    await using session = client.session;
    session.start();
    await session.whenBound(5000);
    await peer.pdus.first('enquire_link', (pdu) => pdu.command === 'enquire_link');
    const closed = await client.states.first('close', isKind('closed'));
    assert.ok(closed.kind === 'closed' && closed.reason === 'enquireLinkTimeout');
  });

  it('enquire_link answered keeps the link', async () => {
    await using peer = await new ScriptedPeer((pdu, self) => {
      bindOnly(pdu, self);
      const { sequenceNumber } = pdu;
      if (pdu.command === 'enquire_link') self.send({ command: 'enquire_link_resp', sequenceNumber });
    }).listen();
    const client = clientOf(peer.port, { enquireLinkIntervalMs: 20, enquireLinkTimeoutMs: 40 });
    await using session = client.session;
    session.start();
    await session.whenBound(5000);
    while (peer.received('enquire_link').length < 5) await peer.pdus.next('enquire_link');
    assert.equal(session.state.kind, 'bound');
    assert.equal(session.counters.connects, 1);
  });
});

describe('what may no longer be written', () => {
  it('is taken back when its deadline passes before the write: a frozen worker sends nothing when it wakes', async () => {
    await using peer = await new ScriptedPeer(answerAll).listen();
    const client = clientOf(peer.port);
    await using session = client.session;
    session.start();
    await session.whenBound(5000);
    const nowMs = performance.now();
    session.submit(messageTo('1'), 1, nowMs + 10);
    session.submit(messageTo('2'), 2, nowMs + 60_000);
    session.submit(messageTo('3'), 3, nowMs + 10);
    session.submit(messageTo('4'), 4);
    while (performance.now() < nowMs + 20); // frozen
    const answers = await client.answers.count('answer', 4);
    assert.deepEqual(answers.map(({ tag, answer }) => [tag, answer.kind]).sort(), [
      [1, 'notSent'],
      [2, 'answered'],
      [3, 'notSent'],
      [4, 'answered'],
    ]);
    assert.deepEqual(
      peer.received('submit_sm').map((pdu) => pdu.command === 'submit_sm' && pdu.body.destination_addr),
      ['2', '4'],
    );
    assert.equal(session.room, 100);
  });

  it('is taken back when mayWrite says no; other PDUs of the turn still go', async () => {
    await using peer = await new ScriptedPeer(answerAll).listen();
    let may = false;
    let respond: ((status: number) => void) | undefined;
    const delivered = new Signals<DeliverSm>();
    const client = clientOf(
      peer.port,
      {},
      {
        mayWrite: () => may,
        onDeliver: (deliver, answer) => {
          respond = answer;
          delivered.push(deliver);
        },
      },
    );
    await using session = client.session;
    session.start();
    await session.whenBound(5000);
    peer.send({ command: 'deliver_sm', sequenceNumber: 1 });
    await delivered.first('deliver_sm', () => true);
    session.submit(messageTo('1'), 1);
    respond!(0);
    session.submit(messageTo('2'), 2);
    await peer.pdus.first('deliver_sm_resp', (pdu) => pdu.command === 'deliver_sm_resp');
    assert.deepEqual(
      client.answers.all,
      [1, 2].map((tag) => ({ tag, answer: { kind: 'notSent', reason: 'refused' } })),
    );
    may = true;
    session.submit(messageTo('3'), 3);
    await client.answers.count('answer', 3);
    assert.equal(peer.received('submit_sm').length, 1);
  });

  it('is taken back by cancelUnsent, at once', async () => {
    await using peer = await new ScriptedPeer(answerAll).listen();
    const client = clientOf(peer.port);
    await using session = client.session;
    session.start();
    await session.whenBound(5000);
    session.submit(messageTo('1'), 1);
    session.submit(messageTo('2'), 2);
    assert.equal(session.cancelUnsent(), 2);
    assert.deepEqual(
      client.answers.all,
      [1, 2].map((tag) => ({ tag, answer: { kind: 'notSent', reason: 'cancelled' } })),
    );
    session.submit(messageTo('3'), 3);
    await client.answers.count('answer', 3);
    assert.equal(session.cancelUnsent(), 0);
    assert.equal(peer.received('submit_sm').length, 1);
  });
});

describe('back-pressure', () => {
  it('leaves one write in the socket and no room until it is taken; no message is lost or doubled', async () => {
    await using peer = await new ScriptedPeer(bindOnly).listen();
    const total = 3000;
    let next = 0;
    const payload = Buffer.alloc(20_000, 1);
    const pump = (): void => {
      while (client.session.room > 0 && next < total) {
        const tag = next++;
        client.session.submit({ ...messageTo(String(tag), ''), tlvs: { message_payload: payload } }, tag);
      }
    };
    const client = clientOf(peer.port, { window: 1000 }, { onRoom: pump });
    await using session = client.session;
    session.start();
    await session.whenBound(5000);
    peer.socket.pause();
    pump();
    // Turn by turn until the kernel takes no more.
    for (let previous = -1; previous !== next; pump()) {
      previous = next;
      await immediate();
    }
    assert.equal(session.room, 0);
    assert.ok(session.outstanding < 1000, 'the socket filled up before the window did');
    peer.onPdu = answerAll;
    peer.socket.resume();
    await client.answers.count('answer', total, 20_000);
    assert.equal(new Set(client.answers.all.map(({ tag }) => tag)).size, total);
    assert.ok(client.answers.all.every(({ answer }) => answer.kind === 'answered'));
  });
});

describe('what the peer sends', () => {
  it('deliver_sm is answered when the handler says so, in any order, with its status', async () => {
    await using peer = await new ScriptedPeer().listen();
    const responds: ((status: number) => void)[] = [];
    const delivered = new Signals<DeliverSm>();
    const client = clientOf(
      peer.port,
      {},
      {
        onDeliver: (deliver, respond) => {
          responds.push(respond);
          delivered.push(deliver);
        },
      },
    );
    await using session = client.session;
    session.start();
    await session.whenBound(5000);
    const text = Buffer.from('id:1 stat:DELIVRD');
    for (const sequenceNumber of [11, 12, 13]) {
      peer.send({
        command: 'deliver_sm',
        sequenceNumber,
        body: { source_addr: String(sequenceNumber), esm_class: 4, short_message: text },
      });
    }
    peer.send({
      command: 'data_sm',
      sequenceNumber: 14,
      body: { source_addr: '14' },
      tlvs: { message_payload: text },
    });
    await delivered.count('deliver_sm', 4);
    assert.deepEqual(
      delivered.all.map((deliver) => [deliver.command, deliver.source, deliver.shortMessage.toString()]),
      [
        ['deliver_sm', '11', text.toString()],
        ['deliver_sm', '12', text.toString()],
        ['deliver_sm', '13', text.toString()],
        ['data_sm', '14', text.toString()],
      ],
    );
    assert.equal(peer.received('deliver_sm_resp').length, 0);
    responds[2]!(0);
    responds[0]!(0x64);
    responds[0]!(0);
    responds[3]!(0);
    await peer.pdus.first(
      'data_sm_resp',
      (pdu) => pdu.command === 'data_sm_resp' && pdu.sequenceNumber === 14,
    );
    assert.deepEqual(
      peer.received('deliver_sm_resp').map((pdu) => [pdu.sequenceNumber, pdu.commandStatus]),
      [
        [13, 0],
        [11, 0x64],
      ],
    );
  });

  it('stops being read while too many are unanswered, and goes on then', async () => {
    await using peer = await new ScriptedPeer().listen();
    const responds: ((status: number) => void)[] = [];
    const delivered = new Signals<number>();
    const client = clientOf(
      peer.port,
      { maxUnansweredDelivers: 10 },
      {
        onDeliver: (_deliver, respond) => {
          responds.push(respond);
          delivered.push(responds.length);
        },
      },
    );
    await using session = client.session;
    session.start();
    await session.whenBound(5000);
    const text = Buffer.alloc(250);
    for (let i = 1; i <= 5000; i++)
      peer.send({ command: 'deliver_sm', sequenceNumber: i, body: { short_message: text } });
    await delivered.count('deliver_sm', 10);
    for (let turn = 0; turn < 20; turn++) await immediate();
    // What was read with the tenth is handed over too: one read, 64 KiB.
    assert.ok(responds.length < 500, `${responds.length} handed over with 10 allowed`);
    for (let done = 0; done < 5000; ) {
      if (done === responds.length) await delivered.next('deliver_sm');
      else responds[done++]!(0);
    }
    while (peer.received('deliver_sm_resp').length < 5000) await peer.pdus.next('deliver_sm_resp');
  });

  it('what cannot be read is refused for good, an unknown command and an outbind get a generic_nack, an alert none', async () => {
    await using peer = await new ScriptedPeer().listen();
    const alerts = new Signals<unknown>();
    const client = clientOf(peer.port, {}, { onAlert: (alert) => alerts.push(alert.body.source_addr) });
    await using session = client.session;
    session.start();
    await session.whenBound(5000);
    const cut = Buffer.from('000000140000000500000000000000070101', 'hex');
    peer.socket.write(Buffer.concat([cut, Buffer.from([1, 1])]));
    peer.socket.write(Buffer.from('00000010000f000000000000000000ff', 'hex'));
    peer.send({ command: 'alert_notification', sequenceNumber: 8, body: { source_addr: '4917' } });
    peer.send({ command: 'outbind', sequenceNumber: 9 });
    peer.send({ command: 'submit_sm', sequenceNumber: 10 });
    await peer.pdus.first('nack 10', (pdu) => pdu.sequenceNumber === 10 && pdu.command === 'generic_nack');
    assert.deepEqual(
      peer.pdus.all.slice(1).map((pdu) => [pdu.command, pdu.sequenceNumber, pdu.commandStatus]),
      [
        ['deliver_sm_resp', 7, 0x65],
        ['generic_nack', 0xff, 3],
        ['generic_nack', 9, 3],
        ['generic_nack', 10, 3],
      ],
    );
    assert.deepEqual(alerts.all, ['4917']);
    assert.deepEqual([session.counters.malformed, session.counters.unknownCommands], [1, 3]);
  });

  for (const length of [0, 15, 0x00ffffff, 0xffffffff]) {
    it(`a PDU of ${length} bytes is answered by a generic_nack and the end of the link`, async () => {
      await using peer = await new ScriptedPeer().listen();
      const client = clientOf(peer.port);
      await using session = client.session;
      session.start();
      await session.whenBound(5000);
      session.submit(messageTo('1'), 1);
      await peer.pdus.first('submit_sm', (pdu) => pdu.command === 'submit_sm');
      const hostile = Buffer.alloc(64, 1);
      hostile.writeUInt32BE(length);
      peer.socket.write(hostile);
      const closed = await client.states.first('close', isKind('closed'));
      assert.ok(closed.kind === 'closed' && closed.reason === 'hostileStream', JSON.stringify(closed));
      const nack = await peer.pdus.first('generic_nack', (pdu) => pdu.command === 'generic_nack');
      assert.equal(nack.commandStatus, 0x02);
      assert.deepEqual(client.answers.all, [
        { tag: 1, answer: { kind: 'noAnswer', reason: 'disconnected' } },
      ]);
      await client.states.next('bound again', isKind('bound'));
    });
  }

  it('an unbind is answered, and the session comes back', async () => {
    await using peer = await new ScriptedPeer().listen();
    const client = clientOf(peer.port);
    await using session = client.session;
    session.start();
    await session.whenBound(5000);
    peer.send({ command: 'unbind', sequenceNumber: 21 });
    assert.deepEqual(await client.states.first('unbound', isKind('unbound')), {
      kind: 'unbound',
      by: 'peer',
    });
    assert.equal(session.room, 0);
    await peer.pdus.first('unbind_resp', (pdu) => pdu.command === 'unbind_resp' && pdu.sequenceNumber === 21);
    peer.socket.end();
    const closed = await client.states.first('close', isKind('closed'));
    assert.ok(closed.kind === 'closed' && closed.reason === 'peerUnbound');
    await client.states.next('bound again', isKind('bound'));
  });
});

describe('stopping', () => {
  it('waits for answers that are due, then unbinds', async () => {
    await using peer = await new ScriptedPeer().listen();
    const client = clientOf(peer.port);
    client.session.start();
    await client.session.whenBound(5000);
    client.session.submit(messageTo('1'), 1);
    const sent = await peer.pdus.first('submit_sm', (pdu) => pdu.command === 'submit_sm');
    const stopped = client.session.stop();
    assert.equal(client.session.room, 0);
    peer.send({ command: 'submit_sm_resp', sequenceNumber: sent.sequenceNumber, body: { message_id: 'a' } });
    await stopped;
    assert.deepEqual(client.answers.all, [
      { tag: 1, answer: { kind: 'answered', commandStatus: 0, messageId: 'a' } },
    ]);
    assert.equal(client.session.state.kind, 'stopped');
  });

  it('ends in time with a peer that answers nothing, and reports what is out', async () => {
    await using peer = await new ScriptedPeer().listen();
    const client = clientOf(peer.port, { unbindTimeoutMs: 40 });
    client.session.start();
    await client.session.whenBound(5000);
    peer.onPdu = () => {};
    client.session.submit(messageTo('1'), 1);
    await peer.pdus.first('submit_sm', (pdu) => pdu.command === 'submit_sm');
    client.session.submit(messageTo('2'), 2);
    await client.session.stop(40);
    assert.deepEqual(client.answers.all, [
      { tag: 2, answer: { kind: 'notSent', reason: 'cancelled' } },
      { tag: 1, answer: { kind: 'noAnswer', reason: 'disconnected' } },
    ]);
  });

  it('while it waits to connect again, and before it started, is immediate; it can be started again', async () => {
    await using peer = await new ScriptedPeer().listen();
    const client = clientOf(peer.port, { reconnectBaseMs: 60_000, reconnectCapMs: 60_000 });
    await client.session.stop();
    client.session.start();
    await client.session.whenBound(5000);
    peer.socket.destroy();
    await client.states.first('close', isKind('closed'));
    await client.session.stop();
    client.session.start();
    await client.session.whenBound(5000);
    const stopping = client.session.stop();
    assert.throws(() => client.session.start(), /wait for stop/);
    await stopping;
    assert.equal(peer.received('bind_transceiver').length, 2);
  });
});
