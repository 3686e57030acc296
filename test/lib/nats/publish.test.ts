import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { JetStreamClient, JetStreamPublishOptions } from '@nats-io/jetstream';
import { errors, headers } from '@nats-io/transport-node';
import { pino } from 'pino';
import { DeadlineError } from '../../../lib/lifecycle/deadline.ts';
import { carriedFrom, freshHeaders } from '../../../lib/nats/carried-headers.ts';
import { connectNats, type Nats } from '../../../lib/nats/connect.ts';
import {
  type Publication,
  type Publisher,
  PublishRefusedError,
  publisher,
} from '../../../lib/nats/publish.ts';
import { testServers } from '../../support/servers.ts';

const log = pino({ level: 'silent' });
let servers: Awaited<ReturnType<typeof testServers>>;
let nats: Nats;
let publish: Publisher['publish'];

before(async () => {
  servers = await testServers(['nats']);
  nats = await connectNats({ url: servers.natsUrl, name: 'test', log });
  publish = publisher(nats).publish;
  await nats.jsm.streams.add({
    name: 'TASKS',
    subjects: ['task.*'],
    discard: 'new',
    discard_new_per_subject: true,
    max_msgs_per_subject: 1,
    max_msgs: 4,
  });
  await nats.jsm.streams.add({ name: 'EVENTS', subjects: ['evt.>'], max_msg_size: 1_000 });
  await nats.jsm.streams.add({ name: 'SMALL', subjects: ['small'], discard: 'new', max_bytes: 300 });
});
after(async () => {
  await nats.close();
  await servers.stop();
});
beforeEach(async () => {
  await nats.jsm.streams.purge('TASKS');
  await nats.jsm.streams.purge('EVENTS');
});

let id = 0;
const to = (subject: string, stream: string, more: Partial<Publication> = {}): Publication => ({
  subject,
  stream,
  body: { n: 1 },
  msgId: `m${++id}`,
  ...more,
});

/** The real client, whose answers to the first tries are lost after the server has stored the message. */
function losingAnswers(js: JetStreamClient, lose: number): JetStreamClient {
  let left = lose;
  return Object.assign(Object.create(js), {
    async publish(subject: string, data: Uint8Array, options: Partial<JetStreamPublishOptions>) {
      const ack = await js.publish(subject, data, options);
      if (left-- > 0) throw new errors.TimeoutError();
      return ack;
    },
  });
}

describe('publish', () => {
  it('stored, then duplicate under the same id', async () => {
    const message = to('evt.a', 'EVENTS');
    const first = await publish(message);
    assert.equal(first.kind, 'stored');
    assert.deepEqual(await publish(message), { kind: 'duplicate', seq: (first as { seq: number }).seq });
  });

  it('exists: one message a subject (10077)', async () => {
    assert.equal((await publish(to('task.1', 'TASKS'))).kind, 'stored');
    assert.deepEqual(await publish(to('task.1', 'TASKS')), { kind: 'exists' });
  });

  it('conflict: somebody else wrote on the subject (10071)', async () => {
    const first = await publish(to('evt.end', 'EVENTS', { expectedLastSubjectSequence: 0 }));
    assert.equal(first.kind, 'stored');
    assert.deepEqual(await publish(to('evt.end', 'EVENTS', { expectedLastSubjectSequence: 0 })), {
      kind: 'conflict',
      lastSeq: (first as { seq: number }).seq,
    });
  });

  it('full: by number and by size', async () => {
    for (const n of [1, 2, 3, 4]) await publish(to(`task.${n}`, 'TASKS'));
    assert.deepEqual(await publish(to('task.5', 'TASKS')), {
      kind: 'full',
      reason: 'maximum messages exceeded',
    });
    await publish(to('small', 'SMALL', { body: 'x'.repeat(100) }));
    assert.deepEqual(await publish(to('small', 'SMALL', { body: 'x'.repeat(100) })), {
      kind: 'full',
      reason: 'maximum bytes exceeded',
    });
  });

  it('a lost answer: the same id again is one message', async () => {
    const lossy = publisher({ ...nats, js: losingAnswers(nats.js, 2) });
    assert.equal((await lossy.publish(to('evt.lost', 'EVENTS'))).kind, 'duplicate');
    assert.equal((await nats.jsm.streams.info('EVENTS')).state.messages, 1);
  });

  it('a lost answer with an expected sequence: our own first try is no conflict, another writer is one', async () => {
    const lossy = publisher({ ...nats, js: losingAnswers(nats.js, 1) });
    assert.equal(
      (await lossy.publish(to('evt.end', 'EVENTS', { expectedLastSubjectSequence: 0 }))).kind,
      'duplicate',
    );
    const again = publisher({ ...nats, js: losingAnswers(nats.js, 1) });
    assert.equal(
      (await again.publish(to('evt.end', 'EVENTS', { expectedLastSubjectSequence: 0 }))).kind,
      'conflict',
    );
  });

  it('nobody takes the subject: tries until the deadline, then says what it was', async () => {
    await assert.rejects(publish(to('nowhere', 'EVENTS', { msgId: 'm', deadlineMs: 200 })), (error) => {
      assert.ok(error instanceof DeadlineError);
      assert.match(error.message, /^publishing m on nowhere \(EVENTS\): no answer within 200 ms$/);
      return true;
    });
  });

  it('refused for good: another stream owns the subject, or the message is too large', async () => {
    await assert.rejects(publish(to('evt.x', 'TASKS')), PublishRefusedError);
    await assert.rejects(publish(to('evt.x', 'EVENTS', { body: 'x'.repeat(2_000) })), PublishRefusedError);
    await assert.rejects(
      publish(to('evt.x', 'EVENTS', { body: 'x'.repeat(2_000_000) })),
      PublishRefusedError,
    );
    assert.equal((await nats.jsm.streams.info('EVENTS')).state.messages, 0);
  });

  it('the server goes and comes back: stored once', async () => {
    await servers.kill('nats');
    const pending = publish(to('evt.back', 'EVENTS', { deadlineMs: 20_000 }));
    await servers.restart('nats');
    assert.match((await pending).kind, /stored|duplicate/);
    assert.equal((await nats.jsm.streams.info('EVENTS')).state.messages, 1);
  });
});

describe('headers', () => {
  it('the trap: the client writes the id into the headers it is given, so each message needs its own', async () => {
    const shared = headers();
    await nats.js.publish('evt.trap', '1', { msgID: 'trap-1', headers: shared });
    assert.ok(
      (await nats.js.publish('evt.trap', '2', { headers: shared })).duplicate,
      'the client has been mended',
    );

    const values = { traceparent: '00-a-b-01' };
    const results = [
      await publish(to('evt.trap', 'EVENTS', { headers: values })),
      await publish(to('evt.trap', 'EVENTS', { headers: values })),
    ];
    assert.deepEqual(
      results.map((each) => each.kind),
      ['stored', 'stored'],
    );
    assert.deepEqual(values, { traceparent: '00-a-b-01' });
  });

  it('trace and request id are handed on, and nothing else', async () => {
    const received = freshHeaders({
      traceparent: '00-a-b-01',
      requestId: 'r1',
      'Nats-Msg-Id': 'x',
      other: 'y',
    });
    assert.deepEqual(carriedFrom(received), { traceparent: '00-a-b-01', requestId: 'r1' });
    assert.deepEqual(carriedFrom(undefined), {});
    await publish(to('evt.h', 'EVENTS', { headers: carriedFrom(received) }));
    const stored = await nats.jsm.streams.getMessage('EVENTS', { last_by_subj: 'evt.h' });
    assert.equal(stored?.header.get('traceparent'), '00-a-b-01');
    assert.equal(stored?.header.get('requestId'), 'r1');
  });

  it('a line break in a value does not break the message', () => {
    assert.equal(freshHeaders({ reason: 'two\r\nlines' }).get('reason'), 'two lines');
  });
});
