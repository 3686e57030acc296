export const NOTE = '<!-- Made by `npm run generate`. Do not edit. -->';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** A table; bars and line breaks in its cells would open another column or row. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(heads), `|${heads.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

/** Paragraphs and tables, with an empty line between each two, and one line break at the end. */
export const page = (...blocks: readonly string[]): string => `${blocks.join('\n\n')}\n`;
