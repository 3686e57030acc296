/** The package carries no types. */
declare module 'split2' {
  import type { Transform } from 'node:stream';
  export default function split2(
    mapper: (line: string) => unknown,
    options: { maxLength: number },
  ): Transform;
}
