/** Subjects that no schedule may publish to, whatever the configuration says: they are the engine's or the server's own. */
const NEVER = [
  '$',
  '_INBOX.',
  'sms.schedule.',
  'sms.due.',
  'sms.task.',
  'sms.step.',
  'sms.evt.',
  'sms.dead.',
];

/** Whether one of the patterns (NATS wildcards `*` and `>`) allows a subject. */
export function allowsSubject(patterns: readonly string[], subject: string): boolean {
  if (!/^[^\s.*>]+(\.[^\s.*>]+)*$/.test(subject)) return false;
  if (NEVER.some((prefix) => subject.startsWith(prefix))) return false;
  return patterns.some((pattern) => matches(pattern.split('.'), subject.split('.')));
}

function matches(pattern: readonly string[], subject: readonly string[]): boolean {
  for (const [index, token] of pattern.entries()) {
    if (token === '>') return subject.length > index;
    if (index >= subject.length || (token !== '*' && token !== subject[index])) return false;
  }
  return pattern.length === subject.length;
}
