import { isDeepStrictEqual } from 'node:util';
import type { Collection } from 'mongodb';
import { errorBody, RefusedError } from '../../../contracts/errors.ts';
import type { RuleDefinition, RuleListAnswer, RuleView } from '../../../contracts/rule-api.ts';
import { isDuplicateKey } from '../../../lib/mongo/errors.ts';
import type { IndexTable } from '../../../lib/mongo/indexes.ts';
import type { RuleDocument } from '../../../lib/store/rule-document.ts';
import type { Rule } from '../pure/decide-trigger.ts';

export const RULE_INDEXES: IndexTable = {
  rules: [{ name: 'source', key: { 'definition.source': 1, _id: 1 } }],
};

type Rules = Collection<RuleDocument>;

/** All of a source are looked at for each of its events. */
const MAX_RULES_A_SOURCE = 200;
/** Someone else wrote between our read and our write, this often in a row. */
const LOST_WRITES = 5;

export const viewOf = ({ _id, definition, version, createdAt, updatedAt }: RuleDocument): RuleView => ({
  id: _id,
  ...definition,
  version,
  createdAt: new Date(createdAt).toISOString(),
  updatedAt: new Date(updatedAt).toISOString(),
});

export async function rulesFor(rules: Rules, source: string): Promise<Rule[]> {
  const found = await rules
    .find({ 'definition.source': source }, { limit: MAX_RULES_A_SOURCE, sort: { _id: 1 } })
    .toArray();
  return found.map(({ _id, definition }) => ({ ...definition, id: _id }));
}

/** @throws RefusedError */
export async function findRule(rules: Rules, id: string): Promise<RuleDocument> {
  const found = await rules.findOne({ _id: id });
  if (found) return found;
  throw new RefusedError(
    errorBody('not-found', `There is no rule ${id}.`, [
      { field: 'id', value: id, expected: 'a rule that sms.api.rule.list shows' },
    ]),
  );
}

/** The same create twice is one rule. @throws RefusedError */
export async function createRule(
  rules: Rules,
  id: string,
  definition: RuleDefinition,
  nowMs: number,
): Promise<RuleDocument> {
  const { source } = definition;
  const ofSource = await rules.countDocuments({ 'definition.source': source, _id: { $ne: id } });
  if (ofSource >= MAX_RULES_A_SOURCE) {
    throw new RefusedError(
      errorBody('invalid', `Source ${source} has ${ofSource} rules.`, [
        { field: 'rule/source', value: source, expected: `at most ${MAX_RULES_A_SOURCE} rules a source` },
      ]),
    );
  }
  const document = { _id: id, definition, version: 1, createdAt: nowMs, updatedAt: nowMs };
  try {
    await rules.insertOne(document);
    return document;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
  const there = await findRule(rules, id);
  if (isDeepStrictEqual(there.definition, definition)) return there;
  throw new RefusedError(
    errorBody('already-exists', `Rule ${id} exists with another definition.`, [
      { field: 'id', value: id, expected: 'another ID, or sms.api.rule.update' },
    ]),
  );
}

/** @throws RefusedError */
export async function changeRule(
  rules: Rules,
  id: string,
  { expectedVersion, nowMs }: { expectedVersion: number | undefined; nowMs: number },
  change: (definition: RuleDefinition) => RuleDefinition,
): Promise<RuleDocument> {
  for (let lost = 0; lost < LOST_WRITES; lost++) {
    const before = await findRule(rules, id);
    if (expectedVersion !== undefined && expectedVersion !== before.version) break;
    const after = {
      ...before,
      definition: change(before.definition),
      version: before.version + 1,
      updatedAt: nowMs,
    };
    const { matchedCount } = await rules.replaceOne({ _id: id, version: before.version }, after);
    if (matchedCount === 1) return after;
  }
  const { version } = await findRule(rules, id);
  throw new RefusedError(
    errorBody('version-conflict', `Rule ${id} has version ${version}.`, [
      { field: 'expectedVersion', value: expectedVersion, expected: String(version) },
    ]),
  );
}

export async function listRules(
  rules: Rules,
  { source, limit = 100, cursor = '' }: { source?: string; limit?: number; cursor?: string },
): Promise<RuleListAnswer> {
  const found = await rules
    .find(
      { _id: { $gt: cursor }, ...(source !== undefined && { 'definition.source': source }) },
      { sort: { _id: 1 }, limit: limit + 1 },
    )
    .toArray();
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return { rules: page.map(viewOf), ...(last && found.length > limit && { nextCursor: last._id }) };
}
