import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { connect as connectLegacy, JSONCodec, type NatsConnection as LegacyConnection } from 'nats';
import smpp, { type PDU, type Session } from 'smpp';
import { checkLedger } from '../../scripts/engine/check-ledger.ts';
import type { LedgerEntry } from '../../scripts/engine/simulator.ts';
import { engineRig, phoneOf, type Rig } from '../engine/rig.ts';

/** A carrier on npm `smpp`'s server: reads headers of long texts itself, and keeps what arrived. */
async function foreignCarrier() {
  const received: LedgerEntry[] = [];
  const open = new Map<string, (string | undefined)[]>();
  let ids = 0;
  const server = smpp.createServer((session: Session) => {
    session.on('error', () => {});
    for (const bind of ['bind_transceiver', 'bind_transmitter', 'bind_receiver'])
      session.on(bind, (pdu: PDU) => session.send(pdu.response({ system_id: 'npm' })));
    session.on('enquire_link', (pdu: PDU) => session.send(pdu.response()));
    session.on('unbind', (pdu: PDU) => {
      session.send(pdu.response());
      session.close();
    });
    session.on('submit_sm', (pdu: PDU) => {
      const messageId = `m${++ids}`;
      const text = textOf(pdu);
      if (text !== undefined) {
        received.push({
          msisdn: `${pdu.destination_addr}`,
          sender: `${pdu.source_addr}`,
          text: text.text,
          segments: text.segments,
          at: Date.now(),
          messageId,
          commandStatus: 0,
          answer: 'answered',
          complete: true,
        });
      }
      session.send(pdu.response({ message_id: messageId }));
      if (!Number(pdu.registered_delivery)) return;
      session.deliver_sm({
        esm_class: 4,
        source_addr: pdu.destination_addr,
        destination_addr: pdu.source_addr,
        short_message: `id:${messageId} sub:001 dlvrd:001 submit date:2611250829 done date:2611250830 stat:DELIVRD err:000 text:`,
      });
    });
  });

  function textOf(pdu: PDU): { text: string; segments: number } | undefined {
    // npm smpp has decoded it already: a text, or a header and a text.
    const { message, udh } = pdu.short_message as { message: string; udh?: Buffer[] };
    if (!udh) return { text: message, segments: 1 };
    const header = udh.find((each) => each[0] === 0x00 || each[0] === 0x08)!;
    const [reference, total, number] =
      header[0] === 0x00
        ? [header[2]!, header[3]!, header[4]!]
        : [header.readUInt16BE(2), header[4]!, header[5]!];
    const key = `${pdu.destination_addr}/${reference}/${total}`;
    const parts = open.get(key) ?? Array.from<string | undefined>({ length: total });
    open.set(key, parts);
    assert.equal(parts[number - 1], undefined, `part ${number} of ${key} came twice`);
    parts[number - 1] = message;
    if (parts.some((part) => part === undefined)) return undefined;
    open.delete(key);
    return { text: parts.join(''), segments: total };
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    received,
    open,
    async *ledger(): AsyncGenerator<LedgerEntry> {
      yield* received;
    },
    async [Symbol.asyncDispose]() {
      for (const session of [...server.sessions]) session.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

let carrier: Awaited<ReturnType<typeof foreignCarrier>>;
let rig: Rig;
let legacy: LegacyConnection;
before(async () => {
  carrier = await foreignCarrier();
  rig = await engineRig({ account: { port: carrier.port, name: 'foreign' } });
  legacy = await connectLegacy({ servers: rig.servers.natsUrl });
});
after(async () => {
  await legacy?.close();
  await rig?.[Symbol.asyncDispose]();
  await carrier?.[Symbol.asyncDispose]();
});

const LATIN =
  'A long text with [brackets], {braces}, a € and a ñ, which does not fit into one message. '.repeat(3);
const CHINESE = '尊敬的客户，您的订单已经发货，预计三天内送达🎉。'.repeat(5);
const texts = ['Hi', 'Prix: 5 €', LATIN, CHINESE, '生日快乐 🎉', 'ÄÖÜ à la carte'];

describe('foreign peers', () => {
  it('commands of the legacy nats client; npm smpp’s server as the carrier: every text as we say', async () => {
    const rows = Array.from({ length: 300 }, (_, n) => ({
      phone: phoneOf(n),
      variables: { text: texts[n % texts.length]! },
    }));
    await rig.call('table', 'append', { table: 'foreign', rows });
    const codec = JSONCodec();
    const batch = {
      name: 'foreign',
      content: '{{text}}',

      tableStorageName: 'foreign',
      providers: ['foreign'],
      sender: 'Shop',
    };
    const js = legacy.jetstream();
    const stored = await js.publish('sms.cmd.foreign.create', codec.encode({ batch }));
    assert.equal(stored.stream, 'SMS_COMMANDS');
    await rig.events.state('foreign', 'Pending');
    legacy.publish('sms.cmd.foreign.start', codec.encode({ operatorId: 'legacy' }));
    const reply = await legacy.request(
      'sms.api.batch.wait',
      codec.encode({ id: 'foreign', timeoutMs: 30_000 }),
      { timeout: 35_000 },
    );
    const view = codec.decode(reply.data) as { state: string; counts: { accepted: number } };
    assert.deepEqual([view.state, view.counts.accepted], ['Succeeded', 300]);
    assert.equal(carrier.open.size, 0, 'no part is missing');
    assert.equal(carrier.received.length, 300);
    const { incarnation } = (await rig.store.batches.findOne({ _id: 'foreign' }))!;
    const check = await checkLedger(rig.store, { batchId: 'foreign', incarnation }, carrier.ledger());
    const { missing, unexpected, doubled } = check;
    assert.deepEqual(
      { missing, unexpected, doubled },
      { missing: 0, unexpected: 0, doubled: 0 },
      JSON.stringify(check.examples),
    );
    assert.deepEqual(
      new Set(carrier.received.map(({ text }) => text)),
      new Set(texts.map((text) => text.normalize('NFC'))),
    );
    const account = await rig.account('foreign');
    assert.equal(account.counts.accepted, 300);
  });

  it('its receipts find their messages', async () => {
    await rig.events.first(
      'all receipts',
      ({ batchId, event, body }) =>
        batchId === 'foreign' && event === 'recounted' && body.receipts.delivered === 300,
    );
  });
});
