import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { pino } from 'pino';
import { DeadlineError } from '../../../lib/lifecycle/deadline.ts';
import { freshHeaders } from '../../../lib/nats/carried-headers.ts';
import { connectNats, type Nats } from '../../../lib/nats/connect.ts';
import { request, ServiceError } from '../../../lib/nats/request.ts';
import { testServers } from '../../support/servers.ts';

let servers: Awaited<ReturnType<typeof testServers>>;
let nats: Nats;

before(async () => {
  servers = await testServers(['nats']);
  nats = await connectNats({ url: servers.natsUrl, name: 'test', log: pino({ level: 'silent' }) });
});
after(async () => {
  await nats.close();
  await servers.stop();
});

describe('request', () => {
  it('answers with the JSON, and carries headers', async () => {
    nats.nc.subscribe('api.echo', {
      callback: (_error, message) =>
        void message.respond(
          JSON.stringify({ ...message.json<object>(), trace: message.headers?.get('traceparent') }),
        ),
    });
    const answer = await request(
      nats.nc,
      'api.echo',
      { a: 1 },
      { deadlineMs: 1_000, headers: { traceparent: 't' } },
    );
    assert.deepEqual(answer, { a: 1, trace: 't' });
  });

  it('an error of the service keeps its code and its body', async () => {
    nats.nc.subscribe('api.refuse', {
      callback: (_error, message) =>
        void message.respond(JSON.stringify({ code: 'not-found' }), {
          headers: freshHeaders({ 'Nats-Service-Error-Code': '404', 'Nats-Service-Error': 'no such batch' }),
        }),
    });
    await assert.rejects(request(nats.nc, 'api.refuse', {}, { deadlineMs: 1_000 }), (error) => {
      assert.ok(error instanceof ServiceError);
      assert.equal(error.code, '404');
      assert.deepEqual(error.body, { code: 'not-found' });
      return true;
    });
  });

  it('no answer: the deadline, with the subject', async () => {
    nats.nc.subscribe('api.silent');
    await assert.rejects(
      request(nats.nc, 'api.silent', {}, { deadlineMs: 50 }),
      (error) => error instanceof DeadlineError && /request api\.silent/.test(error.message),
    );
  });

  it('nobody listens: said at once, or waited for', async () => {
    await assert.rejects(request(nats.nc, 'api.late', {}, { deadlineMs: 1_000 }), /Nobody answers api\.late/);
    const pending = request(nats.nc, 'api.late', {}, { deadlineMs: 5_000, waitForService: true });
    nats.nc.subscribe('api.late', { callback: (_error, message) => void message.respond('{"late":true}') });
    assert.deepEqual(await pending, { late: true });
  });
});
