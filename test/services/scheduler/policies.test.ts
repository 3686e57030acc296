import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { allowsSubject } from '../../../services/scheduler/publish-subjects.ts';
import { type CaughtUp, catchUp, type Late } from '../../../services/scheduler/pure/catch-up.ts';
import { newSchedule, pause, resume, runNow } from '../../../services/scheduler/pure/change.ts';
import { decidedBefore } from '../../../services/scheduler/pure/draft.ts';
import { decideFire } from '../../../services/scheduler/pure/fire.ts';
import { keepHistory } from '../../../services/scheduler/pure/history-limits.ts';
import { jitterMs } from '../../../services/scheduler/pure/jitter.ts';
import { decideOverlap, MAX_ACTIVE, type Overlap } from '../../../services/scheduler/pure/overlap.ts';

describe('overlap', () => {
  const rows: [Overlap, active: number, buffered: boolean, kind: string][] = [
    ['skip', 0, false, 'start'],
    ['skip', 1, false, 'skip'],
    ['buffer-one', 0, false, 'start'],
    ['buffer-one', 1, false, 'buffer'],
    ['buffer-one', 1, true, 'skip'],
    ['allow', 0, false, 'start'],
    ['allow', 7, false, 'start'],
    ['allow', MAX_ACTIVE, false, 'skip'],
  ];
  for (const [policy, active, buffered, kind] of rows) {
    test(`${policy}, ${active} active${buffered ? ', one waits' : ''}: ${kind}`, () => {
      const decision = decideOverlap(policy, active, buffered);
      assert.equal(decision.kind, kind);
      if (decision.kind === 'skip') assert.ok(decision.reason.length > 10);
    });
  }
});

describe('catch-up: due every 10 minutes, armed for minute 0, a window of 15', () => {
  const MINUTE = 60_000;
  const minutes = (late: Partial<Late> & { now: number }): CaughtUp => {
    const { run, missed } = catchUp({
      policy: 'last-only',
      windowMs: 15 * MINUTE,
      dueAt: 0,
      nowMs: late.now * MINUTE,
      nextAfter: (after) => (Math.floor(after / (10 * MINUTE)) + 1) * 10 * MINUTE,
      fireAt: (due) => due,
      ...late,
    });
    return {
      run: run === undefined ? undefined : run / MINUTE,
      ...(missed && { missed: { from: missed.from / MINUTE, to: missed.to / MINUTE } }),
    };
  };
  const rows: [what: string, given: Parameters<typeof minutes>[0], expected: CaughtUp][] = [
    ['on time', { now: 0 }, { run: 0 }],
    ['a clock that was set back by an hour', { now: -60 }, { run: 0 }],
    ['5 minutes late', { now: 5 }, { run: 0 }],
    ['12 minutes late: the last one only', { now: 12 }, { run: 10, missed: { from: 0, to: 0 } }],
    ['35 minutes late', { now: 35 }, { run: 30, missed: { from: 0, to: 20 } }],
    ['12 minutes late, all: one after the other', { now: 12, policy: 'all' }, { run: 0 }],
    [
      '35 minutes late, all: what is left of it',
      { now: 35, policy: 'all' },
      { run: undefined, missed: { from: 0, to: 20 } },
    ],
    ['no window at all, on time', { now: 0, windowMs: 0 }, { run: 0 }],
    ['no window at all, late', { now: 1, windowMs: 0 }, { run: undefined, missed: { from: 0, to: 0 } }],
    [
      'a single run, in the window',
      { now: 14, nextAfter: (after) => (after < 0 ? 0 : undefined) },
      { run: 0 },
    ],
    [
      'a single run, too late',
      { now: 16, nextAfter: (after) => (after < 0 ? 0 : undefined) },
      { run: undefined, missed: { from: 0, to: 0 } },
    ],
    ['days behind', { now: 3 * 1_440 + 5 }, { run: 3 * 1_440, missed: { from: 0, to: 3 * 1_440 - 10 } }],
    ['a jitter counts for its own run', { now: 12, fireAt: (due) => due + 8 * MINUTE }, { run: 0 }],
  ];
  for (const [what, given, expected] of rows) test(what, () => assert.deepEqual(minutes(given), expected));
});

test('jitter: the same at each try, spread over its range, none where none is asked for', () => {
  assert.equal(jitterMs('a', 1_000, 0), 0);
  assert.equal(jitterMs('a', 1_000, 60_000), jitterMs('a', 1_000, 60_000));
  const drawn = Array.from({ length: 1_000 }, (_, i) => jitterMs('nightly', i * 60_000, 60_000));
  assert.ok(drawn.every((ms) => ms >= 0 && ms <= 60_000));
  const thirds = [0, 1, 2].map(
    (n) => drawn.filter((ms) => Math.min(2, Math.floor(ms / 20_000)) === n).length,
  );
  assert.ok(
    thirds.every((count) => count > 250 && count < 420),
    String(thirds),
  );
});

test('history limits: the oldest go, succeeded and failed apart; without a limit none', () => {
  const limits = { succeededHistoryLimit: 2, failedHistoryLimit: 0 };
  const kept = { succeeded: ['a', 'b'], failed: [] };
  assert.deepEqual(keepHistory(kept, 'c', 'succeeded', limits), {
    kept: { succeeded: ['b', 'c'], failed: [] },
    remove: ['a'],
  });
  assert.deepEqual(keepHistory(kept, 'x', 'failed', limits).remove, ['x']);
  assert.deepEqual(keepHistory(undefined, 'x', 'failed', {}).remove, []);
});

describe('subjects that a schedule may publish to', () => {
  const patterns = ['sms.cmd.*.*', 'sms.trigger.>', 'billing.closed'];
  const rows: [subject: string, allowed: boolean, patterns?: string[]][] = [
    ['sms.cmd.b1.pause', true],
    ['sms.cmd.b1', false],
    ['sms.cmd.b1.pause.now', false],
    ['sms.trigger.crm', true],
    ['sms.trigger.crm.new', true],
    ['sms.trigger', false],
    ['billing.closed', true],
    ['billing.open', false],
    ['sms.cmd.*.pause', false],
    ['sms.trigger.>', false],
    ['sms..x', false],
    ['has a.blank', false],
    ['$JS.API.STREAM.DELETE.SMS_COMMANDS', false, ['>']],
    ['_INBOX.x', false, ['>']],
    ['sms.due.s_x', false, ['>']],
    ['sms.evt.b1.ended', false, ['>']],
    ['anything.else', true, ['>']],
  ];
  for (const [subject, allowed, given = patterns] of rows) {
    test(`${subject}: ${allowed}`, () => assert.equal(allowsSubject(given, subject), allowed));
  }
});

describe('what a process that died had decided', () => {
  const everyMs = 10_000;
  const nextDue = (afterMs: number) => (Math.floor(afterMs / everyMs) + 1) * everyMs;
  const facts = (nowMs: number) => ({ nowMs, nextDue, ended: [] });
  const change = (nowMs: number) => ({ meta: {}, facts: facts(nowMs), dueBefore: nextDue });
  const created = (catchUp: 'all' | 'last-only' = 'last-only') => {
    const definition = {
      cron: '*/10 * * * * *',
      timeZone: 'UTC',
      catchUp,
      target: { kind: 'publish', subject: 'runs' },
    } as const;
    const options = { createHash: '', paused: false, stream: null };
    const changed = newSchedule('s', definition, options, change(0));
    assert.ok(changed.kind === 'changed');
    return changed.doc;
  };
  const fired = (doc: ReturnType<typeof created>, dueAt: number, nowMs = dueAt) => {
    const decision = decideFire(doc, { version: doc.version, dueAt }, facts(nowMs));
    assert.ok(decision.kind === 'decided', JSON.stringify(decision));
    return decision.doc;
  };

  test('is not run again where MongoDB was set back behind it: it is missed, the next one runs', () => {
    const doc = created();
    const due = { version: doc.version, dueAt: 10_000 };
    const forgotten = decideFire(doc, due, { ...facts(12_000), restoredAt: 11_000 });
    assert.ok(forgotten.kind === 'decided');
    assert.deepEqual(
      forgotten.doc.runs.map(({ outcome, reason }) => [outcome, reason]),
      [['missed', 'due before MongoDB was set back: it may have run']],
    );
    assert.equal(forgotten.doc.next?.dueAt, 20_000);
    const told = decidedBefore(forgotten.doc, forgotten.cause)!.messages.map(({ subject }) => subject);
    assert.ok(!told.includes('runs'), 'nothing is started, it is only told');
    const later = decideFire(
      forgotten.doc,
      { ...due, dueAt: 20_000 },
      { ...facts(20_000), restoredAt: 11_000 },
    );
    assert.ok(later.kind === 'decided');
    assert.equal(later.doc.runs.at(-1)?.outcome, 'published');
  });

  test('is published when its timer comes again, though a command has armed the next run meanwhile', () => {
    const doc = fired(fired(created(), 10_000), 20_000);
    const again = decideFire(doc, { version: doc.version, dueAt: 10_000 }, facts(25_000));
    assert.ok(again.kind === 'again');
    assert.equal(decidedBefore(doc, again.cause)?.messages[0]?.msgId, 'run:s-19700101T000010Z:0');
  });

  test('is not driven out by commands that come meanwhile', () => {
    let doc = fired(created(), 10_000);
    for (let n = 0; n < 20; n++) {
      const run = runNow(doc, `run:${n}`, 10_001 + n, {}, 10_001 + n);
      assert.ok(run.kind === 'changed');
      doc = run.doc;
    }
    const again = decideFire(doc, { version: doc.version, dueAt: 10_000 }, facts(15_000));
    assert.equal(again.kind, 'again');
    assert.ok(doc.outbox.length <= 16);
  });

  test('is kept for a minute, not for ever: templates are large', () => {
    const doc = fired(fired(created(), 10_000), 20_000);
    assert.deepEqual(
      fired(doc, 30_000, 85_000).outbox.map(({ cause }) => cause),
      ['change:1', 'due:30000'],
    );
  });

  test('runs that were to be caught up one by one are told of when a pause comes first', () => {
    const changed = pause(created('all'), change(45_000));
    assert.ok(changed.kind === 'changed');
    const { doc, causes } = changed;
    assert.deepEqual(causes, ['due:10000', 'change:2']);
    const told = decidedBefore(doc, 'change:2')!.messages.map(({ body }) => body as Record<string, unknown>);
    assert.deepEqual(
      told.map(({ dueAt, until }) => [dueAt, until]),
      [['1970-01-01T00:00:20.000Z', '1970-01-01T00:00:40.000Z']],
    );
    assert.deepEqual(
      doc.runs.map(({ dueAt, outcome }) => [dueAt, outcome]),
      [
        [10_000, 'published'],
        [20_000, 'missed'],
      ],
    );
    const resumed = resume(doc, change(61_000));
    assert.ok(resumed.kind === 'changed' && resumed.doc.next?.dueAt === 70_000);
  });
});
