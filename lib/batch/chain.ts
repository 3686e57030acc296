import type { StepChoice } from '../../contracts/batch.ts';
import { check } from '../../contracts/check.ts';
import type { Finding } from '../../contracts/errors.ts';
import { BUILT_IN_STEPS, DEFAULT_CHAIN } from '../../contracts/states.ts';
import type { StepTypeFacts } from '../steps/built-in.ts';
import type { StepTypes } from '../steps/step-types.ts';
import type { StepPlan } from '../store/batch-document.ts';

export type ResolvedChain = { ok: true; steps: StepPlan[] } | { ok: false; findings: Finding[] };

/** A step of the list, where it stood in it. */
interface Placed {
  facts: StepTypeFacts;
  plan: StepPlan;
  /** The field of its findings; implied steps have that of the step that needs them. */
  field: string;
  implied?: true;
}

/**
 * The chain of a batch from the list its user gave; without a list, the default one. `partition` is implied where a
 * later step needs it, `statistics` behind `delivery`. Custom steps stay where the list puts them.
 * @returns the steps in order, or every finding at once, each with its field (`steps/1`)
 */
export function resolveChain(choices: readonly StepChoice[] | undefined, types: StepTypes): ResolvedChain {
  const list = choices ?? DEFAULT_CHAIN;
  const findings: Finding[] = [];
  if (list.length === 0) {
    return refuse([{ field: 'steps', value: [], expected: 'at least one step, or no list at all' }]);
  }
  const chain = withImplied(place(list, types, findings), types);
  findings.push(...orderFindings(chain), ...needFindings(chain), ...skipFindings(chain));
  return findings.length > 0 ? refuse(findings) : { ok: true, steps: chain.map(({ plan }) => plan) };
}

const refuse = (findings: Finding[]): ResolvedChain => ({ ok: false, findings });

/** Unknown ones, duplicates and bad configurations are findings and left out of what follows. */
function place(list: readonly StepChoice[], types: StepTypes, findings: Finding[]): Placed[] {
  const chain: Placed[] = [];
  list.forEach((choice, index) => {
    const field = `steps/${index}`;
    const given = typeof choice === 'string' ? { type: choice } : choice;
    const facts = types.get(given.type);
    if (!facts) {
      const known = [...types.keys()].join(', ');
      findings.push({ field, value: given.type, expected: `a step that exists: ${known}` });
      return;
    }
    const twin = chain.find((each) => each.plan.type === given.type);
    if (twin) {
      const expected = `each step once: it stands at ${twin.field} already`;
      findings.push({ field, value: given.type, expected });
      return;
    }
    const config = given.config ?? {};
    const checked = check(facts.configSchema, config);
    if (!checked.ok) {
      const below = (name: string) => (name === '' ? `${field}/config` : `${field}/config/${name}`);
      findings.push(...checked.errors.map((each) => ({ ...each, field: below(each.field) })));
    }
    const plan: StepPlan = { type: given.type, config, timeoutMs: given.timeoutMs ?? facts.timeoutMs };
    if (given.skipIf) plan.skipIf = given.skipIf;
    chain.push({ facts, plan, field });
  });
  return chain;
}

function withImplied(chain: readonly Placed[], types: StepTypes): Placed[] {
  const has = (type: string) => chain.some((each) => each.plan.type === type);
  const made = (type: string, field: string): Placed => {
    const facts = types.get(type)!;
    return { facts, plan: { type, config: {}, timeoutMs: facts.timeoutMs }, field, implied: true };
  };
  const whole: Placed[] = [];
  for (const each of chain) {
    for (const { type, implied } of each.facts.needs) {
      const there = has(type) || whole.some((earlier) => earlier.plan.type === type);
      if (implied && !there) whole.push(made(type, each.field));
    }
    whole.push(each);
    if (each.plan.type === 'delivery' && !has('statistics')) whole.push(made('statistics', each.field));
  }
  return whole;
}

/** The built-in steps have one order; a custom one says where it may stand. */
function orderFindings(chain: readonly Placed[]): Finding[] {
  const findings: Finding[] = [];
  const rank = (each: Placed) => (BUILT_IN_STEPS as readonly string[]).indexOf(each.plan.type);
  chain.forEach((each, at) => {
    const { field, plan, facts } = each;
    if (each.implied) return;
    const earlier = chain.slice(0, at);
    const overtaken = earlier.find((before) => facts.builtIn && rank(before) > rank(each));
    if (overtaken) {
      findings.push({ field, value: plan.type, expected: `before ${overtaken.plan.type}` });
    }
    const late = earlier.find((before) => before.plan.type === facts.place?.before);
    if (late) findings.push({ field, value: plan.type, expected: `before ${late.plan.type}` });
  });
  return findings;
}

function needFindings(chain: readonly Placed[]): Finding[] {
  const findings: Finding[] = [];
  chain.forEach(({ field, plan, facts, implied }, at) => {
    if (implied) return;
    for (const { type } of facts.needs) {
      const needed = chain.findIndex((each) => each.plan.type === type);
      // One that comes too late is a finding of the order already, where both are built in.
      if (needed === -1 || (needed > at && !facts.builtIn)) {
        findings.push({ field, value: plan.type, expected: `${type} before it` });
      }
    }
  });
  return findings;
}

/** A step that is passed over leaves those that need it with nothing to work on. */
function skipFindings(chain: readonly Placed[]): Finding[] {
  const findings: Finding[] = [];
  for (const { plan, facts, field } of chain) {
    for (const { type } of facts.needs) {
      const needed = chain.find((each) => each.plan.type === type);
      const condition = needed?.plan.skipIf;
      if (!needed || !condition) continue;
      const same = plan.skipIf?.field === condition.field && plan.skipIf.equals === condition.equals;
      if (!same) {
        const expected = `none, or the same at ${plan.type} (${field}), which needs ${type}`;
        findings.push({ field: `${needed.field}/skipIf`, value: condition, expected });
      }
    }
  }
  return findings;
}
