import mustache from 'mustache';
import type { BatchDefinition } from '../../contracts/batch.ts';
import type { Finding } from '../../contracts/errors.ts';
import { isGsm7 } from '../sms/gsm0338.ts';
import { normaliseText } from '../sms/normalise-text.ts';
import { planMessage } from '../sms/segments.ts';
import { appendSignature } from '../sms/signature.ts';
import { compileTemplate, type Template } from '../sms/template.ts';
import type { DefinitionFacts } from './definition-facts.ts';

/** Where a definition names none (its schema's default). */
export const DEFAULT_MAX_PARTS = 10;
/** The concatenation header that segments are counted with. */
export const REFERENCE = 'udh8';

/** What is wrong with the text: its template, its variables, and what stands in it whatever the row. */
export function contentFindings(definition: BatchDefinition, facts: DefinitionFacts): Finding[] {
  const { content } = definition;
  if (content.trim() === '') {
    return [{ field: 'content', value: content, expected: 'a text: this one is blank' }];
  }
  const compiled = compileTemplate(content);
  if (!compiled.ok) return compiled.findings;
  return [...variableFindings(compiled.template, facts), ...staticFindings(definition)];
}

function variableFindings(template: Template, facts: DefinitionFacts): Finding[] {
  const known = columnsOf(facts);
  if (known === undefined) return [];
  return template.variables
    .filter((name) => !known.includes(name))
    .map((name) => ({
      field: 'content',
      value: `{{${name}}}`,
      expected:
        known.length > 0
          ? `a column that is there: ${known.join(', ')}`
          : 'no variables: there are no columns',
    }));
}

function columnsOf({ parent, table, collection, inline }: DefinitionFacts): readonly string[] | undefined {
  if (parent) return parent.columns;
  if (table) return table.columns;
  if (collection) return collection.columns;
  if (!inline) return undefined;
  return [...new Set(inline.flatMap(({ variables }) => Object.keys(variables ?? {})))];
}

/** The text outside variables and sections: it stands in every message, so its length and alphabet are a lower bound. */
export function staticTextOf(content: string): string {
  const tokens = new mustache.Writer().parse(content) as unknown as [symbol: string, value: string][];
  return tokens
    .filter(([symbol]) => symbol === 'text')
    .map(([, value]) => value)
    .join('');
}

function staticFindings(definition: BatchDefinition): Finding[] {
  const { content, contentSignature, encoding = 'auto', maxParts = DEFAULT_MAX_PARTS } = definition;
  if (encoding === 'gsm7' && contentSignature && !isGsm7(normaliseText(contentSignature))) {
    const expected =
      'only characters of GSM 03.38, since encoding is gsm7; auto or ucs2 take every character';
    return [{ field: 'contentSignature', value: contentSignature, expected }];
  }
  const text = normaliseText(appendSignature(staticTextOf(content), contentSignature));
  const plan = planMessage(text, { encoding, maxParts, reference: REFERENCE });
  return plan.ok ? [] : [plan.finding];
}
