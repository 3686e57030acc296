/** Named moments of a task's work, at which a test may kill or freeze the process. */
export const FAULT_POINTS = [
  'intent:before',
  'intent:issued',
  'intent:acknowledged',
  'outcomes:before',
  'outcomes:issued',
  'outcomes:stored',
  'close:before',
] as const;
export type FaultPoint = (typeof FAULT_POINTS)[number];
export type Faults = (point: FaultPoint) => void;
