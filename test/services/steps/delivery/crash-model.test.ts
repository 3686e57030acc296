import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noOutcomes, OUTCOMES, totalOf } from '../../../../contracts/outcomes.ts';
import { splitColumn } from '../../../../lib/store/columns.ts';
import { countStatuses } from '../../../../lib/store/outcome-columns.ts';
import { type Script, World, type WorldOptions } from './fixtures/simulated-world.ts';

const WINDOW = 5;
const CHUNK = 7;
const LONG = 'x'.repeat(400);

/** Every kind of answer, by the last digit of the number. */
const mixed: Script = (phone, n) => {
  switch (phone.at(-1)) {
    case '1':
      return n === 1 ? 'throttled' : 'ok';
    case '2':
      return n <= 2 ? 'transient' : 'ok';
    case '3':
      return 'recipient';
    default:
      return 'ok';
  }
};

const options: WorldOptions = {
  chunks: 4,
  chunkSize: CHUNK,
  window: WINDOW,
  script: mixed,
  text: (position) => (position === 5 || position === 1 ? LONG : 'Hello'),
};

/** What must hold at the end, whoever died on the way. */
function checkWorld(world: World, unknownAtMost: number): void {
  let unknown = 0;
  for (const document of world.outcomes.values()) {
    assert.equal(totalOf(document.counts), CHUNK);
    assert.deepEqual(countStatuses(document.statuses), document.counts);
    const phones = splitColumn(world.messages.get(document._id)!.phones, CHUNK);
    phones.forEach((phone, position) => {
      const parts = world.options.text!(position) === LONG ? 3 : 1;
      const received = Array.from({ length: parts }, (_, i) => world.carrier.get(`${phone}/${i + 1}`) ?? 0);
      for (const times of received) assert.ok(times <= 1, `${phone} got it ${times} times`);
      const status = document.statuses[position];
      if (status === 'a')
        assert.ok(
          received.every((times) => times === 1),
          `${phone} is accepted, and never got it`,
        );
      if (status === 'r')
        assert.ok(
          received.every((times) => times === 0),
          `${phone} is rejected, and got it`,
        );
      assert.ok(status === 'a' || status === 'r' || status === 'u', `${phone} is ${status}`);
      if (status === 'u') unknown += 1;
    });
  }
  assert.ok(unknown <= unknownAtMost, `${unknown} unknown, at most ${unknownAtMost}`);
}

test('without a crash everything is settled, nothing is in doubt', async () => {
  const world = new World(options);
  const { end } = await world.hold();
  assert.equal(end?.kind, 'done');
  checkWorld(world, 0);
  assert.deepEqual(world.task.facts, []);
  assert.deepEqual(world.task.again, []);
  assert.deepEqual(
    OUTCOMES.map((outcome) => end.counts[outcome]),
    OUTCOMES.map((outcome) =>
      [...world.outcomes.values()].reduce((sum, each) => sum + each.counts[outcome], 0),
    ),
  );
});

test('a crash at every operation, before or after its effect: never twice, nobody forgotten', async () => {
  const { operations } = await new World(options).hold();
  assert.ok(operations > 15);
  for (const effect of ['before', 'after'] as const) {
    for (let crashAt = 1; crashAt <= operations; crashAt++) {
      const world = new World(options);
      const first = await world.hold({ crashAt, effect });
      if (first.end) continue;
      const { end } = await world.hold();
      assert.equal(end?.kind, 'done', `crash at ${crashAt}, ${effect}`);
      // The window of the line, and two of the journal.
      checkWorld(world, WINDOW + 2 * CHUNK);
    }
  }
});

test('two crashes, one behind the other', async () => {
  const { operations } = await new World(options).hold();
  for (let first = 2; first <= operations; first += 3) {
    const world = new World(options);
    await world.hold({ crashAt: first, effect: 'after' });
    if (world.task.done) continue;
    await world.hold({ crashAt: 3 + (first % 7), effect: first % 2 === 0 ? 'before' : 'after' });
    if (!world.task.done) assert.equal((await world.hold()).end?.kind, 'done');
    checkWorld(world, 2 * (WINDOW + 2 * CHUNK));
  }
});

test('a holder that was overtaken stops, and its answers are told to the receipts', async () => {
  const { operations } = await new World(options).hold();
  for (let at = 4; at <= operations; at += 2) {
    const world = new World({ ...options, script: () => 'ok' });
    let overtaken: Promise<unknown> | undefined;
    const slow = await world.hold({
      step(_, n) {
        if (n === at) overtaken = world.hold();
      },
    });
    await overtaken;
    if (overtaken) assert.equal(slow.end?.kind, 'lost', `overtaken at ${at}`);
    assert.ok(world.task.done);
    checkWorld(world, WINDOW + 2 * CHUNK);
  }
});

test('a carrier that says nothing leaves exactly those unknown', async () => {
  const world = new World({ ...options, script: (phone) => (phone.endsWith('4') ? 'silent' : 'ok') });
  const { end } = await world.hold();
  assert.equal(end?.kind, 'done');
  assert.equal(end.counts.unknown, 4);
  checkWorld(world, 4);
});

test('resend: what was not answered is sent again and counted, unless a receipt tells of it', async () => {
  const silentOnce: Script = (phone, n) => (phone.endsWith('4') && n === 1 ? 'silent' : 'ok');
  const world = new World({ ...options, onInDoubt: 'resend', script: silentOnce });
  // Of the first chunk's the receipt has come meanwhile.
  world.receipts.set('b.i.0', {
    _id: 'b.i.0',
    batchId: 'b',
    index: 0,
    size: CHUNK,
    version: 1,
    states: '....d..',
    errors: '',
    times: '',
    timesFromMs: 0,
    lateAnswers: [],
    counts: { delivered: 1, undelivered: 0, expiredAtCarrier: 0 },
  });
  const { end } = await world.hold();
  assert.ok(end?.kind === 'done');
  assert.deepEqual(end.counts, { ...noOutcomes(), accepted: world.total });
  assert.equal(end.resent, 3);
  const times = [...world.messages.values()].map(
    ({ phones }) => world.carrier.get(`${splitColumn(phones, CHUNK)[4]}/1`) ?? 0,
  );
  assert.deepEqual(times, [1, 2, 2, 2]);
});

test('resend: waits for receipts that may be its own, and not for ever', async () => {
  const world = new World({
    ...options,
    onInDoubt: 'resend',
    script: (phone, n) => (phone.endsWith('4') && n === 1 ? 'silent' : 'ok'),
  });
  const looks = new Map<string, number>();
  world.hurry = (msisdns) => {
    for (const each of msisdns) looks.set(each, (looks.get(each) ?? 0) + 1);
    return new Set(msisdns);
  };
  const { end } = await world.hold();
  assert.ok(end?.kind === 'done');
  assert.equal(end.counts.accepted, world.total);
  assert.equal(end.resent, 4);
  assert.deepEqual([...looks.values()], [3, 3, 3, 3]);
});

test('resend: never answered is unknown in the end', async () => {
  const world = new World({
    ...options,
    onInDoubt: 'resend',
    script: (phone) => (phone.endsWith('4') ? 'silent' : 'ok'),
  });
  const { end } = await world.hold();
  assert.ok(end?.kind === 'done');
  assert.equal(end.counts.unknown, 4);
  assert.equal(world.carrier.get(`${splitColumn(world.messages.get('b.i.0')!.phones, CHUNK)[4]}/1`), 4);
});
