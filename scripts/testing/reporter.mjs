import { resolve } from 'node:path';
import { inspect } from 'node:util';

// JavaScript, since node loads a reporter before it loads tsx.

const keptOutputLines = 60;
const colours = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (code, text) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);

const counted = ['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo', 'duration_ms'];

function failureText({ name, details }) {
  const { error } = details ?? {};
  const cause = error?.cause ?? error;
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : inspect(cause);
  return `  ${paint(31, `✖ ${name}`)}\n${indent(text, 6)}`;
}

function indent(text, by) {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => ' '.repeat(by) + line)
    .join('\n');
}

/** One line a file when it ends, then what failed and why, with that file's output, then node's own closing figures. */
export default async function* reporter(events) {
  const total = Number(process.env.SMSBATCH_TEST_FILES ?? 0);
  const root = `${process.cwd()}/`;
  const short = (file) => file.replace(root, '');
  const failures = new Map();
  const output = new Map();
  const closing = [];
  let ended = 0;

  for await (const { type, data } of events) {
    // Node 20 gives absolute paths, Node 24 relative ones for some events.
    const file = data.file ? resolve(data.file) : '';
    const isFile = data.name !== undefined && file !== '' && resolve(data.name) === file;
    const error = data.details?.error;
    if (type === 'test:stdout' || type === 'test:stderr') {
      const lines = output.get(file) ?? [];
      output.set(file, [...lines, data.message ?? ''].slice(-keptOutputLines));
    } else if (type === 'test:complete' && isFile) {
      ended++;
      const mark = error ? paint(31, '✖') : paint(32, '✔');
      const took = `${((data.details?.duration_ms ?? 0) / 1000).toFixed(1)} s`;
      const place = `[${String(ended).padStart(String(total).length)}/${total}]`;
      const why = error?.failureType === 'testTimeoutFailure' ? `: ${error.message}` : '';
      yield `${paint(2, place)} ${mark} ${short(file)} ${paint(2, took)}${why}\n`;
    } else if (type === 'test:fail' && error?.failureType !== 'subtestsFailed') {
      failures.set(file, [...(failures.get(file) ?? []), failureText(data)]);
    } else if (type === 'test:diagnostic' && data.nesting === 0 && !data.file) {
      if (counted.includes(data.message?.split(' ')[0] ?? '')) closing.push(data.message ?? '');
    }
  }

  for (const [file, texts] of failures) {
    yield `\n${paint(1, short(file))}\n${texts.join('\n')}\n`;
    const printed = (output.get(file) ?? []).join('');
    if (printed.trim()) yield `  ${paint(2, 'what the file printed last:')}\n${indent(printed, 6)}\n`;
  }
  yield `\n${closing.map((line) => `ℹ ${line}\n`).join('')}`;
}
