import Type, { type Static } from 'typebox';

export const ProviderListRequest = Type.Object(
  { requestId: Type.Optional(Type.String({ maxLength: 128 })) },
  { additionalProperties: false, description: 'Which carrier accounts there are.' },
);
export type ProviderListRequest = Static<typeof ProviderListRequest>;

export const ProviderListAnswer = Type.Object(
  {
    providers: Type.Array(
      Type.Object(
        {
          name: Type.String({ description: 'What batches call it in `providers`.' }),
          kind: Type.String(),
          tps: Type.Union([Type.Number(), Type.Null()], {
            description: 'Segments a second of the contract.',
          }),
          window: Type.Integer({ minimum: 1, description: 'Unanswered messages a process.' }),
          updatedAt: Type.String({ format: 'date-time' }),
          connected: Type.Optional(Type.Boolean({ description: 'In the process that answers.' })),
          trouble: Type.Optional(Type.String({ description: 'Why it is not connected there.' })),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);
export type ProviderListAnswer = Static<typeof ProviderListAnswer>;
