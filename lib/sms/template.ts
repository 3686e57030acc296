import mustache from 'mustache';
import type { Finding } from '../../contracts/errors.ts';
import { type TemplateNode, treeOf, variablesOf } from './template-tree.ts';

/** Rows have no prototype: on an ordinary object `{{constructor}}` would find something. Values are strings. */
export type TemplateRow = { readonly [variable: string]: string | undefined };

export interface Template {
  /** Names of the variables in order of first use, sections included. */
  readonly variables: readonly string[];
  render(row: TemplateRow): string;
  /**
   * Variables that this row should have and has not (absent or empty). One with a fallback of its own
   * (`{{^name}}you{{/name}}`, or used inside `{{#name}}`) is never missing.
   */
  missing(row: TemplateRow): string[];
  /** The same for rows as arrays in the order of `columns`: no object a row. */
  forColumns(columns: readonly string[]): ColumnTemplate;
}

export interface ColumnTemplate {
  render(values: readonly (string | undefined)[]): string;
  missing(values: readonly (string | undefined)[]): string[];
}

export type CompiledTemplate = { ok: true; template: Template } | { ok: false; findings: Finding[] };

/** Longer content is refused; mustache's scanner is quadratic in long runs of spaces. 65 GSM parts. */
export const MAX_CONTENT_CHARACTERS = 10_000;

// A writer of our own, without mustache's cache: rows may bring their own content, and it would never be emptied.
// (The types leave the property out.)
const writer = Object.assign(new mustache.Writer(), { templateCache: undefined });

/**
 * Compiles a mustache template for texts: nothing is escaped (`{{x}}`, `{{{x}}}` and `{{&x}}` are the same), and
 * values are strings, so a section shows once when its variable is not empty and an inverted one when it is.
 * @returns every finding at once, except that a template mustache cannot parse has only that one
 */
export function compileTemplate(content: string): CompiledTemplate {
  if (content.length > MAX_CONTENT_CHARACTERS) {
    const expected = `at most ${MAX_CONTENT_CHARACTERS} characters`;
    return { ok: false, findings: [{ field: 'content', value: `${content.length} characters`, expected }] };
  }
  let parsed: unknown[];
  try {
    parsed = writer.parse(content) as unknown[];
  } catch (error) {
    const expected = 'every {{ has its }}, and every {{#section}} or {{^section}} its {{/section}}';
    return { ok: false, findings: [{ field: 'content', value: (error as Error).message, expected }] };
  }
  const findings: Finding[] = [];
  const nodes = treeOf(parsed, content, findings);
  if (findings.length > 0) return { ok: false, findings };
  return { ok: true, template: templateOf(nodes) };
}

function templateOf(nodes: readonly TemplateNode[]): Template {
  const { variables, guarded } = variablesOf(nodes);
  const byName = (name: string) => (row: TemplateRow) => row[name];
  return {
    variables,
    render: rendererOf(nodes, byName),
    missing: missingOf(nodes, guarded, byName),
    forColumns(columns) {
      const byColumn = (name: string) => {
        const index = columns.indexOf(name);
        return index < 0 ? () => undefined : (values: readonly (string | undefined)[]) => values[index];
      };
      return { render: rendererOf(nodes, byColumn), missing: missingOf(nodes, guarded, byColumn) };
    },
  };
}

type Getter<Row> = (row: Row) => string | undefined;

/** Closures over plain arrays: no code is generated from a user's text. */
function rendererOf<Row>(
  nodes: readonly TemplateNode[],
  getterOf: (name: string) => Getter<Row>,
): (row: Row) => string {
  const parts = nodes.map((node): string | Getter<Row> => {
    if (node.kind === 'text') return node.text;
    const get = getterOf(node.name);
    if (node.kind === 'variable') return get;
    const inner = rendererOf(node.children, getterOf);
    return node.inverted ? (row) => (get(row) ? '' : inner(row)) : (row) => (get(row) ? inner(row) : '');
  });
  return (row) => {
    let text = '';
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i]!;
      text += typeof part === 'string' ? part : (part(row) ?? '');
    }
    return text;
  };
}

const NOTHING: string[] = [];

function missingOf<Row>(
  nodes: readonly TemplateNode[],
  guarded: ReadonlySet<string>,
  getterOf: (name: string) => Getter<Row>,
): (row: Row) => string[] {
  type Check = (row: Row, found: string[]) => string[];
  const checksOf = (list: readonly TemplateNode[]): Check[] =>
    list.flatMap((node): Check[] => {
      if (node.kind === 'text') return [];
      const get = getterOf(node.name);
      if (node.kind === 'variable') {
        const { name } = node;
        if (guarded.has(name)) return [];
        return [
          (row, found) => {
            if (get(row) || found.includes(name)) return found;
            return found === NOTHING ? [name] : [...found, name];
          },
        ];
      }
      const inner = checksOf(node.children);
      const { inverted } = node;
      return inner.length === 0
        ? []
        : [
            (row, found) =>
              Boolean(get(row)) === inverted ? found : inner.reduce((f, check) => check(row, f), found),
          ];
    });
  const checks = checksOf(nodes);
  return (row) => {
    let found = NOTHING;
    for (let i = 0; i < checks.length; i++) found = checks[i]!(row, found);
    return found === NOTHING ? [] : found;
  };
}
