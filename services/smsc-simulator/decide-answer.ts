import type { Behaviour, ReceiptState, Rule } from './behaviour.ts';

/** What the simulated SMSC does with one message. */
export interface Verdict {
  commandStatus: number;
  /** How often. */
  answers: 0 | 1 | 2;
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
  const { latencyMs, latencyJitterMs, receipts } = behaviour;
  const { noAnswerShare, lateAnswerShare, lateAnswerMs, doubledAnswerShare } = behaviour;
  const plain: Verdict = {
    commandStatus: 0,
    answers: 1,
    delayMs: latencyMs,
    disconnect: undefined,
    receiptState: receipts.state,
  };
  const alwaysPlain =
    rules.length === 0 && latencyJitterMs + noAnswerShare + lateAnswerShare + doubledAnswerShare === 0;

  return (destination) => {
    if (alwaysPlain) return plain;
    const rule = rules.length === 0 ? undefined : firstMatch(rules, destination(), random);
    const unanswered = rule?.noAnswer ?? (noAnswerShare > 0 && random() < noAnswerShare);
    const late = lateAnswerShare > 0 && random() < lateAnswerShare ? lateAnswerMs : 0;
    const doubled = doubledAnswerShare > 0 && random() < doubledAnswerShare;
    return {
      commandStatus: rule?.commandStatus ?? 0,
      answers: unanswered ? 0 : doubled ? 2 : 1,
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
