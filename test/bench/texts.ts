import mustache from 'mustache';
import { writePart } from '../../lib/sms/message-parts.ts';
import { normaliseText } from '../../lib/sms/normalise-text.ts';
import { measure, planMessage } from '../../lib/sms/segments.ts';
import { appendSignature } from '../../lib/sms/signature.ts';
import { compileTemplate } from '../../lib/sms/template.ts';
import { bestRate } from './best-rate.ts';

// npx tsx test/bench/texts.ts: messages a second on one core, best of three runs.
const COUNT = 300_000;
const COLUMNS = ['name', 'city', 'orderId'];
const ENGLISH = 'Dear {{name}}, your order {{orderId}} has left for {{city}} and will be with you on Monday.';
const CHINESE = '尊敬的{{name}}，您的订单{{orderId}}已发往{{city}}，预计周一送达。';
const rows = Array.from({ length: COUNT }, (_, i) => [
  `Anna ${i % 977}`,
  i % 3 ? 'London' : 'Leeds',
  `A${1_000_000 + i}`,
]);

for (const [language, content, signature] of [
  ['English', ENGLISH, ' Acme'],
  ['Chinese', CHINESE, '【品牌】'],
  ['English, 3 parts', ENGLISH.repeat(4), ' Acme'],
] as const) {
  const compiled = compileTemplate(content);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.findings));
  const template = compiled.template.forColumns(COLUMNS);
  const textOf = (row: string[]) => normaliseText(appendSignature(template.render(row), signature));

  bestRate(`${language}: render`, COUNT, () =>
    rows.reduce((sum, row) => sum + template.render(row).length, 0),
  );
  bestRate(`${language}: render, sign, NFC, measure`, COUNT, () => {
    let segments = 0;
    for (const row of rows) segments += measure(textOf(row)).segments;
    return segments;
  });
  const buffer = Buffer.alloc(200);
  bestRate(`${language}: the same, plan, write parts`, COUNT, () => {
    let octets = 0;
    for (let i = 0; i < rows.length; i++) {
      const text = textOf(rows[i]!);
      const plan = planMessage(text, { encoding: 'auto', reference: 'udh8' });
      if (!plan.ok) throw new Error('refused');
      for (let part = 0; part < plan.segments; part++)
        octets += writePart(plan, text, part, i, buffer, 0).length;
    }
    return octets;
  });
}
const objects = rows.map(([name, city, orderId]) =>
  Object.assign(Object.create(null), { name, city, orderId }),
);
bestRate('mustache.render alone, English', COUNT, () =>
  objects.reduce((sum, row) => sum + mustache.render(ENGLISH, row, {}, { escape: String }).length, 0),
);
