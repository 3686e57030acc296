import { check } from '../../../contracts/check.ts';
import { COMMANDS } from '../../../contracts/commands.ts';
import type { Finding } from '../../../contracts/errors.ts';
import { isBatchId } from '../../../contracts/ids.ts';
import type { RuleCondition, RuleDefinition, RuleTestAnswer } from '../../../contracts/rule-api.ts';
import { fieldAt } from './event-fields.ts';
import { mapPayload, type Trigger } from './map-payload.ts';

export type Rule = RuleDefinition & { id: string };
export type TriggeredCommand = RuleTestAnswer['commands'][number];

export type TriggerDecision =
  | { kind: 'commands'; commands: TriggeredCommand[] }
  /** Nothing is sent, also where other rules would have: replayed, it would be sent twice. */
  | { kind: 'refused'; reason: string; errors: Finding[] };

/** What an event becomes: one command of each rule that it fits, in the order of the rules' ids. */
export function decideTrigger(rules: readonly Rule[], trigger: Trigger): TriggerDecision {
  const { source, event } = trigger;
  const ofSource = rules.filter((rule) => rule.source === source);
  const fitting = ofSource.filter((rule) => rule.enabled !== false && fits(rule.match ?? [], event));
  if (fitting.length === 0) {
    const why =
      ofSource.length === 0
        ? `no rule is for source ${source}`
        : `none of the ${ofSource.length} rules for source ${source} fits (${ofSource.map(({ id }) => id).join(', ')})`;
    return { kind: 'refused', reason: why, errors: [] };
  }
  const commands: TriggeredCommand[] = [];
  const errors: Finding[] = [];
  for (const rule of fitting.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const made = commandOf(rule, trigger);
    if ('errors' in made) errors.push(...made.errors);
    else commands.push(made);
  }
  if (errors.length === 0) return { kind: 'commands', commands };
  return { kind: 'refused', reason: `the event makes no command: ${inWords(errors)}`, errors };
}

const inWords = (errors: readonly Finding[]): string =>
  errors
    .slice(0, 5)
    .map(({ field, value, expected }) => `${field} ${JSON.stringify(value) ?? ''}: expected ${expected}`)
    .join('; ');

const fits = (match: readonly RuleCondition[], event: unknown): boolean =>
  match.every((condition) => holds(condition, fieldAt(event, condition.field)));

function holds(condition: RuleCondition, value: unknown): boolean {
  if (condition.exists !== undefined) return (value !== undefined) === condition.exists;
  if (condition.oneOf !== undefined) return condition.oneOf.some((each) => each === value);
  return condition.equals === value;
}

function commandOf(rule: Rule, trigger: Trigger): TriggeredCommand | { errors: Finding[] } {
  const { id, command } = rule;
  const { verb } = command;
  const mappedId = mapPayload(command.batchId, `${id}/batchId`, trigger);
  const mapped = mapPayload(command.body ?? {}, '', trigger);
  const findings = [
    ...mappedId.findings,
    ...mapped.findings.map((each) => ({ ...each, field: `${id}/body/${each.field}` })),
  ];
  if (findings.length > 0) return { errors: findings };
  const batchId = String(mappedId.value);
  const errors: Finding[] = [];
  if (!isBatchId(batchId)) {
    const expected = '1 to 64 of A-Z, a-z, 0-9, _ and -';
    errors.push({ field: `${id}/batchId`, value: batchId.slice(0, 100), expected });
  }
  const body = {
    operatorId: `rule ${id}`,
    reason: `trigger ${trigger.source} ${trigger.sequence}`,
    ...(verb === 'create' && { origin: { kind: 'trigger', id, at: trigger.at } }),
    ...(mapped.value as Record<string, unknown>),
  };
  const checked = check(COMMANDS[verb], body);
  if (!checked.ok)
    errors.push(...checked.errors.map((each) => ({ ...each, field: `${id}/body/${each.field}` })));
  return errors.length > 0 ? { errors } : { rule: id, batchId, verb, body };
}
