import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeMetrics, registerMetrics } from '../../../lib/metrics/metric-table.ts';
import { createRegistry } from '../../../lib/metrics/registry.ts';

const table = {
  sent: {
    type: 'counter',
    name: 'messages_sent_total',
    help: 'Messages sent',
    labels: ['provider', 'outcome'],
  },
  held: { type: 'gauge', name: 'links_held', help: 'Links held by the carrier', collect: () => 3 },
  turn: { type: 'histogram', name: 'turn_seconds', help: 'A turn of the actor', buckets: [0.1, 1] },
} as const;

const registry = () => createRegistry({ service: 'test', version: '1.2.3', processMetrics: false });

describe('registerMetrics', () => {
  it('counts under the prefix, with its labels', async () => {
    const on = registry();
    const metrics = registerMetrics(on, table);
    metrics.sent.inc({ provider: 'acme', outcome: 'accepted' }, 2);
    metrics.turn.observe(0.5);
    const text = await on.metrics();
    assert.match(text, /^smsbatch_messages_sent_total\{provider="acme",outcome="accepted"\} 2$/m);
    assert.match(text, /^smsbatch_links_held 3$/m);
    assert.match(text, /^smsbatch_turn_seconds_bucket\{le="1"\} 1$/m);
    assert.match(text, /^smsbatch_build_info\{service="test",version="1\.2\.3",node="v\d+/m);
  });

  it('a table registered again goes on counting', async () => {
    const on = registry();
    registerMetrics(on, table).sent.inc({ provider: 'a', outcome: 'b' });
    registerMetrics(on, table).sent.inc({ provider: 'a', outcome: 'b' });
    assert.match(await on.metrics(), /messages_sent_total\{.*\} 2$/m);
  });

  it('refuses what breaks the conventions', () => {
    const refused = (spec: object) => () =>
      registerMetrics(registry(), { x: { help: '', ...spec } as never });
    assert.throws(refused({ type: 'counter', name: 'sent' }), /has to end in _total/);
    assert.throws(refused({ type: 'histogram', name: 'turn_ms' }), /times are in _seconds/);
    assert.throws(refused({ type: 'gauge', name: 'x', labels: ['batchId'] }), /too many values/);
    assert.throws(refused({ type: 'gauge', name: 'X' }), /lower case/);
  });
});

describe('createRegistry', () => {
  it('has the process’s own metrics and the lag of the event loop', async () => {
    const text = await createRegistry({ service: 'test', version: '1' }).metrics();
    assert.match(text, /^process_cpu_seconds_total /m);
    assert.match(text, /^nodejs_eventloop_lag_p99_seconds /m);
  });
});

describe('describeMetrics', () => {
  it('is a table for the docs', () => {
    const lines = describeMetrics([table]).split('\n');
    assert.ok(
      lines.includes('| `smsbatch_messages_sent_total` | counter | provider, outcome | Messages sent |'),
    );
    assert.equal(lines.length, 6);
  });
});
