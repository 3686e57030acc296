import { BatchInput } from '../../contracts/batch.ts';
import { type Checked, check, shown } from '../../contracts/check.ts';
import type { Finding } from '../../contracts/errors.ts';
import type { BatchOrigin } from '../../contracts/origin.ts';
import { commandSubject, STREAMS } from '../../contracts/subjects.ts';
import type { BatchTemplate, Placeholder } from '../../contracts/template.ts';
import type { Publication } from '../nats/publish.ts';

/** The occasion on which a batch is made of a template. */
export interface TemplateUse {
  batchId: string;
  origin: BatchOrigin;
  /** Zone in which `${date}` is a day; default UTC. */
  timeZone?: string | undefined;
  /** The recipients, where they were imported for this batch: in place of what the template names. */
  table?: string | undefined;
  /** Further placeholders, as the fields of a trigger's event. */
  values?: Readonly<Record<string, string>> | undefined;
}

const PLACEHOLDER = /\$\{([^{}]*)\}/g;

/** The definition of the batch, or what is wrong with it: an unknown placeholder, a value that does not fit. Pure. */
export function fillTemplate(template: BatchTemplate, use: TemplateUse): Checked<BatchInput> {
  const { upload: _upload, expireAfterSeconds, recipients, ...definition } = template;
  const values = valuesOf(use);
  const findings: Finding[] = [];
  const filled = fill(definition, '', (text, field) => fillText(text, field, values, findings));
  if (findings.length > 0) return { ok: false, errors: findings };
  const notAfter =
    expireAfterSeconds === undefined
      ? undefined
      : new Date(Date.parse(use.origin.at) + expireAfterSeconds * 1000).toISOString();
  const { tableStorageName: _named, ...rest } = filled as typeof definition;
  return check(BatchInput, {
    ...(use.table === undefined ? (filled as object) : { ...rest, tableStorageName: use.table }),
    ...(recipients && use.table === undefined && { recipients }),
    ...(notAfter && { notAfter }),
  });
}

/** Name of the object that this run imports, where the template has an `upload`. */
export function uploadOf({ upload }: BatchTemplate, use: TemplateUse): Checked<string> | undefined {
  if (upload === undefined) return undefined;
  const findings: Finding[] = [];
  const value = fillText(upload, 'upload', valuesOf(use), findings);
  return findings.length > 0 ? { ok: false, errors: findings } : { ok: true, value };
}

function valuesOf({ batchId, origin, timeZone = 'UTC', values }: TemplateUse): Record<string, string> {
  const at = new Date(origin.at);
  const own: Partial<Record<Placeholder, string>> = {
    id: batchId,
    origin: origin.id,
    // Canada writes a date as ISO 8601 does.
    date: new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' }).format(at),
    time: compactTime(at),
    ...(origin.file !== undefined && {
      file: origin.file.replace(/\.(csv|tsv|txt|ndjson|jsonl)?(\.gz)?$/i, ''),
    }),
  };
  return { ...values, ...own };
}

/** `20261124T120000Z`: a time as part of an ID. */
export const compactTime = (at: Date): string => `${at.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;

function fillText(
  text: string,
  field: string,
  values: Readonly<Record<string, string>>,
  findings: Finding[],
): string {
  return text.replaceAll(PLACEHOLDER, (whole, name: string) => {
    if (Object.hasOwn(values, name)) return values[name]!;
    const known = Object.keys(values).map((each) => `\${${each}}`);
    findings.push({ field, value: shown(whole), expected: `one of ${known.join(', ')}` });
    return whole;
  });
}

function fill(value: unknown, field: string, text: (text: string, field: string) => string): unknown {
  if (typeof value === 'string') return text(value, field);
  if (value === null || typeof value !== 'object') return value;
  const below = (name: string) => (field === '' ? name : `${field}/${name}`);
  if (Array.isArray(value)) return value.map((each, index) => fill(each, below(String(index)), text));
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, fill(each, below(name), text)]),
  );
}

/**
 * The one command that makes the batch and starts it. Sent twice it is one batch: the ID and the message id say so, and
 * the actor refuses another definition under the same ID.
 */
export function createCommand(
  batch: BatchInput,
  use: Pick<TemplateUse, 'batchId' | 'origin'>,
  meta: { operatorId?: string; reason?: string; requestId?: string } = {},
): Publication {
  return {
    subject: commandSubject(use.batchId, 'create'),
    stream: STREAMS.commands,
    msgId: `create:${use.batchId}`,
    body: { batch, start: true, origin: use.origin, ...meta },
  };
}
