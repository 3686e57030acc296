import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { VERBS } from '../../contracts/commands.ts';
import { EVENTS } from '../../contracts/events.ts';
import { chunkId, incarnationOf, isBatchId, lifeId, parseChunkId, taskId } from '../../contracts/ids.ts';
import { streamShapes } from '../../contracts/streams.ts';
import {
  apiSubject,
  COMMAND_TRANSFORM,
  commandSubject,
  deadSubject,
  eventSubject,
  PARTITIONS,
  parseCommandSubject,
  parseEventSubject,
  parseStepSubject,
  partitionSubjects,
  STREAMS,
  stepSubject,
} from '../../contracts/subjects.ts';

const letters = 'ABCXYZabcxyz0129_-';
const ids = fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 64 });
const types = fc.stringMatching(/^[a-z][a-z0-9-]{0,31}$/);
const verbs = fc.constantFrom(...VERBS);
const hostile = [
  '',
  '.',
  'a.b',
  '*',
  '>',
  'a>',
  'a b',
  'a\tb',
  'a\nb',
  'a\n',
  '\u0000',
  'ä',
  '测试',
  'a/b',
  '../../x',
  '{{x}}',
  '%2e',
  'x'.repeat(65),
];

/** Whether a subject fits a pattern of NATS. */
function fits(pattern: string, subject: string): boolean {
  const tokens = subject.split('.');
  const wanted = pattern.split('.');
  if (wanted.at(-1) === '>')
    return wanted.slice(0, -1).every((each, i) => each === '*' || each === tokens[i]);
  return wanted.length === tokens.length && wanted.every((each, i) => each === '*' || each === tokens[i]);
}

describe('subjects', () => {
  it('gives back what a command’s subject was made of, with and without the partition', () => {
    fc.assert(
      fc.property(ids, verbs, fc.nat(PARTITIONS - 1), (batchId, verb, partition) => {
        const subject = commandSubject(batchId, verb);
        assert.deepEqual(parseCommandSubject(subject), { batchId, verb });
        const stored = subject.replace('sms.cmd.', `sms.cmd.${partition}.`);
        assert.deepEqual(parseCommandSubject(stored), { batchId, verb });
        assert.ok(fits(partitionSubjects(partition), stored));
        assert.ok(!fits(partitionSubjects((partition + 1) % PARTITIONS), stored));
      }),
    );
  });

  it('takes no batch ID for a partition: one of digits, or one that is called like a verb', () => {
    assert.deepEqual(parseCommandSubject('sms.cmd.7.pause'), { batchId: '7', verb: 'pause' });
    assert.deepEqual(parseCommandSubject('sms.cmd.3.7.pause'), { batchId: '7', verb: 'pause' });
    assert.deepEqual(parseCommandSubject('sms.cmd.3.pause.pause'), { batchId: 'pause', verb: 'pause' });
  });

  it('gives back what a task’s subject was made of', () => {
    fc.assert(
      fc.property(types, ids, fc.nat(), fc.nat(), (type, batchId, n, epoch) => {
        assert.deepEqual(parseStepSubject(stepSubject(type, batchId, n, epoch)), { type, batchId, n, epoch });
      }),
    );
  });

  it('gives back what an event’s subject was made of', () => {
    fc.assert(
      fc.property(ids, fc.constantFrom(...Object.keys(EVENTS)), (batchId, event) => {
        assert.deepEqual(parseEventSubject(eventSubject(batchId, event)), { batchId, event });
      }),
    );
  });

  it('parses nothing else, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `sms.${text}`),
        ),
        (subject) => {
          const command = parseCommandSubject(subject);
          if (command) assert.ok(subject.endsWith(commandSubject(command.batchId, command.verb).slice(8)));
          const step = parseStepSubject(subject);
          if (step) assert.ok(isBatchId(step.batchId));
          parseEventSubject(subject);
        },
      ),
    );
    for (const subject of [
      '',
      'sms',
      'sms.cmd',
      'sms.cmd.a',
      'sms.cmd.1.2.3.4',
      'sms.evt.a.pause',
      'x.cmd.a.b',
    ]) {
      assert.equal(parseCommandSubject(subject), undefined, subject);
    }
    for (const subject of ['sms.step.t.b.1', 'sms.step.t.b.1-x', 'sms.step.t.b.-1-1', 'sms.step.t.b c.1-1']) {
      assert.equal(parseStepSubject(subject), undefined, subject);
    }
  });

  it('refuses as a batch ID whatever would change a subject’s meaning', () => {
    for (const id of hostile) assert.equal(isBatchId(id), false, JSON.stringify(id));
    fc.assert(
      fc.property(fc.string(), (id) => {
        if (isBatchId(id)) assert.deepEqual(parseCommandSubject(commandSubject(id, 'start'))?.batchId, id);
      }),
    );
  });

  it('keeps every dead letter on a subject that NATS takes, below its stream', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (tail) => {
        const subject = deadSubject(STREAMS.commands, `sms.cmd.${tail}`);
        assert.match(subject, /^sms\.dead\.SMS_COMMANDS\.cmd\.[A-Za-z0-9_.-]+$/);
      }),
    );
  });

  it('lies in one stream, and in no other', () => {
    const shapes = streamShapes();
    const homes = (subject: string) =>
      shapes.filter(({ subjects }) => subjects.some((each) => fits(each, subject))).map(({ name }) => name);
    assert.deepEqual(homes(commandSubject('b', 'pause')), [STREAMS.commands]);
    assert.deepEqual(homes(stepSubject('delivery', 'b', 0, 1)), [STREAMS.steps]);
    assert.deepEqual(homes(eventSubject('b', 'ended')), [STREAMS.events]);
    assert.deepEqual(homes(deadSubject(STREAMS.commands, 'sms.cmd.b.x')), [STREAMS.dead]);
    assert.deepEqual(homes(apiSubject('batch', 'get')), [], 'requests are stored nowhere');
  });

  it('spreads commands by their batch ID, over as many partitions as there are consumers', () => {
    assert.match(COMMAND_TRANSFORM.dest, new RegExp(`partition\\(${PARTITIONS},1\\)`));
    assert.match(COMMAND_TRANSFORM.dest, /\{\{wildcard\(1\)\}\}\.\{\{wildcard\(2\)\}\}$/);
  });
});

describe('ids', () => {
  it('gives back what a chunk’s id was made of, whatever the batch is called', () => {
    fc.assert(
      fc.property(ids, fc.nat(), fc.nat(), (batchId, createdAt, index) => {
        const incarnation = incarnationOf(createdAt);
        const id = chunkId(batchId, incarnation, index);
        assert.deepEqual(parseChunkId(id), { batchId, incarnation, index });
        assert.ok(id.startsWith(`${lifeId(batchId, incarnation)}.`));
      }),
    );
  });

  it('never meets between two batches, two lives of one, or two tasks', () => {
    const parts = fc.tuple(ids, fc.nat(), types, fc.nat());
    fc.assert(
      fc.property(parts, parts, (left, right) => {
        const idOf = ([batchId, createdAt, step, n]: typeof left) =>
          taskId(batchId, incarnationOf(createdAt), step, n);
        assert.equal(
          idOf(left) === idOf(right),
          left.every((each, i) => each === right[i]),
        );
      }),
    );
  });
});
