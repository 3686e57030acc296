import type { Logger } from 'pino';
import { errorBody, type Finding, RefusedError } from '../../../contracts/errors.ts';
import {
  RULE_API,
  RuleDeleted,
  RuleListAnswer,
  RuleTestAnswer,
  RuleView,
} from '../../../contracts/rule-api.ts';
import { type ApiEndpoint, endpoint } from '../../../lib/nats/micro.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { decideTrigger } from '../pure/decide-trigger.ts';
import { ruleFindings } from '../pure/rule-findings.ts';
import { changeRule, createRule, findRule, listRules, rulesFor, viewOf } from './rules.ts';

/** `sms.api.rule.*`. */
export function ruleEndpoints({ store, log }: { store: Pick<Store, 'rules'>; log: Logger }): ApiEndpoint[] {
  const { rules } = store;
  const noun = 'rule';
  return [
    endpoint({
      noun,
      verb: 'create',
      description: 'Makes a rule: which events of a source become which command',
      request: RULE_API.create,
      response: RuleView,
      handler: async ({ id, rule, operatorId }, { requestId }) => {
        refuseFindings(ruleFindings(rule));
        const made = await createRule(rules, id, rule, Date.now());
        log.info({ rule: id, operatorId, requestId }, 'rule created');
        return viewOf(made);
      },
    }),
    endpoint({
      noun,
      verb: 'get',
      description: 'One rule',
      request: RULE_API.get,
      response: RuleView,
      handler: async ({ id }) => viewOf(await findRule(rules, id)),
    }),
    endpoint({
      noun,
      verb: 'list',
      description: 'Rules by ID, page by page',
      request: RULE_API.list,
      response: RuleListAnswer,
      handler: (query) => listRules(rules, query),
    }),
    endpoint({
      noun,
      verb: 'update',
      description: 'Changes fields of a rule',
      request: RULE_API.update,
      response: RuleView,
      handler: async ({ id, patch, expectedVersion, operatorId }, { requestId }) => {
        const changed = await changeRule(rules, id, { expectedVersion, nowMs: Date.now() }, (definition) => {
          const next = { ...definition, ...patch };
          refuseFindings(ruleFindings(next));
          return next;
        });
        log.info({ rule: id, version: changed.version, operatorId, requestId }, 'rule changed');
        return viewOf(changed);
      },
    }),
    endpoint({
      noun,
      verb: 'delete',
      description: 'Removes a rule',
      request: RULE_API.delete,
      response: RuleDeleted,
      handler: async ({ id, operatorId, reason }, { requestId }) => {
        const { deletedCount } = await rules.deleteOne({ _id: id });
        log.info({ rule: id, deletedCount, operatorId, reason, requestId }, 'rule deleted');
        return { id, deleted: deletedCount === 1 };
      },
    }),
    endpoint({
      noun,
      verb: 'test',
      description: 'Which commands an event would become, or why none',
      request: RULE_API.test,
      response: RuleTestAnswer,
      handler: async ({ source, event }): Promise<RuleTestAnswer> => {
        const trigger = { source, event, sequence: 1, at: new Date().toISOString() };
        const decision = decideTrigger(await rulesFor(rules, source), trigger);
        if (decision.kind === 'commands') return { commands: decision.commands };
        const { reason, errors } = decision;
        return { commands: [], refused: { reason, errors } };
      },
    }),
  ];
}

function refuseFindings(findings: Finding[]): void {
  if (findings.length === 0) return;
  throw new RefusedError(errorBody('invalid', 'The rule does not hold.', findings));
}
