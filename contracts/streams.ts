import {
  COMMAND_SUBJECTS,
  COMMAND_TRANSFORM,
  DEAD_SUBJECTS,
  DUE_CONSUMER,
  DUE_SUBJECTS,
  EVENT_SUBJECTS,
  eventSubject,
  PARTITIONS,
  partitionConsumer,
  partitionSubjects,
  RECEIPT_CONSUMER,
  RECEIPT_SUBJECTS,
  RUN_ENDS_CONSUMER,
  SCHEDULE_COMMAND_CONSUMER,
  SCHEDULE_COMMAND_SUBJECTS,
  STATS_CONSUMER,
  STEP_SUBJECTS,
  STREAMS,
  stepConsumer,
  stepTypeSubjects,
  TASK_RUN_CONSUMER,
  TASK_RUN_SUBJECTS,
  TIMER_SUBJECTS,
  TRIGGER_CONSUMER,
  TRIGGER_SUBJECTS,
} from './subjects.ts';

const MiB = 1024 * 1024;
const secondsToNanos = (seconds: number): number => seconds * 1_000_000_000;
const DAY_SECONDS = 24 * 60 * 60;

/** Largest body of a command or API request, in bytes. NATS refuses a whole message over 1 MiB by default. */
export const MAX_BODY_BYTES = 512 * 1024;

/** A command, or a task, of a dead or frozen holder comes back after this long. */
export const ACK_WAIT_MS = 5_000;
/** …unless the holder says every so often that it is still at work. */
export const EXTEND_EVERY_MS = 2_000;

/** The part of a stream's configuration that the product rests on, in JetStream's own field names. */
export interface StreamShape {
  name: string;
  subjects: string[];
  retention: 'workqueue' | 'limits';
  storage: 'file';
  discard: 'new' | 'old';
  max_bytes: number;
  max_age: number;
  duplicate_window: number;
  max_msgs_per_subject?: number;
  discard_new_per_subject?: boolean;
  subject_transform?: { src: string; dest: string };
  allow_msg_schedules?: boolean;
  allow_direct: boolean;
  description: string;
}

export interface StreamLimits {
  commandsMaxBytes: number;
  stepsMaxBytes: number;
  eventsMaxBytes: number;
  eventsMaxAgeSeconds: number;
  receiptsMaxBytes: number;
  triggersMaxBytes: number;
  deadMaxBytes: number;
}

export const DEFAULT_STREAM_LIMITS: StreamLimits = {
  commandsMaxBytes: 256 * MiB,
  stepsMaxBytes: 256 * MiB,
  eventsMaxBytes: 2048 * MiB,
  eventsMaxAgeSeconds: 7 * DAY_SECONDS,
  receiptsMaxBytes: 2048 * MiB,
  triggersMaxBytes: 256 * MiB,
  deadMaxBytes: 256 * MiB,
};

export function streamShapes(limits: StreamLimits = DEFAULT_STREAM_LIMITS): StreamShape[] {
  const common = {
    storage: 'file' as const,
    duplicate_window: secondsToNanos(120),
    max_age: 0,
    allow_direct: true,
  };
  return [
    {
      ...common,
      name: STREAMS.commands,
      description: 'Commands to batches and answers of steps, partitioned by batch ID',
      subjects: [COMMAND_SUBJECTS],
      retention: 'workqueue',
      discard: 'new',
      max_bytes: limits.commandsMaxBytes,
      subject_transform: { ...COMMAND_TRANSFORM },
    },
    {
      ...common,
      name: STREAMS.steps,
      description: 'Tasks of steps; a task exists once, until it is acknowledged',
      subjects: [STEP_SUBJECTS],
      retention: 'workqueue',
      discard: 'new',
      max_bytes: limits.stepsMaxBytes,
      max_msgs_per_subject: 1,
      discard_new_per_subject: true,
    },
    {
      ...common,
      name: STREAMS.events,
      description: 'Transitions, absolute versioned counters, ends of batches',
      subjects: [EVENT_SUBJECTS],
      retention: 'limits',
      discard: 'old',
      max_bytes: limits.eventsMaxBytes,
      max_age: secondsToNanos(limits.eventsMaxAgeSeconds),
    },
    {
      ...common,
      name: STREAMS.receipts,
      description: 'Delivery receipts and late answers, in groups',
      subjects: [RECEIPT_SUBJECTS],
      retention: 'workqueue',
      discard: 'new',
      max_bytes: limits.receiptsMaxBytes,
    },
    {
      ...common,
      name: STREAMS.schedules,
      description: 'Timers, what is due, commands to schedules, runs of tasks',
      subjects: [TIMER_SUBJECTS, DUE_SUBJECTS, SCHEDULE_COMMAND_SUBJECTS, TASK_RUN_SUBJECTS],
      retention: 'workqueue',
      // The server refuses timers with `new`; a limit would throw the oldest away. Their number is that of the schedules.
      discard: 'old',
      max_bytes: -1,
      allow_msg_schedules: true,
    },
    {
      ...common,
      name: STREAMS.triggers,
      description: 'Events of other programs, which rules make into commands',
      subjects: [TRIGGER_SUBJECTS],
      retention: 'workqueue',
      discard: 'new',
      max_bytes: limits.triggersMaxBytes,
    },
    {
      ...common,
      name: STREAMS.dead,
      description: 'Messages that could not be handled, with the reason',
      subjects: [DEAD_SUBJECTS],
      retention: 'limits',
      discard: 'old',
      max_bytes: limits.deadMaxBytes,
    },
  ];
}

/** The part of a durable consumer's configuration that the product rests on, in JetStream's own field names. */
export interface ConsumerShape {
  stream: string;
  durable_name: string;
  filter_subject?: string;
  filter_subjects?: string[];
  ack_policy: 'explicit';
  /** Nanoseconds. */
  ack_wait: number;
  max_ack_pending: number;
  /** -1: the server's own limit hides messages and has lost some; we count deliveries ourselves. */
  max_deliver: -1;
}

const durable = (stream: string, name: string, filter: string, maxAckPending: number): ConsumerShape => ({
  stream,
  durable_name: name,
  filter_subject: filter,
  ack_policy: 'explicit',
  ack_wait: secondsToNanos(ACK_WAIT_MS / 1000),
  max_ack_pending: maxAckPending,
  max_deliver: -1,
});

/** One consumer a partition; one command of it is out at a time, anywhere. */
export const partitionConsumers = (): ConsumerShape[] =>
  Array.from({ length: PARTITIONS }, (_, partition) =>
    durable(STREAMS.commands, partitionConsumer(partition), partitionSubjects(partition), 1),
  );

export const stepConsumerShape = (type: string): ConsumerShape =>
  durable(STREAMS.steps, stepConsumer(type), stepTypeSubjects(type), 10_000);

export const receiptConsumerShape = (): ConsumerShape =>
  durable(STREAMS.receipts, RECEIPT_CONSUMER, RECEIPT_SUBJECTS, 2_000);

export const statsConsumerShape = (): ConsumerShape =>
  durable(STREAMS.events, STATS_CONSUMER, EVENT_SUBJECTS, 2_000);

export const dueConsumerShape = (): ConsumerShape =>
  durable(STREAMS.schedules, DUE_CONSUMER, DUE_SUBJECTS, 4_000);

/** In order: a command that comes back after a crash must not overtake the one behind it. */
export const scheduleCommandConsumerShape = (): ConsumerShape =>
  durable(STREAMS.schedules, SCHEDULE_COMMAND_CONSUMER, SCHEDULE_COMMAND_SUBJECTS, 1);

export const taskRunConsumerShape = (): ConsumerShape =>
  durable(STREAMS.schedules, TASK_RUN_CONSUMER, TASK_RUN_SUBJECTS, 1_000);

/** What tells that a run has come to its end. */
export const runEndsConsumerShape = (): ConsumerShape => {
  const { filter_subject: _one, ...shape } = durable(STREAMS.events, RUN_ENDS_CONSUMER, '', 2_000);
  const events = ['ended', 'deleted', 'command-rejected'];
  return { ...shape, filter_subjects: events.map((event) => eventSubject('*', event)) };
};

/** One at a time, over all watchers: an event is obeyed before the next one of its source is looked at. */
export const triggerConsumerShape = (): ConsumerShape =>
  durable(STREAMS.triggers, TRIGGER_CONSUMER, TRIGGER_SUBJECTS, 1);
