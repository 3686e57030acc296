import { ERROR_CODES } from '../../contracts/errors.ts';
import { NOTE, page, table } from './markdown.ts';

/** docs/errors.md */
export const errorsPage = (): string =>
  page(
    NOTE,
    '# Errors',
    'Every refusal has one shape, in the event `command-rejected`, in the answer of a request, and over HTTP:',
    [
      '```json',
      '{',
      '  "code": "invalid-body",',
      '  "message": "The body does not fit its schema.",',
      '  "errors": [',
      '    { "field": "batch/maxParts", "value": 99, "expected": "a number <= 20" }',
      '  ]',
      '}',
      '```',
    ].join('\n'),
    '`errors` has every finding at once: the path of the field, what stood there (shortened when long), and what is accepted. ' +
      'The answer to a request over NATS has the header `Nats-Service-Error-Code` too: the HTTP status below.',
    table(
      ['code', 'HTTP status of its kind', 'meaning'],
      Object.entries(ERROR_CODES).map(([code, { status, meaning }]) => [
        `\`${code}\``,
        String(status),
        meaning,
      ]),
    ),
  );
