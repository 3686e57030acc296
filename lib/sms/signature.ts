/**
 * Adds the sender's signature. One in 【】 goes in front, as Chinese carriers require and readers expect; any other
 * goes to the end. Nothing is put between: every character is paid for, so a signature brings its own space.
 * A text that already begins or ends with it stays as it is.
 */
export function appendSignature(text: string, signature: string | undefined): string {
  if (!signature || text.startsWith(signature) || text.endsWith(signature)) return text;
  return signature.startsWith('【') ? signature + text : text + signature;
}
