import type { BatchDefinition } from '../../contracts/batch.ts';
import { shown } from '../../contracts/check.ts';
import type { Finding } from '../../contracts/errors.ts';
import { isKnownCountry } from '../phone/numbering-plan.ts';
import { resolveChain } from './chain.ts';
import { contentFindings } from './content-findings.ts';
import type { DefinitionFacts } from './definition-facts.ts';
import { senderFindings } from './sender-findings.ts';

/**
 * Everything that is wrong with a definition, at once, each with its field. Pure.
 * The shape of the fields is checked before, by their schema (contracts/batch.ts).
 */
export function findingsOf(definition: BatchDefinition, facts: DefinitionFacts): Finding[] {
  const chain = resolveChain(definition.steps, facts.stepTypes);
  const sends = !facts.dryRun && (!chain.ok || chain.steps.some(({ type }) => type === 'delivery'));
  return [
    ...recipientsFindings(definition, facts),
    ...typeFindings(definition),
    ...contentFindings(definition, facts),
    ...(sends ? providerFindings(definition, facts) : []),
    ...senderFindings(definition),
    ...timeFindings(definition, facts),
    ...countryFindings(definition),
    ...(chain.ok ? [] : chain.findings),
  ];
}

function recipientsFindings({ tableStorageName }: BatchDefinition, facts: DefinitionFacts): Finding[] {
  const { inline, parent, table, collection } = facts;
  if (parent) {
    if (parent.exists) return [];
    return [
      { field: 'parent', value: undefined, expected: 'a parent batch with recipients that are still kept' },
    ];
  }
  const findings: Finding[] = [];
  if (tableStorageName !== undefined && inline) {
    const value = `beside ${tableStorageName}`;
    findings.push({ field: 'recipients', value, expected: 'recipients or tableStorageName, not both' });
  }
  if (inline?.length === 0) {
    findings.push({ field: 'recipients', value: [], expected: 'at least one recipient' });
  }
  if (tableStorageName === undefined) {
    if (!inline) {
      const expected = 'the name of a recipient table, or recipients';
      findings.push({ field: 'tableStorageName', value: undefined, expected });
    }
    return findings;
  }
  const named = table ?? collection;
  if (!named) {
    const expected = 'a recipient table, or a MongoDB collection, that exists';
    findings.push({ field: 'tableStorageName', value: tableStorageName, expected });
  } else if (named.noPhoneColumn !== undefined) {
    const expected = `a collection with a field called phone, msisdn, mobile, 手机号 …: ${named.noPhoneColumn}`;
    findings.push({ field: 'tableStorageName', value: tableStorageName, expected });
  } else if (named.rows === 0) {
    findings.push({
      field: 'tableStorageName',
      value: tableStorageName,
      expected: 'a table with rows; it is empty',
    });
  }
  return findings;
}

function typeFindings({ messageType }: BatchDefinition): Finding[] {
  if (messageType === undefined || messageType === 'SMS') return [];
  return [{ field: 'messageType', value: messageType, expected: `SMS; ${messageType} is not supported` }];
}

function providerFindings({ providers }: BatchDefinition, facts: DefinitionFacts): Finding[] {
  const known = facts.providers;
  const accounts =
    known.length > 0 ? `a provider account: ${known.join(', ')}` : 'a provider account; there is none yet';
  if (providers === undefined || providers.length === 0) {
    return known.length > 0 ? [] : [{ field: 'providers', value: providers, expected: accounts }];
  }
  return providers.flatMap((name, index): Finding[] => {
    const field = `providers/${index}`;
    if (!known.includes(name)) return [{ field, value: name, expected: accounts }];
    const first = providers.indexOf(name);
    if (first === index) return [];
    return [{ field, value: name, expected: `each account once: it stands at providers/${first} already` }];
  });
}

function timeFindings({ scheduleTime, notAfter }: BatchDefinition, facts: DefinitionFacts): Finding[] {
  const findings: Finding[] = [];
  const now = new Date(facts.nowMs).toISOString();
  const instant = (field: string, value: string | undefined): number | undefined => {
    if (value === undefined) return undefined;
    const ms = Date.parse(value);
    if (!Number.isNaN(ms)) return ms;
    findings.push({ field, value: shown(value), expected: 'an RFC 3339 time, as 2026-11-24T12:00:00Z' });
    return undefined;
  };
  const scheduled = instant('scheduleTime', scheduleTime);
  const end = instant('notAfter', notAfter);
  if (scheduled !== undefined && !facts.started && scheduled < facts.nowMs) {
    findings.push({
      field: 'scheduleTime',
      value: scheduleTime,
      expected: `a time in the future; it is ${now}`,
    });
  }
  if (end !== undefined && end <= facts.nowMs) {
    findings.push({ field: 'notAfter', value: notAfter, expected: `a time in the future; it is ${now}` });
  } else if (end !== undefined && scheduled !== undefined && end <= scheduled) {
    findings.push({
      field: 'notAfter',
      value: notAfter,
      expected: `a time after scheduleTime (${scheduleTime})`,
    });
  }
  return findings;
}

function countryFindings({ defaultCountry }: BatchDefinition): Finding[] {
  if (defaultCountry === undefined || isKnownCountry(defaultCountry)) return [];
  return [{ field: 'defaultCountry', value: defaultCountry, expected: 'an ISO 3166 country, as GB' }];
}
