/**
 * Loaded into a process of the product before its own code (NODE_OPTIONS=--import): kills or stops that process when it passes
 * a named point of its work, seen at the boundary of the drivers. The product knows nothing of it.
 *
 * CRASH_POINT  strikes in order, each waits for the one before: `point:kill|freeze:nth[:batchId]`, joined by commas
 * CRASH_LOG    file that gets a JSON line for each strike, and after a freeze one for the next guarded write
 */
import { appendFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const { Collection } = require('mongodb');
const { JetStreamClientImpl } = require('@nats-io/jetstream/internal');
// Exported by no name; the file is the only way to the class whose instances acknowledge.
const { JsMsgImpl } = require(join(dirname(require.resolve('@nats-io/jetstream')), 'jsmsg.js'));

const SIGNALS = { kill: 'SIGKILL', freeze: 'SIGSTOP' };
const SUBMIT_SM = 0x00000004;
const PDU_HEADER_BYTES = 16;

const batchOfId = (id) => String(id).split('.')[0];
const matched = ({ matchedCount }) => matchedCount > 0;
/** `sms.cmd.<partition>.<batchId>.<verb>`, as a consumer sees it. */
const isCommand = (subject) => subject.startsWith('sms.cmd.');

const isIntent = ([filter, update]) => filter.run === 'go' && update.$set?.authorisedTo !== undefined;

/** Of each task: as whose owner this process has sent, and up to where. */
const sent = new Map();
/** Keeps an intent in mind. @returns whether it authorises messages: others only look at the journal */
function authorisesMore([{ _id, ownerSeq }, { $set }]) {
  const before = sent.get(_id);
  sent.set(_id, { ownerSeq, authorisedTo: $set.authorisedTo });
  return before?.ownerSeq === ownerSeq && $set.authorisedTo > before.authorisedTo;
}
const ownerSeqIn = (batchId) =>
  [...sent].findLast(([task]) => batchId === undefined || batchOfId(task) === batchId)?.[1].ownerSeq;

/** What a point is in the drivers' terms. `late`: the first write of a thawed process that somebody else has overtaken. */
const POINTS = {
  'before-write': {
    call: 'batches.replaceOne',
    when: 'before',
    batchOf: ([{ _id }]) => _id,
    seen: ([{ version }]) => ({ version }),
    late: 'batches.replaceOne',
  },
  written: {
    call: 'batches.replaceOne',
    when: 'after',
    fits: (_, result) => matched(result),
    batchOf: ([{ _id }]) => _id,
    seen: ([, { version }]) => ({ version }),
    late: 'publish',
  },
  published: {
    call: 'ack',
    when: 'before',
    batchOf: ([subject]) => subject.split('.')[3],
    fits: ([subject]) => isCommand(subject),
  },
  held: {
    call: 'tasks.updateMany',
    when: 'after',
    fits: ([, update]) => update.$set?.run === 'hold',
    batchOf: ([{ _id }]) => batchOfId(_id.$in[0]),
    late: 'batches.replaceOne',
  },
  intent: {
    call: 'intent',
    when: 'after',
    batchOf: ([{ _id }]) => batchOfId(_id),
    seen: ([{ _id, ownerSeq }, { $set }]) => ({ task: _id, ownerSeq, authorisedTo: $set.authorisedTo }),
    late: 'tasks.updateOne',
  },
  submitted: {
    call: 'submit_sm',
    when: 'after',
    seen: (_, batchId) => ({ ownerSeq: ownerSeqIn(batchId) }),
    late: 'tasks.updateOne',
  },
  'outcome-written': {
    call: 'outcomes.bulkWrite',
    when: 'after',
    fits: ([[first]], result) => first?.replaceOne?.filter.ownerSeq !== undefined && matched(result),
    batchOf: ([[first]]) => batchOfId(first.replaceOne.filter._id),
    seen: ([[first]]) => ({ ownerSeq: first.replaceOne.replacement.ownerSeq }),
    late: 'tasks.updateOne',
  },
};

const strikes = (process.env.CRASH_POINT ?? '').split(',').map((text) => {
  const [name, action, nth, batchId] = text.split(':');
  const point = POINTS[name];
  const signal = SIGNALS[action];
  if (!point || !signal || !(Number(nth) >= 1)) throw new Error(`CRASH_POINT: ${text}`);
  return { name, point, action, signal, left: Number(nth), batchId };
});
/** What the process does first that the world outside may refuse, after it was frozen. */
let watched;

const log = (line) => {
  appendFileSync(
    process.env.CRASH_LOG,
    `${JSON.stringify({ pid: process.pid, atMs: Date.now(), ...line })}\n`,
  );
};

function passed(call, when, args, result) {
  const next = strikes[0];
  if (next?.point.call !== call || next.point.when !== when) return;
  const { name, point, action, signal } = next;
  if (point.fits && !point.fits(args, result)) return;
  const batchId = point.batchOf?.(args) ?? next.batchId;
  if (next.batchId !== undefined && batchId !== next.batchId) return;
  next.left -= 1;
  if (next.left > 0) return;
  strikes.shift();
  const seen = point.seen?.(args, batchId);
  log({ point: name, action, batchId, ...seen });
  process.kill(process.pid, signal);
  // From here on only after SIGCONT.
  log({ point: name, action: 'thawed', batchId });
  watched = { name, batchId, call: point.late, ownerSeq: seen?.ownerSeq };
}

function wasLate(call, batchId, answer) {
  if (watched?.call !== call || watched.batchId !== batchId) return;
  log({ point: watched.name, action: 'late', batchId, ...answer });
  watched = undefined;
}

for (const method of ['replaceOne', 'updateOne', 'updateMany', 'bulkWrite']) {
  const original = Collection.prototype[method];
  Collection.prototype[method] = async function (...args) {
    const call = `${this.collectionName}.${method}`;
    passed(call, 'before', args);
    const result = await original.apply(this, args);
    // Of a task it may be the owner again since: only what it does as the one that it was is late.
    if (method !== 'bulkWrite' && args[0].ownerSeq === watched?.ownerSeq) {
      wasLate(call, batchOfId(args[0]._id), { refused: !matched(result) });
    }
    passed(call, 'after', args, result);
    if (call === 'tasks.updateOne' && isIntent(args) && matched(result) && authorisesMore(args)) {
      passed('intent', 'after', args);
    }
    return result;
  };
}

const publish = JetStreamClientImpl.prototype.publish;
JetStreamClientImpl.prototype.publish = async function (subject, ...rest) {
  const told = (refused) => wasLate('publish', watched?.batchId, { subject, refused });
  const isOfThawed = watched?.call === 'publish' && subject.split('.').includes(watched.batchId);
  try {
    const ack = await publish.call(this, subject, ...rest);
    if (isOfThawed) told(ack.duplicate);
    return ack;
  } catch (error) {
    if (isOfThawed && error.name === 'JetStreamApiError') told(true);
    throw error;
  }
};

const ack = JsMsgImpl.prototype.ack;
JsMsgImpl.prototype.ack = function () {
  passed('ack', 'before', [this.subject]);
  return ack.call(this);
};

/** Whether a write to a socket begins with a message to the carrier, and of the batch that is waited for: its text names it. */
function isSubmit(bytes) {
  if (!Buffer.isBuffer(bytes) || bytes.length < PDU_HEADER_BYTES || bytes.readUInt32BE(4) !== SUBMIT_SM)
    return false;
  const batchId = strikes[0]?.point.call === 'submit_sm' ? strikes[0].batchId : watched?.batchId;
  return batchId === undefined || bytes.includes(batchId, 0, 'latin1');
}
const write = Socket.prototype.write;
Socket.prototype.write = function (bytes, ...rest) {
  const ofInterest = strikes[0]?.point.call === 'submit_sm' || watched !== undefined;
  const submit = ofInterest && isSubmit(bytes);
  if (submit && watched) log({ point: watched.name, action: 'submitted', batchId: watched.batchId });
  const more = write.call(this, bytes, ...rest);
  if (submit) passed('submit_sm', 'after');
  return more;
};
