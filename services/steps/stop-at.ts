import type { TaskChanges } from '../../lib/tasks/take.ts';
import type { StepContext, StepOutcome } from './step.ts';

/**
 * To be called between two pieces of work: stores how far it has come, says that it lives, and how to end, if it has to.
 * @returns undefined: go on
 */
export async function stopAt(
  context: StepContext,
  changes: TaskChanges = {},
): Promise<StepOutcome | undefined> {
  const guard = await context.guard(changes);
  if (guard === 'lost') return { kind: 'lost' };
  if (guard === 'hold') return { kind: 'yielded' };
  return context.signal.aborted ? { kind: 'left' } : undefined;
}
