import type { Finding } from '../../contracts/errors.ts';
import type { BatchTemplate } from '../../contracts/template.ts';
import type { Store } from '../store/collections.ts';
import { gatherFacts } from './gather-facts.ts';
import { fillTemplate, type TemplateUse, uploadOf } from './template.ts';
import { findingsOf } from './validate-definition.ts';

/**
 * Everything that is wrong with a template, found before its first run: filled for `sample`, checked like any definition.
 * Recipients that come with the run (an upload, a file, a table whose name holds a placeholder) are not looked for.
 */
export async function templateFindings(
  store: Store,
  template: BatchTemplate,
  sample: TemplateUse,
  nowMs: number,
): Promise<Finding[]> {
  const recipientsLater = sample.table !== undefined || template.upload !== undefined;
  const both = bothFindings(template, recipientsLater);
  const upload = uploadOf(template, sample);
  const filled = fillTemplate(
    template,
    recipientsLater ? { ...sample, table: sample.table ?? 'upload' } : sample,
  );
  if (!filled.ok) return [...both, ...filled.errors, ...(upload && !upload.ok ? upload.errors : [])];
  const { recipients, ...definition } = filled.value;
  const gathered = await gatherFacts(
    store,
    { definition, ...(recipients && { inline: recipients }), started: false, dryRun: false },
    nowMs,
  );
  const unknown = recipientsLater || template.tableStorageName?.includes('${');
  const facts = unknown
    ? { ...gathered, table: { columns: undefined, rows: 1 }, collection: null, inline: undefined }
    : gathered;
  return [...both, ...(upload && !upload.ok ? upload.errors : []), ...findingsOf(definition, facts)];
}

function bothFindings(template: BatchTemplate, recipientsLater: boolean): Finding[] {
  if (!recipientsLater) return [];
  return (['tableStorageName', 'recipients'] as const)
    .filter((field) => template[field] !== undefined)
    .map((field) => ({ field, value: template[field], expected: 'none: the recipients come with each run' }));
}
