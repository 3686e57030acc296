import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import calculator from 'sms-segments-calculator';
import {
  type MessagePlan,
  measure,
  type PlanOptions,
  planMessage,
  UNITS_PER_PART,
} from '../../../lib/sms/segments.ts';
import { anyText, gsmText, SHRINK_BRIEFLY, wideText } from './texts.ts';

const AUTO: PlanOptions = { encoding: 'auto', reference: 'udh8' };

function planned(text: string, options: PlanOptions = AUTO): MessagePlan {
  const plan = planMessage(text, options);
  assert.ok(plan.ok, JSON.stringify(plan));
  return plan;
}

test('encoding and parts as sms-segments-calculator counts them', () => {
  fc.assert(
    fc.property(fc.oneof(gsmText(), wideText()), (text) => {
      const oracle = new calculator.SegmentedMessage(text);
      const plan = planned(text);
      assert.equal(plan.encoding, oracle.encodingName === 'GSM-7' ? 'gsm7' : 'ucs2');
      assert.equal(plan.segments, oracle.segmentsCount);
    }),
    SHRINK_BRIEFLY,
  );
});

test('forced UCS-2 as the oracle counts it: an extension character is one unit there', () => {
  fc.assert(
    fc.property(gsmText(300), (text) => {
      const plan = planned(text, { encoding: 'ucs2', reference: 'udh8' });
      assert.equal(plan.dataCoding, 8);
      assert.equal(plan.segments, new calculator.SegmentedMessage(text, 'UCS-2').segmentsCount);
    }),
    SHRINK_BRIEFLY,
  );
});

test('parts join to the text, fit, are never empty and split no pair; measure agrees', () => {
  const texts = fc.oneof(anyText(), gsmText(), wideText());
  fc.assert(
    fc.property(texts, fc.constantFrom('udh8' as const, 'udh16' as const), (text, reference) => {
      const plan = planned(text, { encoding: 'auto', reference });
      const ends = [...plan.splitAt, text.length];
      const parts = ends.map((end, index) => text.slice(index === 0 ? 0 : plan.splitAt[index - 1]!, end));
      assert.equal(parts.join(''), text);
      assert.equal(parts.length, plan.segments);
      for (const part of parts) {
        const alone = planned(part, { encoding: plan.encoding, reference });
        const limits = UNITS_PER_PART[plan.encoding];
        assert.ok(alone.units <= (plan.segments === 1 ? limits.single : limits[reference]));
        assert.ok(text === '' || part.length > 0);
      }
      for (const at of plan.splitAt)
        assert.ok(!/^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(at - 1, at + 1)));
      const measured = measure(text, reference);
      assert.deepEqual({ ...measured }, { encoding: plan.encoding, segments: plan.segments });
    }),
    SHRINK_BRIEFLY,
  );
});

test('the limits: one unit more is one part more', () => {
  const rows: [string, 'udh8' | 'udh16', number][] = [
    ['a'.repeat(160), 'udh8', 1],
    ['a'.repeat(161), 'udh8', 2],
    ['a'.repeat(306), 'udh8', 2],
    ['a'.repeat(307), 'udh8', 3],
    // A 16-bit reference can cost a part.
    ['a'.repeat(304), 'udh16', 2],
    ['a'.repeat(306), 'udh16', 3],
    ['中'.repeat(70), 'udh8', 1],
    ['中'.repeat(71), 'udh8', 2],
    ['中'.repeat(134), 'udh8', 2],
    ['中'.repeat(135), 'udh8', 3],
    ['中'.repeat(132), 'udh16', 2],
    ['中'.repeat(134), 'udh16', 3],
    ['', 'udh8', 1],
    // An extension character takes two septets; an emoji two UTF-16 units.
    ['€'.repeat(80), 'udh8', 1],
    [`${'€'.repeat(80)}a`, 'udh8', 2],
    ['😀'.repeat(35), 'udh8', 1],
    ['😀'.repeat(36), 'udh8', 2],
    // 153 is odd: a part of escape pairs holds 76 of them, so 229 need four parts and not three.
    ['€'.repeat(228), 'udh8', 3],
    ['€'.repeat(229), 'udh8', 4],
    // 67 is odd: a part of emoji holds 33.
    ['😀'.repeat(99), 'udh8', 3],
    ['😀'.repeat(100), 'udh8', 4],
    // China: every character counts one, ASCII and signature too.
    [`【品牌】${'a'.repeat(66)}`, 'udh8', 1],
    [`【品牌】${'a'.repeat(67)}`, 'udh8', 2],
    // A carriage return counts.
    [`${'a'.repeat(158)}\r\n`, 'udh8', 1],
    [`${'a'.repeat(159)}\r\n`, 'udh8', 2],
  ];
  for (const [text, reference, segments] of rows) {
    const name = `${[...text].slice(0, 3).join('')}… ${text.length} ${reference}`;
    assert.equal(planned(text, { encoding: 'auto', reference }).segments, segments, name);
    assert.equal(measure(text, reference).segments, segments, name);
  }
});

test('a pair at the edge goes whole into the next part', () => {
  assert.deepEqual(planned(`${'a'.repeat(152)}€${'b'.repeat(10)}`).splitAt, [152]);
  assert.deepEqual(planned(`${'中'.repeat(66)}😀${'中'.repeat(10)}`).splitAt, [66]);
});

test('gsm7 forced on other characters: a finding that names each and its place', () => {
  const plan = planMessage('Ça va, garçon? 😀', { encoding: 'gsm7', reference: 'udh8' });
  assert.ok(!plan.ok);
  assert.equal(plan.finding.value, '"ç" (U+00E7) at 10, "😀" (U+1F600) at 15');
});

test('more parts than allowed are refused, not cut', () => {
  const long = 'a'.repeat(153 * 3 + 1);
  const refused = planMessage(long, { ...AUTO, maxParts: 3 });
  assert.ok(!refused.ok);
  assert.equal(refused.finding.expected, 'at most 3 parts');
  assert.equal(planned(long, { ...AUTO, maxParts: 4 }).segments, 4);
  assert.ok(!planMessage('a'.repeat(153 * 255 + 1), { ...AUTO, maxParts: 1000 }).ok);
  assert.equal(measure('a'.repeat(153 * 256)).segments, 256);
});
