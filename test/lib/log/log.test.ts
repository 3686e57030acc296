import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createLogger, forBatch } from '../../../lib/log/logger.ts';
import { maskLine } from '../../../lib/log/mask-line.ts';

function captured() {
  const lines: string[] = [];
  const log = createLogger({
    service: 'steps',
    hostId: 'host-20261124-1',
    level: 'debug',
    destination: { write: (line: string) => void lines.push(line) },
  });
  return { log, last: () => JSON.parse(lines.at(-1) ?? 'null') };
}

describe('createLogger', () => {
  it('one JSON object a line, with time, level in words, service and host', () => {
    const { log, last } = captured();
    forBatch(log, 'b-20261124T120000Z').info({ n: 1 }, 'started');
    const { time, ...rest } = last();
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(rest, {
      level: 'info',
      service: 'steps',
      host: 'host-20261124-1',
      batchId: 'b-20261124T120000Z',
      n: 1,
      msg: 'started',
    });
  });

  it('masks numbers in the message, in fields however deep, in errors and in what a child is bound to', () => {
    const { log, last } = captured();
    const err = new Error('refused +447911123456');
    log
      .child({ to: '447911123456' })
      .warn({ rows: [{ phone: '+44 7911 123456' }], err }, 'no %s', '447911123456');
    const text = JSON.stringify(last());
    assert.doesNotMatch(text, /447911123456|7911 123456/);
    assert.equal(last().to, '4479******56');
    assert.equal(last().msg, 'no 4479******56');
    assert.match(last().err.message, /refused \+4479\*+56/);
    assert.match(last().err.stack, /refused \+4479\*+56/);
  });

  it('removes secrets by name, and logins from addresses', () => {
    const { log, last } = captured();
    log.info({ password: 'pw', smsc: { password: 'pw', host: 'h' } }, 'to mongodb://me:pw@host/db');
    const { password, smsc, msg } = last();
    assert.deepEqual(
      { password, smsc, msg },
      {
        password: '***',
        smsc: { password: '***', host: 'h' },
        msg: 'to mongodb://***@host/db',
      },
    );
  });
});

describe('maskLine', () => {
  it('whatever is logged, the line stays JSON of the same shape, and no number of a person survives in a string', () => {
    const number = fc.stringMatching(/^[1-9]\d{9,14}$/);
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), number)),
        number,
        (fields, msisdn) => {
          const masked = JSON.parse(maskLine(JSON.stringify({ ...fields, text: `to ${msisdn}, again` })));
          assert.deepEqual(Object.keys(masked), Object.keys({ ...fields, text: '' }));
          assert.ok(!masked.text.includes(msisdn));
          for (const [key, value] of Object.entries(fields)) {
            if (typeof value === 'number') assert.ok(Object.is(masked[key], value === 0 ? 0 : value));
          }
        },
      ),
    );
  });
});
