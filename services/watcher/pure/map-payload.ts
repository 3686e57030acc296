import { shown } from '../../../contracts/check.ts';
import type { Finding } from '../../../contracts/errors.ts';
import { fieldAt, pathsOf } from './event-fields.ts';

/** What a rule's texts may name: the event's fields, and the trigger that brought it. */
export interface Trigger {
  source: string;
  /** Of its stream: another for each trigger. */
  sequence: number;
  /** When it was stored, RFC 3339. */
  at: string;
  event: Record<string, unknown>;
}

const PLACEHOLDER = /\$\{([^{}]*)\}/g;
const WHOLE = /^\$\{([^{}]*)\}$/;
const EVENT = 'event.';
const OF_TRIGGER = ['trigger.source', 'trigger.sequence', 'trigger.at'] as const;
/** Shown of an event that lacks a field. */
const SHOWN_PATHS = 20;

/** Whether the text takes its value from the event: what it will be is known only then. */
export const hasPlaceholder = (text: string): boolean => text.search(PLACEHOLDER) >= 0;

/** Placeholders that no event can fill. */
export function unknownPlaceholders(value: unknown, field: string): Finding[] {
  const findings: Finding[] = [];
  eachText(value, field, (text, at) => {
    for (const [whole, name] of text.matchAll(PLACEHOLDER)) {
      if (name!.startsWith(EVENT) && name!.length > EVENT.length) continue;
      if ((OF_TRIGGER as readonly string[]).includes(name!)) continue;
      const known = ['${event.…}', ...OF_TRIGGER.map((each) => `\${${each}}`)];
      findings.push({ field: at, value: shown(whole), expected: `one of ${known.join(', ')}` });
    }
    return text;
  });
  return findings;
}

/** The payload with the trigger's values in it. What cannot be filled is a finding, never an empty text. */
export function mapPayload(
  payload: unknown,
  field: string,
  trigger: Trigger,
): { value: unknown; findings: Finding[] } {
  const findings: Finding[] = [];
  const value = eachText(payload, field, (text, at) => {
    const whole = WHOLE.exec(text);
    if (whole) {
      const found = valueFor(whole[1]!, trigger);
      if (found === undefined) findings.push(missing(at, text, trigger));
      return found;
    }
    return text.replaceAll(PLACEHOLDER, (placeholder, name: string) => {
      const found = valueFor(name, trigger);
      if (found === undefined || found === null) findings.push(missing(at, placeholder, trigger));
      else if (typeof found === 'object') {
        findings.push({ field: at, value: placeholder, expected: 'a field that holds a text or a number' });
      } else return String(found);
      return '';
    });
  });
  return { value, findings };
}

function valueFor(name: string, { source, sequence, at, event }: Trigger): unknown {
  switch (name) {
    case 'trigger.source':
      return source;
    case 'trigger.sequence':
      return sequence;
    case 'trigger.at':
      return at;
    default:
      return name.startsWith(EVENT) ? fieldAt(event, name.slice(EVENT.length)) : undefined;
  }
}

function missing(field: string, placeholder: string, { event }: Trigger): Finding {
  const paths = pathsOf(event, SHOWN_PATHS);
  const has = paths.length > 0 ? `it has ${paths.join(', ')}` : 'it has none';
  return { field, value: shown(placeholder), expected: `a field that the event has: ${has}` };
}

function eachText(value: unknown, field: string, map: (text: string, field: string) => unknown): unknown {
  if (typeof value === 'string') return map(value, field);
  if (value === null || typeof value !== 'object') return value;
  const below = (name: string | number) => (field === '' ? `${name}` : `${field}/${name}`);
  if (Array.isArray(value)) return value.map((each, index) => eachText(each, below(index), map));
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, eachText(each, below(name), map)]),
  );
}
