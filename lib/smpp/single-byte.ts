/** Whether each character is one byte other than NUL, which would end a C-octet string early at the peer. */
export function isSingleByte(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0 || code > 0xff) return false;
  }
  return true;
}
