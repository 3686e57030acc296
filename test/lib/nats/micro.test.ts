import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Svcm } from '@nats-io/services';
import { pino } from 'pino';
import Type from 'typebox';
import { type ErrorBody, errorBody, RefusedError } from '../../../contracts/errors.ts';
import { MAX_BODY_BYTES } from '../../../contracts/streams.ts';
import { HEADERS } from '../../../contracts/subjects.ts';
import { connectNats, type Nats } from '../../../lib/nats/connect.ts';
import { endpoint, type RequestMeta, serveApi } from '../../../lib/nats/micro.ts';
import { request, ServiceError } from '../../../lib/nats/request.ts';
import { testServers } from '../../support/servers.ts';

const log = pino({ level: 'silent' });
const Greeting = Type.Object(
  {
    name: Type.String({ minLength: 1 }),
    times: Type.Integer({ minimum: 1 }),
    requestId: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);

let servers: Awaited<ReturnType<typeof testServers>>;
let nats: Nats;
before(async () => {
  servers = await testServers(['nats']);
  nats = await connectNats({ url: servers.natsUrl, name: 'test', log });
});
after(async () => {
  await nats.close();
  await servers.stop();
});

const describe_ = { noun: 'greeting', description: 'Says it.' };
let lastMeta: RequestMeta | undefined;
const greet = endpoint({
  ...describe_,
  verb: 'say',
  request: Greeting,
  response: Type.Object({ said: Type.String() }),
  async handler({ name, times }, meta) {
    lastMeta = meta;
    return { said: name.repeat(times) };
  },
});
const failing = (verb: string, error: unknown) =>
  endpoint({
    ...describe_,
    verb,
    request: Type.Object({}),
    async handler() {
      throw error;
    },
  });
const serve = (endpoints: Parameters<typeof serveApi>[1]['endpoints'], limits = {}) =>
  serveApi(nats.nc, { name: 'greeter', version: '1.2.3', description: 'Greets.', endpoints, log, ...limits });

const ask = (verb: string, body: object, headers = {}) =>
  request<Record<string, unknown>>(nats.nc, `sms.api.greeting.${verb}`, body, { deadlineMs: 2_000, headers });

async function all<T>(iterator: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const each of iterator) items.push(each);
  return items;
}

async function refusal(asking: Promise<unknown>): Promise<{ status: string; body: ErrorBody }> {
  try {
    await asking;
  } catch (error) {
    assert.ok(error instanceof ServiceError, String(error));
    return { status: error.code, body: error.body as ErrorBody };
  }
  assert.fail('it was not refused');
}

describe('serveApi', () => {
  it('answers with what the handler returns, and hands it the request’s id and headers', async () => {
    await using api = serve([greet]);
    await api.start();
    assert.deepEqual(await ask('say', { name: '你好', times: 2 }), { said: '你好你好' });
    assert.match(lastMeta!.requestId, /^[0-9A-Z]{26}$/);
    await ask(
      'say',
      { name: 'a', times: 1, requestId: 'mine' },
      { [HEADERS.requestId]: 'other', traceparent: 't' },
    );
    assert.equal(lastMeta!.requestId, 'mine');
    assert.equal(lastMeta!.headers.traceparent, 't');
  });

  it('tells every finding at once', async () => {
    await using api = serve([greet]);
    await api.start();
    const { status, body } = await refusal(ask('say', { name: '', times: 1.5, more: true }));
    assert.equal(status, '400');
    assert.equal(body.code, 'invalid-body');
    assert.deepEqual(body.errors.map(({ field }) => field).sort(), ['more', 'name', 'times']);
  });

  it('refuses what is no JSON object, and what is too large', async () => {
    await using api = serve([greet, failing('any', new Error())]);
    await api.start();
    const raw = async (payload: string | Uint8Array) => {
      const answer = await nats.nc.request('sms.api.greeting.say', payload, { timeout: 2_000 });
      return answer.json<ErrorBody>().code;
    };
    assert.equal(await raw('{"name"'), 'invalid-json');
    assert.equal(await raw('[1]'), 'invalid-json');
    assert.equal(await raw(Uint8Array.of(0x7b, 0xff, 0x7d)), 'invalid-json');
    assert.equal(await raw(new Uint8Array(MAX_BODY_BYTES + 1).fill(0x20)), 'body-too-large');
    assert.equal(await raw(''), 'invalid-body');
  });

  it('answers a refusal with its own body, anything unexpected as internal with the request’s id', async () => {
    const forbidden = errorBody('state-forbids', 'Not now:\nit runs.', [
      { field: 'id', value: 1, expected: 'x' },
    ]);
    await using api = serve(
      [
        failing('refuse', new RefusedError(forbidden)),
        failing('break', new Error('secret')),
        failing('away', Object.assign(new Error('no server'), { away: true })),
      ],
      { unavailable: (error: unknown) => (error as { away?: boolean }).away === true },
    );
    await api.start();
    assert.deepEqual(await refusal(ask('refuse', {})), { status: '409', body: forbidden });
    const broken = await refusal(ask('break', {}, { [HEADERS.requestId]: 'r1' }));
    assert.equal(broken.status, '500');
    assert.match(broken.body.message, /r1/);
    assert.doesNotMatch(JSON.stringify(broken), /secret/);
    assert.equal((await refusal(ask('away', {}))).body.code, 'unavailable');
  });

  it('is found by the micro protocol, with schemas and errors', async () => {
    await using api = serve([greet]);
    await api.start();
    await refusal(ask('say', {}));
    const client = new Svcm(nats.nc).client();
    const [info] = await all(await client.info('greeter'));
    const [found] = info!.endpoints;
    assert.equal(found!.subject, 'sms.api.greeting.say');
    assert.deepEqual(JSON.parse(found!.metadata!.request_schema!), JSON.parse(JSON.stringify(Greeting)));
    const [stats] = await all(await client.stats('greeter'));
    assert.equal((stats!.endpoints![0]!.data as { errors: number }).errors, 1);
  });

  it('runs so many at once and no more, sheds beyond its queue, and stops when all are answered', async () => {
    let running = 0;
    let most = 0;
    const doors: (() => void)[] = [];
    const slow = endpoint({
      ...describe_,
      verb: 'slow',
      request: Type.Object({}),
      async handler() {
        most = Math.max(most, ++running);
        await new Promise<void>((resolve) => doors.push(resolve));
        running--;
        return {};
      },
    });
    const api = serve([slow], { concurrency: 2, maxWaiting: 1 });
    await api.start();
    const asked = [1, 2, 3, 4].map(() => ask('slow', {}));
    // The fourth finds two at work and one waiting: refused at once.
    assert.equal((await refusal(asked[3]!)).body.code, 'overloaded');
    assert.equal(doors.length, 2);
    let stopped = false;
    const stopping = api.stop().then(() => {
      stopped = true;
    });
    doors[0]!();
    await asked[0];
    assert.equal(stopped, false);
    doors[1]!();
    await asked[1];
    doors[2]!();
    await asked[2];
    await stopping;
    assert.equal(most, 2);
  });
});
