import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { chunkId, taskId } from '../../../contracts/ids.ts';
import { noOutcomes, totalOf } from '../../../contracts/outcomes.ts';
import { planMessage } from '../../../lib/sms/segments.ts';
import { joinColumn, splitColumn } from '../../../lib/store/columns.ts';
import { countStatuses } from '../../../lib/store/outcome-columns.ts';
import { PLAIN_STEPS } from '../../../services/steps/built-in-steps.ts';
import { messageMaker } from '../../../services/steps/preparation/message-maker.ts';
import { prepareChunk } from '../../../services/steps/preparation/prepare-chunk.ts';
import { preparationStep } from '../../../services/steps/preparation/step.ts';
import { addChunk, noTotals } from '../../../services/steps/preparation/totals.ts';
import type { Step, StepContext } from '../../../services/steps/step.ts';
import { CROWD, crowdedBucket, lifeOf, mobile, people, type Rig, testRig } from './support.ts';

const place = { id: 'b.l.0', batchId: 'b', index: 0, task: 0 };

describe('a chunk', () => {
  const prepared = (
    definition: Parameters<typeof messageMaker>[0],
    rows: { phone: string; [variable: string]: string }[],
    seen = new Set<string>(),
  ) => {
    const names = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) => name !== 'phone');
    const source = {
      size: rows.length,
      phones: joinColumn(rows.map(({ phone }) => phone)),
      columns: Object.fromEntries(
        names.map((name) => [name, joinColumn(rows.map((row) => row[name] ?? ''))]),
      ),
    };
    return prepareChunk(source, place, messageMaker(definition), seen, 1);
  };

  it('has an outcome for every row, and a code for each that gets nothing', () => {
    const { outcome, message } = prepared({ content: 'Dear {{name}}', maxParts: 1, encoding: 'gsm7' }, [
      { phone: '441', name: 'Ann' },
      { phone: '442', name: '' },
      { phone: '441', name: 'Ann' },
      { phone: '!NOT_A_NUMBER oops', name: 'Bob' },
      { phone: '443', name: '品' },
      { phone: '444', name: 'x'.repeat(200) },
      { phone: '445', name: 'Zoé' },
    ]);
    assert.equal(outcome.statuses, 'pidiiip');
    assert.deepEqual(splitColumn(outcome.codes, 7), [
      '',
      'MISSING_VARIABLE name',
      '',
      'NOT_A_NUMBER',
      'NOT_GSM7',
      'EXCEEDS_MAX_PARTS',
      '',
    ]);
    assert.equal(message.encodings, 'g-----g');
    assert.equal(message.segments, '1000001');
    assert.deepEqual(splitColumn(message.texts, 7), ['Dear Ann', '', '', '', '', '', 'Dear Zoé']);
    assert.equal(message.sameText, false);
    assert.equal(outcome.ownerSeq, 0);
  });

  it('keeps one text where all get the same', () => {
    const { message } = prepared({ content: 'Hello\nworld', contentSignature: ' -B' }, [
      { phone: '1' },
      { phone: '2' },
    ]);
    assert.equal(message.sameText, true);
    assert.deepEqual(splitColumn(message.texts, 1), ['Hello\nworld -B']);
    assert.equal(message.encodings, 'gg');
  });

  it('composes accents, and counts the signature into the segments', () => {
    const { message } = prepared(
      { content: `${'e\u0301'.repeat(150)}{{x}}`, contentSignature: '1234567890A' },
      [
        { phone: '1', x: '' },
        { phone: '2', x: '!' },
      ],
    );
    assert.equal(message.encodings, '-g');
    assert.equal(message.segments, '02');
  });

  it('has nothing to send where nothing is left of the text', () => {
    const { outcome } = prepared({ content: '{{#x}}Hi{{/x}}' }, [{ phone: '1', x: '' }]);
    assert.equal(outcome.statuses, 'i');
    assert.equal(outcome.codes, 'EMPTY_TEXT');
  });

  it('whatever the rows: counts are those of the statuses and sum to its size; segments are those of the plan', () => {
    const phone = fc.oneof(
      fc.integer({ min: 1, max: 20 }).map((n) => `44${n}`),
      fc.constant('!TOO_SHORT 1'),
    );
    const text = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.string({ unit: 'grapheme', maxLength: 90 }),
      fc.constant(''),
    );
    const encoding = fc.constantFrom('auto' as const, 'gsm7' as const, 'ucs2' as const);
    fc.assert(
      fc.property(
        fc.array(fc.record({ phone, a: text }), { minLength: 1, maxLength: 30 }),
        encoding,
        (rows, asked) => {
          const { outcome, message } = prepared({ content: 'x{{a}}', encoding: asked, maxParts: 2 }, rows);
          assert.deepEqual(outcome.counts, countStatuses(outcome.statuses));
          assert.equal(totalOf(outcome.counts), rows.length);
          const texts = splitColumn(message.texts, rows.length);
          const sent = new Set<string>();
          const totals = noTotals();
          addChunk(totals, {
            counts: outcome.counts,
            encodings: message.encodings,
            segments: message.segments,
          });
          let segments = 0;
          for (let i = 0; i < rows.length; i++) {
            const pending = outcome.statuses[i] === 'p';
            assert.equal(pending, message.encodings[i] !== '-');
            assert.equal(pending, message.segments[i] !== '0');
            if (!pending) continue;
            assert.ok(!sent.has(rows[i]!.phone));
            sent.add(rows[i]!.phone);
            const plan = planMessage(texts[i]!, { encoding: asked, reference: 'udh8', maxParts: 2 });
            assert.ok(plan.ok);
            assert.equal(plan.segments.toString(36), message.segments[i]);
            assert.equal(plan.encoding[0], message.encodings[i]);
            segments += plan.segments;
          }
          assert.equal(totals.segments, segments);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('preparation', () => {
  let rig: Rig;
  before(async () => {
    rig = await testRig();
    // Whatever a test makes of `preparation`, the other steps are served.
    await rig.serve(PLAIN_STEPS.filter(({ type }) => type !== 'preparation'));
    await crowdedBucket(rig, 'one');
    await rig.table(
      'two',
      people(12_000, (n) => ({ name: `N ${n}` })),
    );
  });
  after(() => rig[Symbol.asyncDispose]());

  /** Preparation that calls `at` after each guard: the place where others interfere. */
  const interrupted = (at: (context: StepContext, guards: number) => Promise<void>): Step => ({
    ...preparationStep,
    async run(context) {
      let guards = 0;
      const guard: StepContext['guard'] = async (changes) => {
        const found = await context.guard(changes);
        await at(context, ++guards);
        return found;
      };
      return preparationStep.run({ ...context, guard });
    },
  });

  it('held in the middle of a bucket goes on there in the next epoch, and finds the same duplicates', async () => {
    const batch = await rig.batch('held', { tableStorageName: 'one', content: 'Dear {{name}}' });
    const step = interrupted(async ({ message }, guards) => {
      if (guards === 1 && message.epoch === 1) await rig.hold(batch, 'preparation', 0, 1);
    });
    await using _serving = await rig.serve([step]);
    const size = (await rig.run(batch, 'partition')).body.result;
    assert.equal(size.tasks, 1);
    const first = await rig.run(batch, 'preparation');
    assert.equal(first.verb, 'step-yielded');
    const sofar = first.body.result.counts;
    assert.ok(totalOf(sofar) > 0 && totalOf(sofar) < 5 * CROWD, JSON.stringify(sofar));
    const second = await rig.run(batch, 'preparation', 0, { epoch: 2 });
    assert.equal(second.verb, 'step-done');
    assert.deepEqual(second.body.result.counts, { ...noOutcomes(), pending: CROWD, duplicate: 4 * CROWD });
    assert.deepEqual(second.body.result.segmentHistogram, { 1: CROWD });
    assert.deepEqual(second.body.result.encodings, { gsm7: CROWD });
    const counted = await rig.run(batch, 'statistics');
    assert.deepEqual(counted.body.result.counts, second.body.result.counts);
  });

  it('taken away by another holder says nothing; the other one’s account is whole', async () => {
    const batch = await rig.batch('taken', { tableStorageName: 'one', content: 'Dear {{name}}' });
    const id = taskId('taken', 'l1', 'preparation', 0);
    let thief: Promise<unknown> | undefined;
    const step = interrupted(async (context, guards) => {
      if (guards > 1 || context.task.ownerSeq > 1) return;
      // As the next holder's take would: the fence is raised under the first one's feet.
      const task = (await rig.store.tasks.findOneAndUpdate(
        { _id: id },
        { $inc: { ownerSeq: 1 } },
        { returnDocument: 'after' },
      ))!;
      const guard: StepContext['guard'] = async () => 'go';
      thief = preparationStep.run({ ...context, task, guard });
    });
    await using _serving = await rig.serve([step]);
    await rig.run(batch, 'partition');
    await rig.issue(batch, 'preparation');
    const stolen = (await until(() => thief)) as { kind: string; result: { counts: unknown } };
    assert.equal(stolen.kind, 'done');
    assert.deepEqual(stolen.result.counts, { ...noOutcomes(), pending: CROWD, duplicate: 4 * CROWD });
    // The first one's message comes back after its ack_wait, and is taken for the third time.
    const answer = await rig.answered('taken', 'preparation', 0, 1);
    assert.deepEqual(answer.body.result.counts, { ...noOutcomes(), pending: CROWD, duplicate: 4 * CROWD });
    assert.equal(
      rig.answers.filter(({ body }) => body.batchId === 'taken' && body.step === 'preparation').length,
      1,
    );
  });

  it('counts what is stored, not what it would have stored', async () => {
    const batch = await rig.batch('stored', { tableStorageName: 'one', content: 'Dear {{name}}' });
    await using _serving = await rig.serve([preparationStep]);
    await rig.run(batch, 'partition');
    // An older release had refused one of them.
    const source = (await rig.store.sourceChunks.findOne({ table: 'one', _id: /\.0\.0$/ }))!;
    const { outcome, message } = prepareChunk(
      source,
      { id: chunkId('stored', 'l1', 0), batchId: 'stored', index: 0, task: 0 },
      messageMaker(batch.definition),
      new Set(),
      1,
    );
    await rig.store.outcomes.insertOne({
      ...outcome,
      statuses: `i${outcome.statuses.slice(1)}`,
      counts: { ...outcome.counts, pending: outcome.counts.pending - 1, invalid: 1 },
    });
    await rig.store.messageChunks.insertOne({
      ...message,
      encodings: `-${message.encodings.slice(1)}`,
      segments: `0${message.segments.slice(1)}`,
    });
    const { body } = await rig.run(batch, 'preparation');
    assert.deepEqual(body.result.counts, {
      ...noOutcomes(),
      pending: CROWD - 1,
      invalid: 1,
      duplicate: 4 * CROWD,
    });
    assert.equal(body.result.segments, CROWD - 1);
    assert.deepEqual((await rig.run(batch, 'statistics')).body.result.counts, body.result.counts);
  });

  it('by two services at once prepares every task once', async () => {
    // Nobody goes on before both have one.
    const holding = new Set<string>();
    let both = () => {};
    const bothHold = new Promise<void>((resolve) => {
      both = resolve;
    });
    const waiting: Step = {
      ...preparationStep,
      concurrency: 1,
      async run(context) {
        if (holding.add(context.task.holder!).size === 2) both();
        await bothHold;
        return preparationStep.run(context);
      },
    };
    await using _first = await rig.serve([waiting], { holder: 'one' });
    await using _second = await rig.serve([waiting], { holder: 'two' });
    const batch = await rig.batch('shared', { tableStorageName: 'two', content: 'Dear {{name}}' });
    const { size, prepared } = await rig.prepare(batch);
    assert.equal(
      prepared.reduce((sum, each) => sum + each.counts.pending, 0),
      12_000,
    );
    assert.equal(await rig.store.outcomes.countDocuments({ batchId: 'shared' }), size.chunks);
    const holders = await rig.store.tasks.distinct('holder', { batchId: 'shared', step: 'preparation' });
    assert.deepEqual(holders.sort(), ['one', 'two']);
  });

  it('fails with a reason when the rows are gone', async () => {
    await using _serving = await rig.serve([preparationStep]);
    await rig.table('gone', people(10));
    const batch = await rig.batch('robbed', { tableStorageName: 'gone' });
    await rig.run(batch, 'partition');
    await rig.store.sourceChunks.deleteMany({ table: 'gone' });
    const { verb, body } = await rig.run(batch, 'preparation');
    assert.equal(verb, 'step-failed');
    assert.equal(body.code, 'source-gone');
  });

  it('of a dry run leaves a report: histogram, encodings, samples, every bad row', async () => {
    await using _serving = await rig.serve([preparationStep]);
    await rig.table('dry', [
      ...people(3_000, (n) => ({ name: n % 10 === 0 ? '' : n % 2 === 0 ? `品 ${n}` : `N ${n}` })),
      ...people(40, () => ({ name: 'Twin' })),
      { phone: 'oops', variables: { name: 'X' } },
    ]);
    const batch = await rig.batch(
      'dry',
      { tableStorageName: 'dry', content: 'Dear {{name}}' },
      { dryRun: true },
    );
    const { size } = await rig.prepare(batch);
    const report = (await rig.store.reports.findOne({ _id: lifeOf(batch) }))!;
    assert.deepEqual(
      report.tasks,
      Array.from({ length: size.tasks }, (_, n) => n),
    );
    assert.equal(report.total, 3_041);
    assert.equal(report.badRowsTotal, 341);
    assert.equal(report.badRows.length, 341);
    assert.deepEqual(report.encodings, { gsm7: 1_500, ucs2: 1_200 });
    assert.deepEqual(report.segmentHistogram, { 1: 2_700 });
    assert.equal(report.samples.length, 25);
    assert.ok(report.badRows.some(({ phone, outcome }) => phone === 'oops' && outcome === 'invalid'));
    assert.ok(report.badRows.some(({ phone, outcome }) => phone === mobile(5) && outcome === 'duplicate'));
    assert.ok(
      report.badRows.some(({ phone, code }) => phone === mobile(10) && code === 'MISSING_VARIABLE name'),
    );
    for (const { text } of report.samples) assert.match(text, /^Dear (N|品) \d+$/);
  });
});

/** Waits until it is there: it is made by a step in another turn of the loop. */
async function until<T>(get: () => Promise<T> | undefined): Promise<T> {
  for (;;) {
    const found = get();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
