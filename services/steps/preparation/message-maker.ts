import type { BatchDefinition } from '../../../contracts/batch.ts';
import { DEFAULT_MAX_PARTS, REFERENCE } from '../../../lib/batch/content-findings.ts';
import { isGsm7 } from '../../../lib/sms/gsm0338.ts';
import { normaliseText } from '../../../lib/sms/normalise-text.ts';
import { type Measure, measure, planMessage } from '../../../lib/sms/segments.ts';
import { appendSignature } from '../../../lib/sms/signature.ts';
import { compileTemplate } from '../../../lib/sms/template.ts';
import { StepFailure } from '../step.ts';

/** Why a recipient gets nothing, as its code in the outcome document. */
export const INVALID_CODES = {
  MISSING_VARIABLE: 'a variable of the text has no value in this row',
  EXCEEDS_MAX_PARTS: 'the text needs more parts than maxParts allows',
  NOT_GSM7: 'encoding is gsm7, and the text has a character that GSM 03.38 lacks',
  EMPTY_TEXT: 'nothing is left of the text with the values of this row',
} as const;
type InvalidCode = keyof typeof INVALID_CODES;

/** A text ready to be sent, or why there is none. Codes are told apart from texts by `encoding`. */
export interface Made {
  text: string;
  /** g, u, or - for one that is not to be sent. */
  letter: 'g' | 'u' | '-';
  segments: number;
  /** `''`, or an InvalidCode with the variable's name behind it. */
  code: string;
}

export interface MessageMaker {
  /** Columns that the text uses, in the order of `make`'s values. */
  readonly columns: readonly string[];
  /** The one message of a text without variables. */
  readonly same: Made | undefined;
  /** The message of one row. The answer is reused: read it before the next call. */
  make(values: readonly string[]): Made;
}

type Content = Pick<BatchDefinition, 'content' | 'contentSignature' | 'encoding' | 'maxParts'>;

/** Compiles what all recipients of a batch share. @throws StepFailure when the template does not compile */
export function messageMaker(definition: Content): MessageMaker {
  const { content, contentSignature, encoding = 'auto', maxParts = DEFAULT_MAX_PARTS } = definition;
  const compiled = compileTemplate(content);
  if (!compiled.ok) throw new StepFailure('invalid', 'The content is no template.', compiled.findings);
  const { template } = compiled;
  const columns = template.variables;
  const rows = template.forColumns(columns);
  const made: Made = { text: '', letter: '-', segments: 0, code: '' };

  function refuse(code: InvalidCode, variables: readonly string[] = []): Made {
    made.text = '';
    made.letter = '-';
    made.segments = 0;
    made.code = [code, ...variables].join(' ');
    return made;
  }

  function finish(rendered: string): Made {
    if (rendered.trim() === '') return refuse('EMPTY_TEXT');
    const text = normaliseText(appendSignature(rendered, contentSignature));
    const measured = measureAs(text, encoding);
    if (!measured) return refuse('NOT_GSM7');
    // Never cut: whoever gets half a message was better off with none.
    if (measured.segments > maxParts) return refuse('EXCEEDS_MAX_PARTS');
    made.text = text;
    made.letter = measured.encoding === 'gsm7' ? 'g' : 'u';
    made.segments = measured.segments;
    made.code = '';
    return made;
  }

  return {
    columns,
    same: columns.length === 0 ? { ...finish(rows.render([])) } : undefined,
    make(values) {
      const missing = rows.missing(values);
      return missing.length > 0 ? refuse('MISSING_VARIABLE', missing) : finish(rows.render(values));
    },
  };
}

function measureAs(text: string, encoding: NonNullable<BatchDefinition['encoding']>): Measure | undefined {
  switch (encoding) {
    case 'auto':
      return measure(text, REFERENCE);
    case 'gsm7':
      return isGsm7(text) ? measure(text, REFERENCE) : undefined;
    case 'ucs2': {
      const plan = planMessage(text, { encoding, reference: REFERENCE });
      // More than 255 parts: no plan, and more than any maxParts.
      return plan.ok ? plan : { encoding: 'ucs2', segments: Number.POSITIVE_INFINITY };
    }
  }
}
