const CLOSE = '<!-- /generated -->';
const open = (section: string): string => `<!-- generated:${section} -->`;

/** Only where there is no README at all. */
export const README_SKELETON = `# smsbatch

Bulk-SMS batches as actors on NATS JetStream: every message accounted for, stoppable within a second.

## States of a batch

${open('states')}
${CLOSE}
`;

/**
 * The text with what stands between the section's markers replaced.
 * @throws where the markers are missing: a section that nobody sees would go stale without a word
 */
export function withSection(text: string, section: string, content: string): string {
  const start = text.indexOf(open(section));
  const end = text.indexOf(CLOSE, start);
  if (start === -1 || end === -1) {
    throw new Error(`README.md has no ${open(section)} … ${CLOSE}: put the two lines where it belongs`);
  }
  return `${text.slice(0, start)}${open(section)}\n${content}\n${text.slice(end)}`;
}
