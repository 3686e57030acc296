import type { EventBody, EventName } from '../../contracts/events.ts';
import type { StepTask } from '../../contracts/steps.ts';

/**
 * What a turn wants done, in order, each harmless when done twice. Kept in the batch document beside the state
 * (design: "The actor's turn"), so that a crash after the write is repaired by whoever reads it next.
 */
export type Effect =
  /**
   * Makes or renews a task document (guarded by epoch) and publishes its message. `again`: it was handed out before, so
   * its document should be there, and says how far it came.
   */
  | { kind: 'task'; task: StepTask; again?: true }
  /** Changes the rate of tasks that are out. */
  | { kind: 'rate'; ratePerSecond: number | null }
  /** Brings the timer of scheduleTime in step with the document. */
  | { kind: 'timer' }
  | EventEffect
  /** A command to another batch, as a child's create. */
  | { kind: 'command'; batchId: string; verb: string; body: Record<string, unknown> };

export type EventEffect = {
  [N in EventName]: { kind: 'event'; event: N; body: EventBody<N> };
}[EventName];
