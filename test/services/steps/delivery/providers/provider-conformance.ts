import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  Line,
  LineUser,
  OutboundPart,
  Provider,
  Refusal,
  Tag,
} from '../../../../../services/steps/delivery/providers/provider.ts';

/** What a carrier's test double must be able to do, so that a provider can be held to the seam's contract. */
export interface Carrier {
  /** Numbers that end in these digits are refused so; others are accepted. */
  refuse(rules: { suffix: string; as: 'recipient' | 'throttled' | 'batch'; times?: number }[]): void;
  /** Swallows everything without an answer, and cuts all connections. */
  vanish(): Promise<void>;
  received(): { destination: string; text: string }[];
}

export interface Subject {
  provider: Provider;
  carrier: Carrier;
  stop(): Promise<void>;
}

type Report =
  | { kind: 'accepted'; messageId: string }
  | { kind: 'refused'; refusal: Refusal }
  | { kind: 'unanswered' | 'notSent' };

/** A task in small: sends what it has, and remembers how each was reported. */
class Collector implements LineUser {
  readonly reports = new Map<Tag, Report[]>();
  readonly turns: number[] = [];
  readonly #queue: { part: OutboundPart; tag: Tag; notAfterMs: number }[] = [];

  add(part: OutboundPart, notAfterMs = Number.POSITIVE_INFINITY): Tag {
    const tag = { user: this };
    this.#queue.push({ part, tag, notAfterMs });
    this.reports.set(tag, []);
    return tag;
  }

  send(line: Line, atMost: number): number {
    let sent = 0;
    for (; sent < atMost && line.room > 0; sent++) {
      const next = this.#queue.shift();
      if (!next) break;
      line.submit(next.part, next.tag, next.notAfterMs);
    }
    assert.ok(sent <= atMost);
    if (sent > 0) this.turns.push(sent);
    return sent;
  }

  #report(tag: Tag, report: Report): void {
    this.reports.get(tag)!.push(report);
  }
  onAccepted(tag: Tag, messageId: string): void {
    this.#report(tag, { kind: 'accepted', messageId });
  }
  onRefused(tag: Tag, refusal: Refusal): void {
    this.#report(tag, { kind: 'refused', refusal });
  }
  onUnanswered(tag: Tag): void {
    this.#report(tag, { kind: 'unanswered' });
  }
  onNotSent(tag: Tag): void {
    this.#report(tag, { kind: 'notSent' });
  }
  onLateAnswer(): void {}

  async all(): Promise<Report[]> {
    const until = performance.now() + 20_000;
    while ([...this.reports.values()].some((each) => each.length === 0)) {
      assert.ok(performance.now() < until, 'not every part was reported');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return [...this.reports.values()].map((each) => {
      assert.equal(each.length, 1, 'a part is reported once');
      return each[0]!;
    });
  }
}

const partTo = (provider: Provider, destination: string, text = 'Hello'): OutboundPart => ({
  sender: provider.senderOf('smsbatch', undefined),
  destination,
  bytes: Buffer.from(text, 'latin1'),
  start: 0,
  end: text.length,
  hasUserDataHeader: false,
  dataCoding: 0,
  validitySeconds: 0,
});

const numbers = (count: number, from = 447_700_900_000) =>
  Array.from({ length: count }, (_, i) => String(from + i));

async function ready(provider: Provider): Promise<void> {
  const until = performance.now() + 10_000;
  while (provider.readyInMs() > 0) {
    assert.ok(performance.now() < until, provider.trouble());
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The contract of the seam: every kind of provider passes this. */
export function providerConformance(kind: string, start: () => Promise<Subject>): void {
  async function withSubject(work: (subject: Subject, user: Collector) => Promise<void>): Promise<void> {
    const subject = await start();
    const user = new Collector();
    try {
      await ready(subject.provider);
      assert.equal(subject.provider.trouble(), undefined);
      subject.provider.join(user);
      await work(subject, user);
    } finally {
      subject.provider.leave(user);
      await subject.stop();
    }
  }

  test(`${kind}: every part is reported once, accepted ones with their id`, () =>
    withSubject(async ({ provider, carrier }, user) => {
      const wanted = numbers(1_000);
      for (const number of wanted) user.add(partTo(provider, number, `to ${number}`));
      provider.wake();
      const reports = await user.all();
      assert.ok(reports.every((each) => each.kind === 'accepted' && each.messageId !== ''));
      assert.deepEqual(
        carrier.received().map(({ destination, text }) => `${destination} ${text}`),
        wanted.map((number) => `${number} to ${number}`),
      );
    }));

  test(`${kind}: refusals have their class, a code and words`, () =>
    withSubject(async ({ provider, carrier }, user) => {
      carrier.refuse([
        { suffix: '1', as: 'recipient' },
        { suffix: '2', as: 'batch' },
      ]);
      for (const number of numbers(3)) user.add(partTo(provider, number));
      provider.wake();
      const [accepted, recipient, batch] = await user.all();
      assert.equal(accepted?.kind, 'accepted');
      assert.ok(recipient?.kind === 'refused' && batch?.kind === 'refused');
      assert.equal(recipient.refusal.class, 'recipient');
      assert.equal(batch.refusal.class, 'batch');
      for (const { refusal } of [recipient, batch]) {
        assert.match(refusal.code, /^\S{1,64}$/);
        assert.notEqual(refusal.text, '');
      }
    }));

  test(`${kind}: a throttled answer holds everything back for a while`, () =>
    withSubject(async ({ provider, carrier }, user) => {
      carrier.refuse([{ suffix: '0', as: 'throttled', times: 1 }]);
      user.add(partTo(provider, numbers(1)[0]!));
      provider.wake();
      const [refused] = await user.all();
      assert.ok(refused?.kind === 'refused' && refused.refusal.class === 'throttled');
      assert.ok(provider.readyInMs() > 0);
      assert.equal(provider.throttled(), true);
      const begun = performance.now();
      user.add(partTo(provider, numbers(2)[1]!));
      provider.wake();
      await user.all();
      assert.ok(performance.now() - begun >= 50, 'the next one waited');
    }));

  test(`${kind}: what is too old never leaves`, () =>
    withSubject(async ({ provider, carrier }, user) => {
      user.add(partTo(provider, '447700900001'), performance.now() - 1);
      user.add(partTo(provider, '447700900002'));
      provider.wake();
      assert.deepEqual(
        (await user.all()).map(({ kind: reported }) => reported),
        ['notSent', 'accepted'],
      );
      assert.deepEqual(
        carrier.received().map(({ destination }) => destination),
        ['447700900002'],
      );
    }));

  test(`${kind}: what was out when the connection went is in doubt, and it comes back`, () =>
    withSubject(async ({ provider, carrier }, user) => {
      for (const number of numbers(5)) user.add(partTo(provider, number));
      await carrier.vanish();
      provider.wake();
      for (const { kind: reported } of await user.all()) {
        assert.ok(reported === 'unanswered' || reported === 'notSent', reported);
      }
      carrier.refuse([]);
      await ready(provider);
      const tag = user.add(partTo(provider, '447700900099'));
      provider.wake();
      await user.all();
      assert.equal(user.reports.get(tag)![0]!.kind, 'accepted');
    }));

  test(`${kind}: users send in turns`, () =>
    withSubject(async ({ provider, carrier }, user) => {
      const other = new Collector();
      provider.join(other);
      for (const number of numbers(500)) user.add(partTo(provider, number));
      for (const number of numbers(20, 447_800_000_000)) other.add(partTo(provider, number));
      provider.wake();
      await Promise.all([user.all(), other.all()]);
      const last = carrier.received().findLastIndex(({ destination }) => destination.startsWith('4478'));
      assert.ok(last < 200, `the last of the small one came as number ${last} of 520`);
      provider.leave(other);
    }));

  test(`${kind}: a sender that no carrier takes is refused in words`, () =>
    withSubject(async ({ provider }) => {
      assert.throws(() => provider.senderOf('a name that is too long', undefined), /at most 11/);
      assert.throws(() => provider.senderOf('me@home', undefined), /characters/);
      assert.deepEqual(provider.senderOf('+4479', '12'), { ton: 1, npi: 1, addr: '447912' });
      assert.equal(provider.senderOf('smsbatch', undefined).ton, 5);
    }));
}
