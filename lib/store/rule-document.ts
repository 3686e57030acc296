import type { RuleDefinition } from '../../contracts/rule-api.ts';

/** A rule of the watcher: `rules`, one document a rule, changed only by `sms.api.rule.*`. */
export interface RuleDocument {
  _id: string;
  definition: RuleDefinition;
  /** Raised by every change; each is filtered on the one before. */
  version: number;
  createdAt: number;
  updatedAt: number;
}
