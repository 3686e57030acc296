import { check } from '../../../contracts/check.ts';
import { COMMANDS } from '../../../contracts/commands.ts';
import type { Finding } from '../../../contracts/errors.ts';
import { isBatchId } from '../../../contracts/ids.ts';
import type { RuleDefinition } from '../../../contracts/rule-api.ts';
import { hasPlaceholder, unknownPlaceholders } from './map-payload.ts';

const OPERATORS = ['equals', 'oneOf', 'exists'] as const;

/** Everything that is wrong with a rule whatever the events are. */
export function ruleFindings({ match = [], command }: RuleDefinition): Finding[] {
  const findings: Finding[] = [];
  match.forEach((condition, i) => {
    const used = OPERATORS.filter((name) => condition[name] !== undefined);
    if (used.length !== 1) {
      const expected = `exactly one of ${OPERATORS.join(', ')}`;
      findings.push({ field: `match/${i}`, value: used, expected });
    }
  });
  const { verb, batchId, body = {} } = command;
  findings.push(...unknownPlaceholders({ batchId, body }, 'command'));
  if (!hasPlaceholder(batchId) && !isBatchId(batchId)) {
    findings.push({
      field: 'command/batchId',
      value: batchId,
      expected: 'a batch ID (1 to 64 of A-Z, a-z, 0-9, _ and -), or one with a placeholder',
    });
  }
  const checked = check(COMMANDS[verb], body);
  if (!checked.ok) {
    for (const each of checked.errors) {
      if (typeof each.value === 'string' && hasPlaceholder(each.value)) continue;
      findings.push({ ...each, field: `command/body/${each.field}` });
    }
  }
  return findings;
}
