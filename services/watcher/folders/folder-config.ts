import Type, { type Static } from 'typebox';
import { check } from '../../../contracts/check.ts';
import type { Finding } from '../../../contracts/errors.ts';
import { readingFields } from '../../../contracts/tables.ts';
import { BatchTemplate } from '../../../contracts/template.ts';
import { fillTemplate } from '../../../lib/batch/template.ts';
import { readJsonList } from '../../../lib/config/json-list.ts';
import { ConfigError, type Env } from '../../../lib/config/read-config.ts';

const VARIABLE = 'WATCHER_FOLDERS';

/** The environment's part of it, for the generated table of variables. */
export const foldersConfig = Type.Object({
  [VARIABLE]: Type.Optional(
    Type.String({
      description:
        'Folders whose files become batches (docs/watching.md): a JSON list, or the path of a file that holds one',
    }),
  ),
});

/** A folder in which each file becomes a batch. */
export const HotFolder = Type.Object(
  {
    name: Type.String({
      pattern: '^[A-Za-z0-9_-]{1,32}$',
      description: 'Stands before the IDs of its batches.',
    }),
    path: Type.String({ minLength: 1, maxLength: 4_096 }),
    template: BatchTemplate,
    settleSeconds: Type.Optional(
      Type.Number({
        minimum: 0.1,
        maximum: 3_600,
        default: 5,
        description: 'A file that has not changed for so long is taken.',
      }),
    ),
    ...readingFields,
  },
  { additionalProperties: false },
);
export type HotFolder = Static<typeof HotFolder>;

/** Of a template for files: the recipients come with the file. */
const NOT_HERE = ['tableStorageName', 'upload', 'recipients'] as const;

/**
 * The folders that this process watches; none when the variable is unset.
 * @throws ConfigError with every mistake in every folder
 */
export function readFolders(env: Env): HotFolder[] {
  const folders: HotFolder[] = [];
  const findings: Finding[] = [];
  for (const [i, entry] of (readJsonList(VARIABLE, env, 'folders') ?? []).entries()) {
    const checked = check(HotFolder, entry);
    const errors = checked.ok ? findingsOf(checked.value, folders) : checked.errors;
    findings.push(...errors.map((each) => ({ ...each, field: `${i}/${each.field}` })));
    if (checked.ok) folders.push(checked.value);
  }
  if (findings.length === 0) return folders;
  throw new ConfigError(
    findings.map(({ field, value, expected }) => ({
      field: `${VARIABLE}/${field}`,
      value: value === undefined ? undefined : typeof value === 'string' ? value : JSON.stringify(value),
      expected,
    })),
  );
}

function findingsOf({ name, path, template }: HotFolder, earlier: readonly HotFolder[]): Finding[] {
  const findings: Finding[] = [];
  if (earlier.some((each) => each.name === name))
    findings.push({ field: 'name', value: name, expected: 'a name of its own' });
  if (earlier.some((each) => each.path === path))
    findings.push({ field: 'path', value: path, expected: 'a folder of its own' });
  for (const field of NOT_HERE) {
    if (template[field] === undefined) continue;
    const expected = 'none: the recipients come with the file';
    findings.push({ field: `template/${field}`, value: template[field], expected });
  }
  const at = new Date(0).toISOString();
  const sample = fillTemplate(template, {
    batchId: name,
    origin: { kind: 'folder', id: name, at, file: 'sample.csv' },
    table: name,
  });
  if (!sample.ok)
    findings.push(...sample.errors.map((each) => ({ ...each, field: `template/${each.field}` })));
  return findings;
}
