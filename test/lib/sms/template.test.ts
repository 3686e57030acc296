import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import mustache from 'mustache';
import { appendSignature } from '../../../lib/sms/signature.ts';
import { compileTemplate, type Template } from '../../../lib/sms/template.ts';

function compiled(content: string): Template {
  const result = compileTemplate(content);
  assert.ok(result.ok, JSON.stringify(result));
  return result.template;
}

const rowOf = (values: Record<string, string>) => Object.assign(Object.create(null), values);

const refusal = (content: string) => {
  const result = compileTemplate(content);
  assert.ok(!result.ok, content);
  return result.findings;
};

const NAMES = ['name', 'city', '姓名', 'first name', 'constructor', '__proto__', 'length'];

/** Well-formed content: text with stray braces and line ends, variables in three spellings, comments, sections. */
const content = fc.letrec<{ node: string; nodes: string }>((tie) => ({
  nodes: fc.array(tie('node'), { maxLength: 5 }).map((nodes) => nodes.join('')),
  node: fc.oneof(
    { maxDepth: 4 },
    fc
      .string({ unit: fc.constantFrom(...'ab {}<&"\n\r\t中€', '\n '), maxLength: 6 })
      .map((t) => t.replace(/\{\{+/g, '{')),
    fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom('{{N}}', '{{ N }}', '{{{N}}}', '{{&N}}')).map(spell),
    fc.constant('{{! a remark }}'),
    fc
      .tuple(fc.constantFrom(...NAMES), fc.constantFrom('#', '^'), tie('nodes'))
      .map(([name, kind, inner]) => `{{${kind}${name}}}${inner}{{/${name}}}`),
  ),
})).nodes;

function spell([name, form]: [string, string]): string {
  return form.replace('N', () => name);
}

const values = fc.dictionary(
  fc.constantFrom(...NAMES.filter((name) => name !== '__proto__')),
  fc.constantFrom('', '0', 'false', 'Ann', '<b>&', '$&', '{{name}}', '李雷'),
  { noNullPrototype: false },
);

test('renders as mustache does, by row and by columns', () => {
  fc.assert(
    fc.property(content, values, (text, found) => {
      const row = rowOf(found);
      let expected: string;
      try {
        expected = mustache.render(text, row, {}, { escape: String });
      } catch {
        // Braces of neighbours may join into a tag that neither had.
        assert.ok(!compileTemplate(text).ok);
        return;
      }
      const result = compileTemplate(text);
      if (!result.ok) return;
      assert.equal(result.template.render(row), expected);
      const columns = Object.keys(row);
      const byColumn = result.template.forColumns(columns);
      const cells = columns.map((name) => row[name]);
      assert.equal(byColumn.render(cells), expected);
      assert.deepEqual(byColumn.missing(cells), result.template.missing(row));
    }),
    { numRuns: 2000 },
  );
});

test('names its variables in order, sections included', () => {
  const { variables } = compiled(
    'Dear {{name}}, {{#code}}code {{code}}{{/code}}{{^city}}x{{/city}} {{{name}}} {{&姓名}}',
  );
  assert.deepEqual(variables, ['name', 'code', 'city', '姓名']);
});

test('nothing is escaped, and a value is never read as a template', () => {
  assert.equal(
    compiled('{{a}}|{{{a}}}|{{&a}}').render(rowOf({ a: '<&"{{b}}' })),
    '<&"{{b}}|<&"{{b}}|<&"{{b}}',
  );
});

test('what no row has is empty: nothing comes from a prototype', () => {
  assert.equal(compiled('[{{constructor}}{{toString}}{{__proto__}}]').render(rowOf({})), '[]');
});

test('refuses what a text must not use, all at once', () => {
  const findings = refusal('{{> header}} {{a.b}} {{}} {{#x}}{{.}}{{/x}}');
  assert.deepEqual(
    findings.map(({ value }) => value),
    ['{{> header}} at 0', '{{a.b}} at 13', '{{}} at 21', '{{.}} at 32'],
  );
  assert.match(refusal('{{=<% %>=}} <%x%>')[0]!.expected, /delimiters/);
  assert.match(String(refusal('{{#open}}x')[0]!.value), /Unclosed section "open"/);
  assert.match(String(refusal('x{{/shut}}')[0]!.value), /Unopened section "shut"/);
  assert.match(String(refusal('Dear {{name')[0]!.value), /Unclosed tag/);
  assert.equal(refusal('a'.repeat(10_001))[0]!.value, '10001 characters');
});

test('a variable is missing when absent or empty, unless the template says what then', () => {
  const plain = compiled('{{name}} {{code}} {{name}}');
  assert.deepEqual(plain.missing(rowOf({ name: 'Ann', code: '1' })), []);
  assert.deepEqual(plain.missing(rowOf({ name: '', code: '1' })), ['name']);
  assert.deepEqual(plain.missing(rowOf({})), ['name', 'code']);
  assert.deepEqual(compiled('{{name}}{{^name}}you{{/name}}').missing(rowOf({})), []);
  assert.deepEqual(compiled('{{#name}}Dear {{name}}{{/name}}').missing(rowOf({})), []);
  const nested = compiled('{{#vip}}Your code: {{code}}{{/vip}}{{^vip}}Visit {{shop}}{{/vip}}');
  assert.deepEqual(nested.missing(rowOf({})), ['shop']);
  assert.deepEqual(nested.missing(rowOf({ vip: '1' })), ['code']);
  assert.deepEqual(nested.missing(rowOf({ vip: '1', code: '7' })), []);
});

test('a column that the table lacks is missing from every row', () => {
  assert.deepEqual(compiled('{{name}} {{city}}').forColumns(['phone', 'name']).missing(['44', 'Ann']), [
    'city',
  ]);
});

test('signature: 【】 in front, others behind, never twice', () => {
  assert.equal(appendSignature('您好', '【品牌】'), '【品牌】您好');
  assert.equal(appendSignature('【品牌】您好', '【品牌】'), '【品牌】您好');
  assert.equal(appendSignature('您好【品牌】', '【品牌】'), '您好【品牌】');
  assert.equal(appendSignature('Hello', ' Acme'), 'Hello Acme');
  assert.equal(appendSignature('Hello', ''), 'Hello');
  assert.equal(appendSignature('Hello', undefined), 'Hello');
  fc.assert(
    fc.property(fc.string(), fc.oneof(fc.string(), fc.constant('【品牌】')), (text, signature) => {
      const once = appendSignature(text, signature);
      assert.equal(appendSignature(once, signature), once);
    }),
  );
});
