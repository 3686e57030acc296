import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import smpp, { type PDU } from 'smpp';
import { canonicalMessageId, messageIdVariants } from '../../../lib/smpp/message-id.ts';
import type { DeliverSm } from '../../../lib/smpp/read-message.ts';
import { parseReceipt } from '../../../lib/smpp/receipt.ts';
import type { OutboundMessage } from '../../../lib/smpp/submit-sm.ts';
import { TYPESCRIPT } from '../../../scripts/engine/typescript-loader.ts';
import type {
  BehaviourChange,
  IdDialect,
  ReceiptFormat,
} from '../../../services/smsc-simulator/behaviour.ts';
import type { LedgerMessage } from '../../../services/smsc-simulator/recorder.ts';
import { startSimulator } from '../../../services/smsc-simulator/simulator.ts';
import { clientOf, messageTo } from '../../lib/smpp/peers.ts';
import { Signals } from '../../lib/smpp/signals.ts';

async function boundClient(port: number, options: Parameters<typeof clientOf>[1] = {}, answerDeliver = 0) {
  const delivered = new Signals<DeliverSm>();
  /** What answers each deliver_sm; undefined = no answer. */
  const control: { answerDeliver: number | undefined } = { answerDeliver };
  const order: string[] = [];
  const client = clientOf(port, options, {
    onAnswer: (tag, answer) => {
      order.push(`answer ${tag}`);
      client.answers.push({ tag, answer });
    },
    onDeliver: (deliver, respond) => {
      order.push(`receipt ${deliver.source}`);
      delivered.push(deliver);
      if (control.answerDeliver !== undefined) respond(control.answerDeliver);
    },
  });
  client.session.start();
  await client.session.whenBound(5000);
  return { ...client, delivered, control, order, [Symbol.asyncDispose]: () => client.session.stop(0) };
}

const asked = (destination: string, text = 'hello'): OutboundMessage => ({
  ...messageTo(destination, text),
  registeredDelivery: 1,
});
const quiet = (destination: string, text = 'hello'): OutboundMessage => ({
  ...messageTo(destination, text),
  registeredDelivery: 0,
});

describe('answers of the simulator', () => {
  it('by rules: prefix, suffix, pattern, the first times only, and everyone else is accepted', async () => {
    const behaviour: BehaviourChange = {
      rules: [
        { prefix: '4990', commandStatus: 0x0b },
        { suffix: '99', commandStatus: 0x0a },
        { pattern: '^4[0-9]5', commandStatus: 0x64, times: 2 },
      ],
    };
    await using simulator = await startSimulator({ behaviour });
    await using client = await boundClient(simulator.smppPort);
    const numbers = ['499012', '491799', '4151', '4151', '4151', '4152', '491700'];
    for (const [tag, number] of numbers.entries()) client.session.submit(quiet(number), tag);
    await client.answers.count('answer', numbers.length);
    assert.deepEqual(
      client.answers.all.map(({ answer }) => answer.kind === 'answered' && answer.commandStatus),
      [0x0b, 0x0a, 0x64, 0x64, 0, 0x64, 0],
    );
    const { received, segments, messages, rejected } = await simulator.summary();
    assert.deepEqual(
      { received, segments, messages, rejected },
      { received: 7, segments: 2, messages: 2, rejected: 5 },
    );
  });

  it('over the rate are 0x58, and counted apart', async () => {
    await using simulator = await startSimulator({ behaviour: { tpsLimit: 50, tpsBurstMs: 200 } });
    await using client = await boundClient(simulator.smppPort);
    for (let tag = 0; tag < 40; tag++) client.session.submit(quiet(String(tag)), tag);
    await client.answers.count('answer', 40);
    const throttled = client.answers.all.filter(
      ({ answer }) => answer.kind === 'answered' && answer.commandStatus === 0x58,
    );
    assert.ok(throttled.length >= 28 && throttled.length <= 30, `${throttled.length} throttled`);
    const summary = await simulator.summary();
    assert.equal(summary.throttled, throttled.length);
    assert.equal(summary.rejected, 0);
  });

  it('that never come: accepted in the ledger, in doubt for the sender', async () => {
    await using simulator = await startSimulator({ behaviour: { rules: [{ suffix: '7', noAnswer: true }] } });
    await using client = await boundClient(simulator.smppPort, { responseTimeoutMs: 60 });
    client.session.submit(quiet('491'), 1);
    client.session.submit(quiet('497'), 7);
    await client.answers.count('answer', 2);
    assert.deepEqual(client.answers.all[1], { tag: 7, answer: { kind: 'noAnswer', reason: 'timeout' } });
    const [lost] = simulator.messages({ msisdn: '497' });
    assert.deepEqual([lost!.answer, lost!.commandStatus, lost!.complete], ['noAnswer', 0, true]);
    assert.equal((await simulator.summary()).noAnswer, 1);
  });

  it('come after the latency, and late by rule', async () => {
    await using simulator = await startSimulator({
      behaviour: { latencyMs: 30, rules: [{ suffix: '2', delayMs: 60 }] },
    });
    await using client = await boundClient(simulator.smppPort);
    const startMs = performance.now();
    client.session.submit(quiet('492'), 2);
    client.session.submit(quiet('491'), 1);
    await client.answers.count('answer', 1);
    assert.ok(performance.now() - startMs >= 29);
    await client.answers.count('answer', 2);
    assert.ok(performance.now() - startMs >= 89);
    assert.deepEqual(client.order, ['answer 1', 'answer 2']);
  });

  it('stop with the connection: after a number of messages, by rule before or after it counts, and on demand', async () => {
    const behaviour: BehaviourChange = {
      disconnectEvery: 3,
      rules: [
        { suffix: '8', disconnect: 'before' },
        { suffix: '9', disconnect: 'after' },
      ],
    };
    await using simulator = await startSimulator({ behaviour });
    await using client = await boundClient(simulator.smppPort, { window: 1 });
    const submit = async (tag: number): Promise<string> => {
      await client.session.whenBound(5000);
      client.session.submit(quiet(`49${tag}`), tag);
      const { answer } = await client.answers.first('answer', (one) => one.tag === tag);
      return answer.kind;
    };
    assert.deepEqual(
      [await submit(1), await submit(2), await submit(3)],
      ['answered', 'answered', 'noAnswer'],
    );
    assert.deepEqual(
      [await submit(8), await submit(9), await submit(4)],
      ['noAnswer', 'noAnswer', 'answered'],
    );
    const kept = [...simulator.messages()].map(({ msisdn, answer }) => [msisdn, answer]);
    assert.deepEqual(kept, [
      ['491', 'answered'],
      ['492', 'answered'],
      ['493', 'disconnected'],
      ['499', 'disconnected'],
      ['494', 'answered'],
    ]);
    const gone = client.states.next('close', (state) => state.kind === 'closed');
    assert.equal(simulator.disconnectAll(), 1);
    await gone;
  });

  it('to binds: unknown account, wrong password, too many', async () => {
    await using simulator = await startSimulator({ accounts: { esme: 'secret' }, maxBinds: 1 });
    const refusal = async (systemId: string, password: string): Promise<number> => {
      const client = clientOf(simulator.smppPort, { systemId, password });
      client.session.start();
      const state = await client.states.first('refusal', ({ kind }) => kind === 'bindRefused');
      await client.session.stop();
      return state.kind === 'bindRefused' ? state.commandStatus : 0;
    };
    assert.equal(await refusal('other', 'secret'), 0x0f);
    assert.equal(await refusal('esme', 'wrong'), 0x0e);
    await using client = await boundClient(simulator.smppPort);
    assert.equal(await refusal('esme', 'secret'), 0x05);
    const { binds, bindsRefused } = await simulator.summary();
    assert.deepEqual({ binds, bindsRefused }, { binds: 1, bindsRefused: 3 });
    assert.equal(client.session.state.kind, 'bound');
  });
});

describe('receipts of the simulator', () => {
  const ids: IdDialect[] = ['same', 'hexToDecimal', 'decimalToHex', 'zeroPadded', 'upperCase'];
  const formats: ReceiptFormat[] = ['text', 'tlv', 'both', 'oneWordDates', 'csvAndTlv'];
  for (const id of ids) {
    for (const format of formats) {
      it(`ids ${id}, format ${format}: are read, and found by the id of the answer`, async () => {
        await using simulator = await startSimulator({ behaviour: { receipts: { ids: id, format } } });
        await using client = await boundClient(simulator.smppPort);
        for (let tag = 0; tag < 20; tag++) client.session.submit(asked(`4917${tag}`), tag);
        await client.delivered.count('receipt', 20);
        await client.answers.count('answer', 20);
        for (const deliver of client.delivered.all) {
          const receipt = parseReceipt(deliver)!;
          assert.deepEqual([receipt.state, receipt.final, deliver.destination], ['delivered', true, 'Shop']);
          const variants = new Set(messageIdVariants(receipt.messageId).map(canonicalMessageId));
          const tags = client.answers.all.filter(
            ({ answer }) => answer.kind === 'answered' && variants.has(canonicalMessageId(answer.messageId)),
          );
          assert.ok(
            tags.some(({ tag }) => `4917${tag}` === deliver.source),
            `${receipt.messageId} is not found`,
          );
        }
      });
    }
  }

  it('say what the rule says, go only to those who asked, and are none for the refused', async () => {
    const behaviour: BehaviourChange = {
      rules: [
        { suffix: '1', receiptState: 'UNDELIV' },
        { suffix: '2', receiptState: 'ENROUTE' },
        { suffix: '3', commandStatus: 0x0b },
      ],
    };
    await using simulator = await startSimulator({ behaviour });
    await using client = await boundClient(simulator.smppPort);
    for (const tag of [1, 2, 3, 4]) client.session.submit(asked(`49${tag}`), tag);
    client.session.submit(quiet('495'), 5);
    client.session.submit({ ...asked('496'), registeredDelivery: 2 }, 6); // failures only
    client.session.submit({ ...asked('497'), registeredDelivery: 3 }, 7); // successes only
    await client.delivered.first('receipt of 497', (deliver) => deliver.source === '497');
    const states = client.delivered.all.map((deliver) => [
      deliver.source,
      parseReceipt(deliver)!.state,
      parseReceipt(deliver)!.final,
    ]);
    assert.deepEqual(states, [
      ['491', 'undeliverable', true],
      ['492', 'enroute', false],
      ['494', 'delivered', true],
      ['497', 'delivered', true],
    ]);
  });

  it('come before the answer where asked to, doubled where asked to, and after a delay', async () => {
    await using simulator = await startSimulator({
      behaviour: { receipts: { earlyShare: 1, doubledShare: 1 } },
    });
    await using client = await boundClient(simulator.smppPort);
    client.session.submit(asked('491'), 1);
    await client.answers.count('answer', 1);
    assert.deepEqual(client.order, ['receipt 491', 'receipt 491', 'answer 1']);
    simulator.change({ receipts: { earlyShare: 0, doubledShare: 0, delayMs: 40 } });
    const startMs = performance.now();
    client.session.submit(asked('492'), 2);
    await client.delivered.first('receipt of 492', (deliver) => deliver.source === '492');
    assert.ok(performance.now() - startMs >= 39);
    simulator.change({ receipts: { share: 0, delayMs: 0 } });
    client.session.submit(asked('493'), 3);
    simulator.change({ receipts: { share: 1 } });
    client.session.submit(asked('494'), 4);
    await client.delivered.first('receipt of 494', (deliver) => deliver.source === '494');
  });

  it('come again until they are answered with 0, also over another bind', async () => {
    await using simulator = await startSimulator({ behaviour: { receipts: { retryMs: 20 } } });
    await using first = await boundClient(simulator.smppPort, { bindType: 'transmitter' });
    first.session.submit(asked('491'), 1);
    await first.answers.count('answer', 1);
    assert.equal(first.delivered.all.length, 0);
    await using second = await boundClient(simulator.smppPort, { bindType: 'receiver' }, 0x64);
    await second.delivered.count('receipt', 1);
    second.control.answerDeliver = 0;
    await second.delivered.count('receipt', 2);
    const { receiptsSent } = await simulator.summary();
    assert.ok(receiptsSent >= 2);
  });
});

const udh = (...bytes: number[]): Buffer => Buffer.from([bytes.length, ...bytes]);

describe('the ledger', () => {
  it('puts long messages together: 8 and 16 bit references and sar TLVs, parts out of order, UCS-2', async () => {
    await using simulator = await startSimulator();
    await using client = await boundClient(simulator.smppPort);
    const part = (
      destination: string,
      header: Buffer,
      text: Buffer,
      dataCoding: number,
    ): OutboundMessage => ({
      ...quiet(destination),
      esmClass: 0x40,
      dataCoding,
      shortMessage: Buffer.concat([header, text]),
    });
    const ucs2 = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();
    const messages: OutboundMessage[] = [
      part('491', udh(0, 3, 7, 2, 2), Buffer.from('world'), 0),
      part('492', udh(0, 3, 7, 2, 1), Buffer.from('other '), 0),
      part('491', udh(0, 3, 7, 2, 1), Buffer.from('hello '), 0),
      part('493', udh(8, 4, 1, 7, 2, 1), ucs2('你好'), 8),
      part('493', udh(8, 4, 1, 7, 2, 2), ucs2('世界😀'), 8),
      { ...quiet('494', 'one '), tlvs: { sar_msg_ref_num: 1, sar_total_segments: 2, sar_segment_seqnum: 1 } },
      { ...quiet('494', 'two'), tlvs: { sar_msg_ref_num: 1, sar_total_segments: 2, sar_segment_seqnum: 2 } },
      { ...quiet('495', ''), tlvs: { message_payload: Buffer.from('long text in one'.repeat(20)) } },
      part('496', udh(0, 3, 1, 1, 1), Buffer.from('one of one'), 0),
    ];
    for (const [tag, message] of messages.entries()) client.session.submit(message, tag);
    await client.answers.count('answer', messages.length);
    assert.deepEqual(
      [...simulator.messages()].map(({ msisdn, text, segments, complete }) => [
        msisdn,
        text,
        segments,
        complete,
      ]),
      [
        ['491', 'hello world', 2, true],
        ['492', 'other ', 1, false],
        ['493', '你好世界😀', 2, true],
        ['494', 'one two', 2, true],
        ['495', 'long text in one'.repeat(20), 1, true],
        ['496', 'one of one', 1, true],
      ],
    );
    const { received, segments, messages: complete, incomplete } = await simulator.summary();
    assert.deepEqual(
      { received, segments, complete, incomplete },
      { received: 9, segments: 9, complete: 5, incomplete: 1 },
    );
  });

  it('counts what comes twice by number and text, whatever the reference; not refused ones, nor other texts', async () => {
    await using simulator = await startSimulator({
      behaviour: { rules: [{ suffix: '5', commandStatus: 0x58, times: 1 }] },
    });
    await using client = await boundClient(simulator.smppPort);
    const long = (reference: number): OutboundMessage[] =>
      [1, 2].map((sequence) => ({
        ...quiet('492'),
        esmClass: 0x40,
        shortMessage: Buffer.concat([udh(0, 3, reference, 2, sequence), Buffer.from(`part ${sequence}`)]),
      }));
    const messages = [
      quiet('491', 'a'),
      quiet('491', 'b'),
      ...long(1),
      ...long(2),
      quiet('495', 'c'),
      quiet('495', 'c'),
      quiet('+490491', 'd'),
    ];
    for (const [tag, message] of messages.entries()) client.session.submit(message, tag);
    await client.answers.count('answer', messages.length);
    let summary = await simulator.summary();
    assert.deepEqual([summary.doubled, summary.doubledNumbers, summary.messages], [1, ['492'], 6]);
    client.session.submit(quiet('491', 'b'), 99);
    await client.answers.count('answer', messages.length + 1);
    summary = await simulator.summary();
    assert.deepEqual([summary.doubled, summary.doubledNumbers], [2, ['492', '491']]);
    simulator.reset();
    summary = await simulator.summary();
    assert.deepEqual(
      [summary.received, summary.doubled, summary.firstAt, [...simulator.messages()].length],
      [0, 0, null, 0],
    );
  });

  it('keeps odd destinations as they are, and finds them', async () => {
    await using simulator = await startSimulator();
    await using client = await boundClient(simulator.smppPort);
    const numbers = ['0049170', '999999999999999', '9999999999999999', '+49170', 'Bob', '0'];
    for (const [tag, number] of numbers.entries()) client.session.submit(quiet(number), tag);
    await client.answers.count('answer', numbers.length);
    assert.deepEqual(
      [...simulator.messages()].map(({ msisdn }) => msisdn),
      numbers,
    );
    for (const msisdn of numbers) assert.equal([...simulator.messages({ msisdn })].length, 1, msisdn);
    assert.equal([...simulator.messages({ msisdn: '12345' })].length, 0);
  });

  it('of 200,000 messages has every one, in order, and lets itself be read from a row on', async () => {
    await using simulator = await startSimulator();
    const total = 200_000;
    let next = 0;
    const client = clientOf(
      simulator.smppPort,
      { window: 500 },
      {
        onRoom: () => {
          while (client.session.room > 0 && next < total)
            client.session.submit(quiet(String(491700000000 + next), `text ${next}`), next++);
        },
      },
    );
    await using session = client.session;
    session.start();
    await client.answers.count('answer', total, 60_000);
    const summary = await simulator.summary();
    assert.deepEqual(
      [summary.received, summary.messages, summary.doubled, summary.textsDropped],
      [total, total, 0, 0],
    );
    let row = 0;
    for (const message of simulator.messages()) {
      if (
        message.msisdn !== String(491700000000 + row) ||
        message.text !== `text ${row}` ||
        message.row !== row
      ) {
        assert.fail(`row ${row} is ${JSON.stringify(message)}`);
      }
      row++;
    }
    assert.equal(row, total);
    assert.equal([...simulator.messages({ after: total - 3 })].length, 2);
  });

  it('can be left out: only counts then', async () => {
    await using simulator = await startSimulator({ ledger: 'counts' });
    await using client = await boundClient(simulator.smppPort);
    client.session.submit(quiet('491'), 1);
    for (const sequence of [1, 2]) {
      const shortMessage = Buffer.concat([udh(0, 3, 7, 2, sequence), Buffer.from('x')]);
      client.session.submit({ ...quiet('492'), esmClass: 0x40, shortMessage }, sequence);
    }
    await client.answers.count('answer', 3);
    const { received, messages, doubled } = await simulator.summary();
    assert.deepEqual({ received, messages, doubled }, { received: 3, messages: 2, doubled: null });
    assert.deepEqual([...simulator.messages()], []);
  });
});

describe('the simulator as a process, with a foreign client', () => {
  const main = fileURLToPath(new URL('../../../services/smsc-simulator/main.ts', import.meta.url));

  async function startProcess(flags: string[]) {
    const child = spawn(
      process.execPath,
      [...TYPESCRIPT, main, '--smpp-port', '0', '--http-port', '0', ...flags],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const { smppPort, httpPort } = JSON.parse(line) as { smppPort: number; httpPort: number };
    return {
      child,
      smppPort,
      url: `http://127.0.0.1:${httpPort}`,
      async [Symbol.asyncDispose]() {
        if (child.exitCode !== null) return;
        child.kill('SIGTERM');
        await once(child, 'exit');
      },
    };
  }

  it('takes npm smpp’s messages, and tells about them over HTTP', async () => {
    await using simulator = await startProcess(['--system-id', 'npm', '--password', 'secret']);
    const session = smpp.connect({ host: '127.0.0.1', port: simulator.smppPort });
    await once(session, 'connect');
    const bound = await new Promise<PDU>((resolve) =>
      session.bind_transceiver({ system_id: 'npm', password: 'secret' }, resolve),
    );
    assert.equal(bound.command_status, 0);
    const receipts = new Signals<PDU>();
    session.on('deliver_sm', (pdu: PDU) => {
      session.send(pdu.response());
      receipts.push(pdu);
    });
    const submit = (destination_addr: string, short_message: unknown) =>
      new Promise<PDU>((resolve) =>
        session.submit_sm(
          { source_addr: 'Shop', destination_addr, registered_delivery: 1, data_coding: 0, short_message },
          resolve,
        ),
      );
    const first = await submit('491700000001', 'Grüße für 5 €');
    assert.equal(first.command_status, 0);
    await receipts.count('receipt', 1);
    assert.equal(receipts.all[0]!.receipted_message_id, first.message_id);

    const rules = await fetch(`${simulator.url}/rules`, {
      method: 'POST',
      body: JSON.stringify({ rules: [{ suffix: '2', commandStatus: 11 }] }),
    });
    assert.equal(rules.status, 200);
    assert.equal((await submit('491700000002', 'x')).command_status, 11);

    const lines = (await (await fetch(`${simulator.url}/ledger`)).text()).trim().split('\n');
    const ledger = lines.map((line) => JSON.parse(line) as LedgerMessage);
    assert.deepEqual(
      ledger.map(({ msisdn, sender, text, segments, messageId, commandStatus }) => ({
        msisdn,
        sender,
        text,
        segments,
        messageId,
        commandStatus,
      })),
      [
        {
          msisdn: '491700000001',
          sender: 'Shop',
          text: 'Grüße für 5 €',
          segments: 1,
          messageId: first.message_id,
          commandStatus: 0,
        },
        {
          msisdn: '491700000002',
          sender: 'Shop',
          text: 'x',
          segments: 1,
          messageId: null,
          commandStatus: 11,
        },
      ],
    );
    const one = await (await fetch(`${simulator.url}/ledger?msisdn=%2B491700000002`)).text();
    assert.equal(JSON.parse(one).row, 1);
    const later = await (await fetch(`${simulator.url}/ledger?after=1`)).text();
    assert.equal(later, '');
    const summary = (await (await fetch(`${simulator.url}/summary`)).json()) as Record<string, number>;
    assert.deepEqual(
      [
        summary.received,
        summary.segments,
        summary.messages,
        summary.rejected,
        summary.doubled,
        summary.receiptsAnswered,
        summary.binds,
      ],
      [2, 1, 1, 1, 0, 1, 1],
    );
    await fetch(`${simulator.url}/reset`, { method: 'POST' });
    assert.equal(
      ((await (await fetch(`${simulator.url}/summary`)).json()) as Record<string, number>).received,
      0,
    );
    session.destroy();
  });

  it('refuses what it does not understand, naming all of it', async () => {
    await using simulator = await startProcess([]);
    const post = async (body: string): Promise<[number, { code: string; errors: { field: string }[] }]> => {
      const response = await fetch(`${simulator.url}/rules`, { method: 'POST', body });
      return [response.status, (await response.json()) as { code: string; errors: { field: string }[] }];
    };
    const [status, failure] = await post(
      JSON.stringify({ latencyMs: -1, receipts: { share: 2 }, rules: [{ prefx: '1' }] }),
    );
    assert.equal(status, 400);
    assert.equal(failure.code, 'BAD_RULES');
    const fields = failure.errors.map(({ field }) => field);
    for (const field of ['latencyMs', 'receipts.share', 'rules.0'])
      assert.ok(
        fields.some((one) => one.startsWith(field)),
        fields.join(),
      );
    assert.equal((await post('{'))[0], 400);
    assert.equal((await post(JSON.stringify({ rules: [{ pattern: '(' }] })))[0], 400);
    assert.equal((await fetch(`${simulator.url}/ledger?after=x`)).status, 400);
    assert.equal((await fetch(`${simulator.url}/nothing`)).status, 404);
  });

  it('with a wrong configuration says what is wrong, and ends', async () => {
    const child = spawn(process.execPath, [...TYPESCRIPT, main, '--smpp-port', 'x', '--ledger', 'half'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    const [code] = await once(child, 'exit');
    assert.equal(code, 2);
    assert.match(errors, /SIMULATOR_SMPP_PORT=x/);
    assert.match(errors, /SIMULATOR_LEDGER=half/);
  });
});
