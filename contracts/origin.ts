import Type, { type Static } from 'typebox';
import { instant } from './instant.ts';

export const ORIGIN_KINDS = ['schedule', 'trigger', 'folder'] as const;

/** What made a batch, where no person did: its back-link. */
export const BatchOrigin = Type.Object(
  {
    kind: Type.Enum(ORIGIN_KINDS),
    id: Type.String({
      minLength: 1,
      maxLength: 256,
      description: 'Of the schedule, the trigger or the folder.',
    }),
    at: instant('The due time, or when the event or the file was seen.'),
    file: Type.Optional(Type.String({ maxLength: 256, description: 'Name of the file.' })),
  },
  { additionalProperties: false, description: 'What made the batch.' },
);
export type BatchOrigin = Static<typeof BatchOrigin>;
