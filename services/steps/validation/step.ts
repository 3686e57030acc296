import { lifeId } from '../../../contracts/ids.ts';
import { gatherFacts } from '../../../lib/batch/gather-facts.ts';
import { findingsOf } from '../../../lib/batch/validate-definition.ts';
import { type Step, StepFailure } from '../step.ts';

/** Checks the batch's configuration against what exists now; every finding at once. */
export const validationStep: Step = {
  type: 'validation',
  defaultTimeoutMs: 60_000,
  concurrency: 2,
  async run({ batch, store }) {
    const life = lifeId(batch._id, batch.incarnation);
    const { definition, parent, dryRun = false } = batch;
    const checked = { definition, life, started: true, dryRun, ...(parent && { parent }) };
    const findings = findingsOf(definition, await gatherFacts(store, checked, Date.now()));
    if (findings.length === 0) return { kind: 'done' };
    const fields = [...new Set(findings.map(({ field }) => field))].join(', ');
    throw new StepFailure('invalid', `The configuration does not hold: ${fields}.`, findings);
  },
};
