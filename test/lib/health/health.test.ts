import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { must, mustNotFail, runChecks } from '../../../lib/health/checks.ts';
import { type HealthOptions, healthServer } from '../../../lib/health/health-server.ts';
import { silentLogger } from '../../../lib/log/logger.ts';
import { createRegistry } from '../../../lib/metrics/registry.ts';

const server = (more: Partial<HealthOptions> = {}) =>
  healthServer({
    port: 0,
    host: '127.0.0.1',
    service: 'test',
    version: '1.2.3',
    hostId: 'h1',
    registry: createRegistry({ service: 'test', version: '1.2.3', processMetrics: false }),
    log: silentLogger(),
    ...more,
  });
async function get(port: number | undefined, path: string, method = 'GET') {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
  return { status: response.status, body: await response.text(), type: response.headers.get('content-type') };
}

describe('healthServer', () => {
  it('is ready while its checks hold, says which does not, and is not ready any more once it drains', async () => {
    let connected = true;
    await using health = server({ checks: { nats: must(() => connected, 'disconnected') } });
    await health.start();
    health.addChecks({ 'consumer a': mustNotFail(() => undefined) });
    assert.deepEqual(await get(health.port(), '/readyz'), {
      status: 200,
      body: 'ok\n',
      type: 'text/plain; charset=utf-8',
    });
    connected = false;
    assert.equal((await get(health.port(), '/readyz')).body, 'nats: disconnected\n');
    assert.equal((await get(health.port(), '/livez')).status, 200);
    connected = true;
    health.drain();
    const { status, body } = await get(health.port(), '/readyz?verbose');
    assert.deepEqual({ status, body }, { status: 503, body: 'draining\n' });
  });

  it('tells in detail', async () => {
    await using health = server({
      checks: {
        fine: () => {},
        bad: () => {
          throw new Error('no primary');
        },
      },
    });
    await health.start();
    const { status, body, type } = await get(health.port(), '/healthz');
    assert.equal(status, 200);
    assert.equal(type, 'application/json');
    const detail = JSON.parse(body);
    assert.equal(detail.ready, false);
    assert.equal(detail.version, '1.2.3');
    assert.deepEqual(
      detail.checks.map(({ name, ok, reason }: { name: string; ok: boolean; reason?: string }) => [
        name,
        ok,
        reason,
      ]),
      [
        ['fine', true, undefined],
        ['bad', false, 'no primary'],
      ],
    );
  });

  it('serves the metrics, and what else there is', async () => {
    await using health = server();
    await health.start();
    assert.match((await get(health.port(), '/metrics')).body, /smsbatch_build_info/);
    const unknown = await get(health.port(), '/');
    assert.equal(unknown.status, 404);
    assert.match(unknown.body, /\/livez\n\/readyz/);
    assert.equal((await get(health.port(), '/livez', 'POST')).status, 405);
  });

  it('without a port there is none; a port that is taken is an error', async () => {
    await using none = server({ port: undefined });
    await none.start();
    assert.equal(none.port(), undefined);
    await using first = server();
    await first.start();
    await assert.rejects(server({ port: first.port() }).start(), /EADDRINUSE/);
  });
});

describe('runChecks', () => {
  it('a check that hangs is one that failed', async () => {
    const [result] = await runChecks({ mongodb: () => new Promise(() => {}) }, 10);
    assert.equal(result?.ok, false);
    assert.match(result?.reason ?? '', /mongodb: no answer within 10 ms/);
  });
});
