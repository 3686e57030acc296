import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BatchDefinition } from '../../../contracts/batch.ts';
import type { DefinitionFacts } from '../../../lib/batch/definition-facts.ts';
import { findingsOf } from '../../../lib/batch/validate-definition.ts';
import { builtInStepTypes } from '../../../lib/steps/step-types.ts';

const nowMs = Date.parse('2026-11-25T12:00:00Z');

const good: BatchDefinition = {
  name: '测试批次',
  tableStorageName: 'sms_data',
  content: 'Dear {{name}}, your code is {{code}}.',
  providers: ['main'],
};

const facts: DefinitionFacts = {
  table: { columns: ['name', 'code'], rows: 10 },
  collection: null,
  inline: undefined,
  parent: undefined,
  providers: ['main', 'spare'],
  stepTypes: builtInStepTypes(),
  nowMs,
  started: false,
  dryRun: false,
};

interface Case {
  what: string;
  definition?: Partial<BatchDefinition>;
  facts?: Partial<DefinitionFacts>;
  /** Field, and words that its finding has to hold. */
  found: [field: string, words: RegExp][];
}

const cases: Case[] = [
  { what: 'a good definition', found: [] },
  {
    what: 'a name in any language, a signature, a schedule',
    definition: { contentSignature: '【品牌】', scheduleTime: '2026-11-25T13:00:00Z', sender: 'Brand' },
    found: [],
  },
  {
    what: 'no recipients',
    definition: { tableStorageName: undefined as never },
    facts: { table: null },
    found: [['tableStorageName', /table, or recipients/]],
  },
  {
    what: 'table and recipients',
    facts: { inline: [{ phone: '+447911123456', variables: { name: 'a', code: 'b' } }] },
    found: [['recipients', /not both/]],
  },
  {
    what: 'an empty list of recipients',
    definition: { tableStorageName: undefined as never, content: 'Hello' },
    facts: { table: null, inline: [] },
    found: [['recipients', /at least one/]],
  },
  {
    what: 'inline recipients',
    definition: { tableStorageName: undefined as never },
    facts: {
      table: null,
      inline: [
        { phone: '1', variables: { name: 'a' } },
        { phone: '2', variables: { code: 'b' } },
      ],
    },
    found: [],
  },
  { what: 'a table that is not there', facts: { table: null }, found: [['tableStorageName', /exists/]] },
  {
    what: 'an empty table',
    facts: { table: { columns: ['name', 'code'], rows: 0 } },
    found: [['tableStorageName', /empty/]],
  },
  {
    what: 'a plain MongoDB collection',
    facts: { table: null, collection: { columns: ['name', 'code', 'phone'], rows: 3 } },
    found: [],
  },
  {
    what: 'a parent that is gone',
    facts: { parent: { exists: false, columns: undefined, rows: 0 } },
    found: [['parent', /still kept/]],
  },
  {
    what: 'a parent with the columns',
    facts: { table: null, parent: { exists: true, columns: ['name', 'code'], rows: 1 } },
    found: [],
  },
  { what: 'MMS', definition: { messageType: 'MMS' }, found: [['messageType', /SMS; MMS is not/]] },
  { what: 'VOICE', definition: { messageType: 'VOICE' }, found: [['messageType', /SMS; VOICE is not/]] },
  { what: 'a blank text', definition: { content: ' \n' }, found: [['content', /blank/]] },
  {
    what: 'an open tag',
    definition: { content: 'Dear {{name' },
    found: [['content', /every \{\{ has its \}\}/]],
  },
  { what: 'a partial', definition: { content: '{{> other}}' }, found: [['content', /no partials/]] },
  {
    what: 'variables that are no columns',
    definition: { content: '{{name}} {{nmae}} {{#vip}}!{{/vip}}' },
    found: [
      ['content', /name, code/],
      ['content', /name, code/],
    ],
  },
  {
    what: 'static text that is too long',
    definition: { content: `{{name}}${'x'.repeat(300)}`, maxParts: 1 },
    found: [['content', /at most 1 parts/]],
  },
  {
    what: 'a long text in a section, which may not show',
    definition: { content: `{{#name}}${'x'.repeat(300)}{{/name}}`, maxParts: 1 },
    found: [],
  },
  {
    what: 'a text that gsm7 cannot hold',
    definition: { content: '你好 {{name}}', encoding: 'gsm7' },
    found: [['content', /GSM 03.38/]],
  },
  {
    what: 'a signature that gsm7 cannot hold',
    definition: { contentSignature: '【brand】', encoding: 'gsm7' },
    found: [['contentSignature', /GSM 03.38/]],
  },
  {
    what: 'a signature that makes the text too long',
    definition: { content: 'x'.repeat(160), contentSignature: ' -Brand', maxParts: 1 },
    found: [['content', /at most 1 parts/]],
  },
  {
    what: 'an unknown provider',
    definition: { providers: ['main', 'x'] },
    found: [['providers/1', /main, spare/]],
  },
  {
    what: 'a provider twice',
    definition: { providers: ['main', 'main'] },
    found: [['providers/1', /providers\/0 already/]],
  },
  {
    what: 'no provider anywhere',
    definition: { providers: undefined as never },
    facts: { providers: [] },
    found: [['providers', /there is none yet/]],
  },
  { what: 'no provider for a dry run', facts: { providers: [], dryRun: true }, found: [] },
  {
    what: 'no provider for a chain that does not send',
    definition: { steps: ['preparation'] },
    facts: { providers: [] },
    found: [],
  },
  {
    what: 'a long sender',
    definition: { sender: 'VeryLongBrand' },
    found: [['sender', /at most 11 characters/]],
  },
  { what: 'an @ in the sender', definition: { sender: 'a@b' }, found: [['sender', /no @/]] },
  { what: 'a Chinese sender', definition: { sender: '品牌' }, found: [['sender', /GSM 03.38/]] },
  { what: 'a sender with spaces around', definition: { sender: ' Brand' }, found: [['sender', /no spaces/]] },
  {
    what: 'too many digits',
    definition: { sender: '1'.repeat(21) },
    found: [['sender', /at most 20 digits/]],
  },
  {
    what: 'digits behind a name',
    definition: { sender: 'Brand', extCode: '12' },
    found: [['extCode', /sender of digits/]],
  },
  {
    what: 'an extension that does not fit',
    definition: { sender: '1'.repeat(15), extCode: '123456' },
    found: [['extCode', /at most 5 digits/]],
  },
  { what: 'a number and an extension', definition: { sender: '10690', extCode: '12' }, found: [] },
  {
    what: 'a schedule in the past',
    definition: { scheduleTime: '2026-11-25T11:00:00Z' },
    found: [['scheduleTime', /in the future/]],
  },
  {
    what: 'a schedule that has fired',
    definition: { scheduleTime: '2026-11-25T11:00:00Z' },
    facts: { started: true },
    found: [],
  },
  {
    what: 'an end in the past',
    definition: { notAfter: '2026-11-25T12:00:00Z' },
    found: [['notAfter', /in the future/]],
  },
  {
    what: 'an end before the schedule',
    definition: { scheduleTime: '2026-11-25T14:00:00Z', notAfter: '2026-11-25T13:00:00Z' },
    found: [['notAfter', /after scheduleTime/]],
  },
  {
    what: 'a time that is none',
    definition: { scheduleTime: 'tomorrow' },
    found: [['scheduleTime', /RFC 3339/]],
  },
  {
    what: 'an unknown country',
    definition: { defaultCountry: 'XX' },
    found: [['defaultCountry', /ISO 3166/]],
  },
  {
    what: 'a chain out of order',
    definition: { steps: ['delivery', 'preparation'] },
    found: [['steps/1', /before delivery/]],
  },
  { what: 'an empty chain', definition: { steps: [] }, found: [['steps', /at least one step/]] },
];

for (const { what, found, ...given } of cases) {
  test(`${what}: ${found.length === 0 ? 'nothing is found' : found.map(([field]) => field).join(', ')}`, () => {
    const findings = findingsOf({ ...good, ...given.definition }, { ...facts, ...given.facts });
    assert.deepEqual(
      findings.map(({ field }) => field),
      found.map(([field]) => field),
      JSON.stringify(findings),
    );
    for (const [at, { expected }] of findings.entries()) assert.match(expected, found[at]![1]);
  });
}

test('a missing variable is named with the columns that there are', () => {
  const findings = findingsOf({ ...good, content: 'Dear {{firstname}}' }, facts);
  assert.deepEqual(findings, [
    { field: 'content', value: '{{firstname}}', expected: 'a column that is there: name, code' },
  ]);
});

test('every finding comes at once', () => {
  const bad: BatchDefinition = {
    ...good,
    messageType: 'MMS',
    content: '{{x}}',
    providers: ['nobody'],
    sender: 'WayTooLongAName',
    notAfter: '2020-01-01T00:00:00Z',
    steps: [],
  };
  assert.deepEqual(
    findingsOf(bad, { ...facts, table: null, inline: [] }).map(({ field }) => field),
    [
      'recipients',
      'recipients',
      'tableStorageName',
      'messageType',
      'content',
      'providers/0',
      'sender',
      'notAfter',
      'steps',
    ],
  );
});
