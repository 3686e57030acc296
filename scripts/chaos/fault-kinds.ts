interface FaultKindInfo {
  /** How often, beside the others. */
  weight: number;
  what: string;
  /** Makes sense only with one nats-server, or only with three. */
  only?: 'single' | 'cluster';
}

/** What a run can do to the product and to what it stands on. */
export const FAULT_KINDS = {
  kill: { weight: 30, what: 'kill -9 of one, two or all of our processes' },
  freeze: { weight: 14, what: 'SIGSTOP of one of our processes for longer than ack_wait, then SIGCONT' },
  point: { weight: 10, what: 'a process kills or freezes itself at a named point of its work' },
  stop: { weight: 5, what: 'SIGTERM, then started again' },
  nats: { weight: 7, what: 'nats-server killed and started', only: 'single' },
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
  disk: { weight: 2, what: 'the NATS store is full', only: 'single' },
  power: { weight: 2, what: 'the NATS store put back to an earlier copy', only: 'single' },
  wipe: { weight: 1, what: 'the NATS store lost', only: 'single' },
  leader: { weight: 8, what: 'the leader of a stream or of the cluster killed or frozen', only: 'cluster' },
  followers: { weight: 4, what: 'a nats-server that leads nothing is lost for a while', only: 'cluster' },
  quorum: { weight: 3, what: 'two of three nats-servers lost', only: 'cluster' },
  rolling: { weight: 2, what: 'planned restart of the three nats-servers, one by one', only: 'cluster' },
} as const satisfies Record<string, FaultKindInfo>;

export type FaultKind = keyof typeof FAULT_KINDS;
/** All that make sense there. */
export const kindsFor = (place: 'single' | 'cluster'): FaultKind[] =>
  (Object.keys(FAULT_KINDS) as FaultKind[]).filter((kind) => {
    const { only }: FaultKindInfo = FAULT_KINDS[kind];
    return only === undefined || only === place;
  });

export const isFaultKind = (name: string): name is FaultKind => Object.hasOwn(FAULT_KINDS, name);
