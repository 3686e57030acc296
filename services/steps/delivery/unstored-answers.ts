import { OUTCOME_OF_LETTER, type OutcomeLetter } from '../../../contracts/outcomes.ts';
import type { LateAnswer } from '../../../contracts/receipts.ts';
import { splitColumn } from '../../../lib/store/columns.ts';
import { decodeTimes } from '../../../lib/store/outcome-columns.ts';
import type { DeliveryChunk } from './delivery-chunk.ts';

/**
 * What the carrier answered of a chunk and its holder could not write any more: the next one takes these messages for in
 * doubt, so the receipts have to be told. A frozen worker reads such answers before it learns that its task is gone.
 */
export function unstoredAnswers({
  id,
  size,
  outcomes,
}: Pick<DeliveryChunk, 'id' | 'size' | 'outcomes'>): LateAnswer[] {
  const facts = outcomes.facts();
  if (!facts) return [];
  const ids = splitColumn(facts.ids, size);
  const codes = splitColumn(facts.codes, size);
  const times = decodeTimes(facts.times, facts.timesFromMs, size);
  const answers: LateAnswer[] = [];
  for (let position = 0; position < size; position++) {
    const outcome = OUTCOME_OF_LETTER[facts.statuses[position] as OutcomeLetter];
    if (outcome !== 'accepted' && outcome !== 'rejected') continue;
    const code = codes[position] ?? '';
    answers.push({
      chunk: id,
      position,
      outcome,
      messageId: (ids[position] ?? '').slice(0, 128),
      ...(code !== '' && { code }),
      atMs: times[position] ?? 0,
    });
  }
  return answers;
}
