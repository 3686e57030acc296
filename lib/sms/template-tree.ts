import type { Finding } from '../../contracts/errors.ts';

export type TemplateNode =
  | { kind: 'text'; text: string }
  | { kind: 'variable'; name: string }
  | { kind: 'section'; name: string; inverted: boolean; children: TemplateNode[] };

/** mustache's tokens: [symbol, value, start, end, children?, …]. */
type Token = [symbol: string, value: string, start: number, end: number, children?: unknown[]];

const REFUSED: Readonly<Record<string, string>> = {
  '>': 'no partials: write the text itself',
  '=': 'the delimiters {{ and }}: they cannot be changed',
};

/** Turns mustache's tokens into our nodes and adds a finding for each thing that a text must not use. */
export function treeOf(tokens: readonly unknown[], content: string, findings: Finding[]): TemplateNode[] {
  const nodes: TemplateNode[] = [];
  for (const [symbol, value, start, end, children] of tokens as Token[]) {
    const refuse = (expected: string) =>
      findings.push({ field: 'content', value: `${content.slice(start, end)} at ${start}`, expected });
    if (symbol === 'text') {
      nodes.push({ kind: 'text', text: value });
      continue;
    }
    if (symbol === '!') continue;
    const refusal = REFUSED[symbol];
    if (refusal !== undefined) {
      refuse(refusal);
      continue;
    }
    if (value === '') refuse('the name of a column between {{ and }}');
    // To mustache a dot is a path into objects; the columns of a table are flat.
    else if (value.includes('.')) refuse('the name of a column, without dots');
    if (symbol === '#' || symbol === '^') {
      const inner = treeOf(children ?? [], content, findings);
      nodes.push({ kind: 'section', name: value, inverted: symbol === '^', children: inner });
    } else {
      nodes.push({ kind: 'variable', name: value });
    }
  }
  return nodes;
}

/** All names in order of first use, and those that have a section of their own and so may be empty. */
export function variablesOf(nodes: readonly TemplateNode[]): { variables: string[]; guarded: Set<string> } {
  const variables = new Set<string>();
  const guarded = new Set<string>();
  const visit = (list: readonly TemplateNode[]) => {
    for (const node of list) {
      if (node.kind === 'text') continue;
      variables.add(node.name);
      if (node.kind === 'section') {
        guarded.add(node.name);
        visit(node.children);
      }
    }
  };
  visit(nodes);
  return { variables: [...variables], guarded };
}
