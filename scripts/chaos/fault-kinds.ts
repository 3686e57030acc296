/** What a run can do to the product and to what it stands on, with how often beside the others. */
export const FAULT_KINDS = {
  kill: { weight: 30, what: 'kill -9 of one, two or all of our processes' },
  freeze: { weight: 14, what: 'SIGSTOP of one of our processes for longer than ack_wait, then SIGCONT' },
  stop: { weight: 5, what: 'SIGTERM, then started again' },
  nats: { weight: 7, what: 'nats-server killed and started' },
  mongo: { weight: 7, what: 'MongoDB-compatible server killed and started' },
  redis: { weight: 6, what: 'Redis killed, flushed or frozen' },
  'slow-mongo': { weight: 3, what: 'MongoDB answers later than a turn may take' },
  cut: { weight: 8, what: 'TCP cut between a process and a server or the carrier' },
  'half-open': { weight: 6, what: 'TCP on which nothing arrives any more, without an end' },
  delay: { weight: 5, what: 'TCP that is late' },
  carrier: {
    weight: 12,
    what: 'no answers, late or doubled ones, throttling, dropped binds, odd receipts',
  },
  commands: {
    weight: 8,
    what: 'duplicated, reordered and stale commands; poison among commands and tasks',
  },
  disk: { weight: 2, what: 'the NATS store is full' },
  power: { weight: 2, what: 'the NATS store put back to an earlier copy' },
  wipe: { weight: 1, what: 'the NATS store lost' },
} as const;

export type FaultKind = keyof typeof FAULT_KINDS;
export const isFaultKind = (name: string): name is FaultKind => Object.hasOwn(FAULT_KINDS, name);
