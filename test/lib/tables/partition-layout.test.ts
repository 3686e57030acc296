import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  bucketOfChunk,
  bucketsOfTask,
  chunkRangeOfTask,
  chunksOfBucket,
  sourceChunkAt,
  taskOfChunk,
} from '../../../lib/tables/partition-layout.ts';
import { taskStartsOf } from '../../../lib/tables/task-starts.ts';

const layouts = fc.integer({ min: 0, max: 6 }).chain((bucketBits) => {
  const buckets = 2 ** bucketBits;
  const counts = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: buckets, maxLength: buckets });
  const rows = fc.array(fc.integer({ min: 0, max: 9_000 }), { minLength: buckets, maxLength: buckets });
  return fc
    .record({ imports: fc.array(counts, { minLength: 1, maxLength: 4 }), rows })
    .map(({ imports, rows }) => ({
      table: 't',
      generation: 7,
      bucketBits,
      imports: imports.map((chunksByBucket, n) => ({ id: `i${n}`, chunksByBucket })),
      taskStarts: taskStartsOf(rows),
    }));
});

/** The order as the document's comment says it, written out. */
const listed = (layout: { bucketBits: number; imports: { id: string; chunksByBucket: number[] }[] }) => {
  const all: { id: string; bucket: number }[] = [];
  for (let bucket = 0; bucket < 2 ** layout.bucketBits; bucket++) {
    for (const { id, chunksByBucket } of layout.imports) {
      for (let i = 0; i < chunksByBucket[bucket]!; i++) all.push({ id: `t.7.${id}.${bucket}.${i}`, bucket });
    }
  }
  return all;
};

describe('partition layout', () => {
  it('gives every chunk its source, its bucket and its task', () => {
    fc.assert(
      fc.property(layouts, (layout) => {
        const expected = listed(layout);
        expected.forEach(({ id, bucket }, index) => {
          assert.equal(sourceChunkAt(layout, index).id, id);
          assert.equal(bucketOfChunk(layout, index), bucket);
          const { from, to } = chunksOfBucket(layout, bucket);
          assert.ok(from <= index && index < to);
          const task = taskOfChunk(layout, index);
          const range = chunkRangeOfTask(layout, task);
          assert.ok(range.from <= index && index < range.to);
          const buckets = bucketsOfTask(layout, task);
          assert.ok(buckets.from <= bucket && bucket < buckets.to);
        });
        assert.throws(() => sourceChunkAt(layout, expected.length), RangeError);
        assert.throws(() => sourceChunkAt(layout, -1), RangeError);
      }),
    );
  });

  it('tasks cover all chunks, in order and without overlap', () => {
    fc.assert(
      fc.property(layouts, (layout) => {
        let next = 0;
        layout.taskStarts.forEach((_, n) => {
          const { from, to } = chunkRangeOfTask(layout, n);
          assert.equal(from, next);
          next = to;
        });
        assert.equal(next, listed(layout).length);
      }),
    );
  });
});

describe('taskStartsOf', () => {
  const sizes = (rows: number[]) => {
    const starts = taskStartsOf(rows);
    return starts.map((start, n) => rows.slice(start, starts[n + 1]).reduce((sum, each) => sum + each, 0));
  };

  it('makes tasks of 12,000 to 16,000 rows of buckets of the usual size', () => {
    for (const bucket of [3_900, 5_000, 2_600]) {
      for (const rows of sizes(new Array(256).fill(bucket)).slice(0, -1)) {
        assert.ok(rows >= 12_000 && rows <= 16_000, `${rows} of buckets of ${bucket}`);
      }
    }
  });

  it('makes eight tasks where each has 2,000 rows, and one of a small table', () => {
    assert.equal(sizes(new Array(8).fill(2_500)).length, 8);
    assert.equal(sizes(new Array(8).fill(12_000)).length, 8);
    assert.deepEqual(taskStartsOf([10]), [0]);
    assert.deepEqual(taskStartsOf([0]), [0]);
    assert.deepEqual(taskStartsOf([300, 0, 200, 0]), [0]);
  });

  it('makes no task without rows, and never cuts a bucket', () => {
    const rows = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 60_000 })), {
      minLength: 1,
      maxLength: 256,
    });
    fc.assert(
      fc.property(rows, (rowsByBucket) => {
        const total = rowsByBucket.reduce((sum, each) => sum + each, 0);
        const tasks = sizes(rowsByBucket);
        assert.equal(
          tasks.reduce((sum, each) => sum + each, 0),
          total,
        );
        if (total > 0) assert.ok(tasks.every((each) => each > 0));
        const largest = Math.max(...rowsByBucket);
        assert.ok(tasks.every((each) => each <= Math.max(28_000, largest)));
      }),
    );
  });
});
