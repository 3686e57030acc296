import Type, { type Static } from 'typebox';

const REFUSAL_CLASSES = ['throttled', 'transient', 'session', 'recipient', 'batch', 'inDoubt'] as const;
const ton = (of: string) => Type.Integer({ minimum: 0, maximum: 7, description: `Type of number of ${of}.` });
const npi = (of: string) =>
  Type.Integer({ minimum: 0, maximum: 18, description: `Numbering plan of ${of}.` });

/** One SMPP account, as it stands in SMSBATCH_PROVIDERS. Secrets come from `passwordFile`, or inline on a test machine. */
export const SmppAccount = Type.Object(
  {
    name: Type.String({
      pattern: '^[A-Za-z0-9_-]{1,64}$',
      description: 'What batches call it in `providers`; a subject token.',
    }),
    kind: Type.Literal('smpp'),
    host: Type.String({ minLength: 1 }),
    port: Type.Integer({ minimum: 1, maximum: 65_535 }),
    tls: Type.Optional(Type.Boolean({ default: false })),
    systemId: Type.String({ minLength: 1, maxLength: 64 }),
    password: Type.Optional(Type.String({ maxLength: 64 })),
    passwordFile: Type.Optional(
      Type.String({ minLength: 1, description: 'A file that holds the password.' }),
    ),
    systemType: Type.Optional(Type.String({ maxLength: 12 })),
    bindType: Type.Optional(
      Type.Union([Type.Literal('transceiver'), Type.Literal('transmitter')], {
        default: 'transceiver',
        description: 'transmitter: receipts come over a receiver bind of its own.',
      }),
    ),
    sessions: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 64, default: 1, description: 'Binds a process.' }),
    ),
    window: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10_000, default: 100, description: 'Unanswered messages a bind.' }),
    ),
    tps: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        description: 'Segments a second of the contract, over all processes.',
      }),
    ),
    senderTps: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        description: 'Segments a second of one sender, over all processes.',
      }),
    ),
    receipts: Type.Optional(Type.Boolean({ default: true, description: 'Ask for delivery receipts.' })),
    reference: Type.Optional(
      Type.Union([Type.Literal('udh8'), Type.Literal('udh16')], {
        default: 'udh8',
        description: 'Concatenation header of long texts.',
      }),
    ),
    serviceType: Type.Optional(Type.String({ maxLength: 5 })),
    sourceTon: Type.Optional(ton('numeric senders; by their length unless given')),
    sourceNpi: Type.Optional(npi('numeric senders')),
    destinationTon: Type.Optional(ton('recipients; 1 unless given')),
    destinationNpi: Type.Optional(npi('recipients; 1 unless given')),
    bindTon: Type.Optional(ton('the bind')),
    bindNpi: Type.Optional(npi('the bind')),
    addressRange: Type.Optional(Type.String({ maxLength: 40 })),
    responseTimeoutMs: Type.Optional(Type.Integer({ minimum: 100, maximum: 600_000, default: 30_000 })),
    enquireLinkMs: Type.Optional(Type.Integer({ minimum: 100, maximum: 600_000, default: 30_000 })),
    statusOverrides: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^(0x[0-9A-Fa-f]{1,8}|[0-9]{1,10})$' }),
        Type.Object(
          {
            class: Type.Union(REFUSAL_CLASSES.map((each) => Type.Literal(each))),
            text: Type.Optional(Type.String({ maxLength: 200 })),
          },
          { additionalProperties: false },
        ),
        { description: 'Meanings of the carrier’s own status codes.' },
      ),
    ),
  },
  { additionalProperties: false },
);
export type SmppAccount = Static<typeof SmppAccount>;
