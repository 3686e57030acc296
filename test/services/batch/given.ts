import type { Command, Verb } from '../../../contracts/commands.ts';
import type { ErrorBody } from '../../../contracts/errors.ts';
import { noOutcomes } from '../../../contracts/outcomes.ts';
import { stateName } from '../../../contracts/states.ts';
import { resolveChain } from '../../../lib/batch/chain.ts';
import { builtInStepTypes } from '../../../lib/steps/step-types.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';
import type { Effect } from '../../../lib/store/effects.ts';
import type { Decision, Facts } from '../../../services/batch/decide/decision.ts';
import { decide } from '../../../services/batch/decide.ts';

export const START_MS = Date.parse('2026-11-25T09:00:00Z');

/** Given/when/then over the pure rules: the actor's memory, moved by commands, its effects collected. */
export class Scenario {
  doc: BatchDocument | undefined;
  effects: Effect[] = [];
  last: Decision = { kind: 'unchanged' };
  nowMs = START_MS;
  held = false;

  static given(batch: Record<string, unknown> = {}): Scenario {
    const scenario = new Scenario();
    scenario.when('create', { batch: { name: 'b', content: 'hi', tableStorageName: 't', ...batch } });
    return scenario;
  }

  when<V extends Verb>(verb: V, body: Record<string, unknown> = {}, facts: Partial<Facts> = {}): this {
    this.nowMs += 1;
    const chain = resolveChain(
      this.doc?.definition.steps ?? (body.batch as never as { steps?: [] } | undefined)?.steps,
      builtInStepTypes(),
    );
    const all: Facts = {
      at: this.nowMs,
      createHash: JSON.stringify(body.batch ?? null),
      chain: chain.ok ? { steps: chain.steps, findings: [] } : { steps: [], findings: chain.findings },
      ...facts,
    };
    if (verb === 'update' && !(body.patch as { steps?: [] } | undefined)?.steps) delete all.chain;
    this.last = decide(this.doc, 'b1', { verb, body } as unknown as Command, all);
    if (this.last.kind === 'accepted') {
      this.doc = this.last.doc;
      this.effects = this.last.effects;
      this.held = this.last.hold;
    } else if (this.last.kind === 'told') this.effects = this.last.effects;
    return this;
  }

  get state(): string {
    return this.doc ? stateName(this.doc.state) : 'none';
  }

  get outcome(): Decision['kind'] {
    return this.last.kind;
  }

  get refusal(): ErrorBody | undefined {
    return this.last.kind === 'rejected' ? this.last.error : undefined;
  }

  /** The command to another batch that the last one asked for. */
  get child(): { batchId: string; verb: string } | undefined {
    return this.effects.find((effect) => effect.kind === 'command');
  }

  /** Tasks handed out by the last command. */
  get handedOut(): number[] {
    return this.effects.filter((effect) => effect.kind === 'task').map(({ task }) => task.task);
  }

  event(name: string): Record<string, unknown> | undefined {
    return this.effects.find((effect) => effect.kind === 'event' && effect.event === name) as never;
  }

  answer(kind: 'done' | 'failed' | 'yielded', task: number, extra: Record<string, unknown> = {}): this {
    const { incarnation, epoch, work } = this.doc!;
    return this.when(`step-${kind}`, { incarnation, epoch, step: work!.step, task, ...extra });
  }

  /** Runs the batch up to the phase, with `tasks` tasks of ten recipients each in the chunked steps. */
  upTo(phase: string, tasks = 3): this {
    for (let steps = 0; this.doc!.work?.step !== phase; steps++) {
      if (steps > 20) throw new Error(`never came to ${phase}: ${this.state} ${JSON.stringify(this.last)}`);
      if (this.doc!.state.phase === null && this.doc!.state.status === 'Pending') this.when('start');
      else this.finishPhase(tasks);
    }
    return this;
  }

  finishPhase(tasks = 3): this {
    const step = this.doc!.work!.step;
    while (this.doc!.work?.step === step && this.doc!.state.status === 'Running') {
      this.answer('done', this.doc!.work.out[0]!, resultOf(step, tasks));
      if (this.last.kind !== 'accepted') throw new Error(`answer not taken: ${JSON.stringify(this.last)}`);
    }
    return this;
  }
}

export function resultOf(step: string, tasks: number): Record<string, unknown> {
  if (step === 'partition') return { result: { total: tasks * 10, chunks: tasks, tasks } };
  if (step === 'preparation') return { result: { counts: { ...noOutcomes(), pending: 10 }, segments: 10 } };
  if (step === 'delivery') return { result: { counts: { ...noOutcomes(), accepted: 10 }, segments: 10 } };
  if (step === 'statistics') return { result: { counts: { ...noOutcomes(), accepted: tasks * 10 } } };
  return {};
}
