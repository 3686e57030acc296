import type { Behaviour, ReceiptState, Rule } from './behaviour.ts';

/** What the simulated SMSC does with one message. */
export interface Verdict {
  commandStatus: number;
  answered: boolean;
  delayMs: number;
  disconnect: 'before' | 'after' | undefined;
  receiptState: ReceiptState;
}

interface CompiledRule {
  rule: Rule;
  pattern: RegExp | undefined;
  seen: Map<string, number>;
}

/** Compiles a behaviour into a function from a destination to what happens to its message. */
export function createDecider(
  behaviour: Behaviour,
  random: () => number,
): (destination: () => string) => Verdict {
  const rules: CompiledRule[] = behaviour.rules.map((rule) => ({
    rule,
    pattern: rule.pattern === undefined ? undefined : new RegExp(rule.pattern),
    seen: new Map(),
  }));
  const { latencyMs, latencyJitterMs, noAnswerShare, lateAnswerShare, lateAnswerMs, receipts } = behaviour;
  const plain: Verdict = {
    commandStatus: 0,
    answered: true,
    delayMs: latencyMs,
    disconnect: undefined,
    receiptState: receipts.state,
  };
  const alwaysPlain =
    rules.length === 0 && latencyJitterMs === 0 && noAnswerShare === 0 && lateAnswerShare === 0;

  return (destination) => {
    if (alwaysPlain) return plain;
    const rule = rules.length === 0 ? undefined : firstMatch(rules, destination(), random);
    const unanswered = rule?.noAnswer ?? (noAnswerShare > 0 && random() < noAnswerShare);
    const late = lateAnswerShare > 0 && random() < lateAnswerShare ? lateAnswerMs : 0;
    return {
      commandStatus: rule?.commandStatus ?? 0,
      answered: !unanswered,
      delayMs:
        latencyMs + (latencyJitterMs > 0 ? random() * latencyJitterMs : 0) + late + (rule?.delayMs ?? 0),
      disconnect: rule?.disconnect,
      receiptState: rule?.receiptState ?? receipts.state,
    };
  };
}

function firstMatch(
  rules: readonly CompiledRule[],
  destination: string,
  random: () => number,
): Rule | undefined {
  for (const { rule, pattern, seen } of rules) {
    if (rule.prefix !== undefined && !destination.startsWith(rule.prefix)) continue;
    if (rule.suffix !== undefined && !destination.endsWith(rule.suffix)) continue;
    if (pattern !== undefined && !pattern.test(destination)) continue;
    if (rule.share !== undefined && random() >= rule.share) continue;
    if (rule.times !== undefined) {
      const before = seen.get(destination) ?? 0;
      if (before >= rule.times) continue;
      seen.set(destination, before + 1);
    }
    return rule;
  }
  return undefined;
}
