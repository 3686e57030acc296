import type { InlineRecipient } from '../../contracts/batch.ts';
import type { StepTypes } from '../steps/step-types.ts';

/** The recipients a definition names, as far as a check has to know them. */
export interface RecipientsFacts {
  /** What its template may use; undefined where nobody can know before it is read. */
  columns: readonly string[] | undefined;
  rows: number;
  /** Why the phone numbers of a plain collection cannot be found in it, in words. */
  noPhoneColumn?: string;
}

/** What has to be read before a definition can be checked; gathered by gather-facts.ts, so that the check is pure. */
export interface DefinitionFacts {
  /** The recipient table of that name; null where there is none. */
  table: RecipientsFacts | null;
  /** A plain MongoDB collection of that name, where there is no such table. */
  collection: RecipientsFacts | null;
  inline: readonly InlineRecipient[] | undefined;
  /** Recipients of a parent batch, taken by filter; it may be gone. */
  parent: (RecipientsFacts & { exists: boolean }) | undefined;
  /** Names of the provider accounts that exist. */
  providers: readonly string[];
  stepTypes: StepTypes;
  /** ms since 1970. */
  nowMs: number;
  /** The batch runs: its scheduleTime has passed, as it should. */
  started: boolean;
  /** Nothing is sent: no provider is needed. */
  dryRun: boolean;
}
