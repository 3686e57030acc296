import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from '../../../contracts/check.ts';
import { COMMANDS } from '../../../contracts/commands.ts';
import { BatchTemplate } from '../../../contracts/template.ts';
import { createCommand, fillTemplate, type TemplateUse, uploadOf } from '../../../lib/batch/template.ts';

const use: TemplateUse = {
  batchId: 'nightly-20261124T233000Z',
  origin: { kind: 'schedule', id: 'nightly', at: '2026-11-24T23:30:00Z' },
  timeZone: 'Asia/Shanghai',
};
const template: BatchTemplate = {
  name: '夜间 ${date}',
  tableStorageName: 'people-${date}',
  content: 'Hello {{name}}, ${origin} of ${date}. It costs $5',
  tags: ['${time}', 'plain'],
  expireAfterSeconds: 3_600,
};

test('a template is filled: the day is that of the zone, Mustache variables stay', () => {
  assert.deepEqual(fillTemplate(template, use), {
    ok: true,
    value: {
      name: '夜间 2026-11-25',
      tableStorageName: 'people-2026-11-25',
      content: 'Hello {{name}}, nightly of 2026-11-25. It costs $5',
      tags: ['20261124T233000Z', 'plain'],
      notAfter: '2026-11-25T00:30:00.000Z',
    },
  });
});

test('recipients imported for the run replace what the template names; inline ones are left alone', () => {
  const filled = fillTemplate(template, { ...use, table: 'imported' });
  assert.ok(filled.ok);
  assert.equal(filled.value.tableStorageName, 'imported');
  const inline = {
    name: 'n',
    content: 'Hi',
    recipients: [{ phone: '+447911123456', variables: { a: '${x}' } }],
  };
  assert.deepEqual(fillTemplate(inline, use), { ok: true, value: inline });
});

test('a file, an upload, and the values of an event', () => {
  const file: TemplateUse = {
    ...use,
    origin: { ...use.origin, kind: 'folder', file: 'march.people.csv.gz' },
  };
  const named = fillTemplate(
    { name: '${file} ${city}', content: 'Hi' },
    { ...file, values: { city: 'Ulm' } },
  );
  assert.ok(named.ok);
  assert.equal(named.value.name, 'march.people Ulm');
  assert.deepEqual(uploadOf({ name: 'n', content: 'c', upload: 'in-${date}.csv' }, use), {
    ok: true,
    value: 'in-2026-11-25.csv',
  });
  assert.equal(uploadOf(template, use), undefined);
});

test('an unknown placeholder, and a value that does not fit: a finding with its field', () => {
  const unknown = fillTemplate({ ...template, tags: ['a', '${dat}'], content: '${file}' }, use);
  assert.ok(!unknown.ok);
  assert.deepEqual(
    unknown.errors.map(({ field, value }) => [field, value]),
    [
      ['content', '${file}'],
      ['tags/1', '${dat}'],
    ],
  );
  assert.match(unknown.errors[0]!.expected, /\$\{id\}.*\$\{date\}/);
  const unfit = fillTemplate({ ...template, tableStorageName: '测试-${date}' }, use);
  assert.ok(!unfit.ok);
  assert.deepEqual(
    unfit.errors.map(({ field }) => field),
    ['tableStorageName'],
  );
});

test('the command fits its schema and is the same each time', () => {
  const filled = fillTemplate(template, use);
  assert.ok(filled.ok);
  const command = createCommand(filled.value, use, { reason: 'schedule nightly' });
  assert.deepEqual(command, createCommand(filled.value, use, { reason: 'schedule nightly' }));
  assert.equal(command.subject, 'sms.cmd.nightly-20261124T233000Z.create');
  assert.equal(command.msgId, 'create:nightly-20261124T233000Z');
  assert.deepEqual(check(COMMANDS.create, command.body), { ok: true, value: command.body });
  assert.ok(check(BatchTemplate, template).ok);
  assert.ok(!check(BatchTemplate, { ...template, scheduleTime: '2026-11-24T12:00:00Z' }).ok);
});
