// Runs test files in the order in which they are given, which `node --test` does not: it sorts them by name.
import { writeFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import process from 'node:process';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import reporter from './reporter.mjs';

const { values, positionals: files } = parseArgs({
  allowPositionals: true,
  options: {
    concurrency: { type: 'string', default: '1' },
    name: { type: 'string' },
    spec: { type: 'boolean', default: false },
    /** Where to write how many seconds each file took, as JSON. */
    record: { type: 'string' },
  },
});

const events = run({
  files,
  concurrency: Number(values.concurrency),
  ...(values.name && { testNamePatterns: [values.name] }),
});
const seconds = {};
events.on('test:fail', ({ todo }) => {
  if (todo === undefined || todo === false) process.exitCode = 1;
});
events.on('test:complete', ({ name, file, details }) => {
  if (file && resolve(name) === resolve(file)) seconds[relative('', file)] = details.duration_ms / 1000;
});
process.on('exit', () => {
  if (values.record) writeFileSync(values.record, JSON.stringify(seconds));
});
events.compose(values.spec ? new spec() : reporter).pipe(process.stdout);
