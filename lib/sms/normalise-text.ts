/**
 * Code units that NFC leaves alone whatever stands beside them: no combining mark, nothing that composes.
 * Up to U+02FF; general punctuation (without U+2000 and U+2001, which NFC replaces); CJK punctuation, kana and
 * ideographs (without the combining tone and voicing marks); full-width forms. A test holds it to Unicode.
 */
export const isInertUnderNfc = (unit: number): boolean =>
  unit < 0x300 ||
  (unit >= 0x4e00 && unit <= 0x9fff) ||
  (unit >= 0x3000 &&
    unit <= 0x4dff &&
    (unit < 0x302a || unit > 0x302f) &&
    unit !== 0x3099 &&
    unit !== 0x309a) ||
  (unit >= 0xff00 && unit <= 0xffef) ||
  (unit >= 0x2002 && unit <= 0x206f);

/**
 * Composes accents (NFC): "e" + U+0301 is not in GSM 03.38, "é" is, so that 70 decomposed letters would cost
 * three UCS-2 parts instead of one GSM part. Texts that cannot change are returned as they are.
 */
export function normaliseText(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (!isInertUnderNfc(text.charCodeAt(i))) return text.normalize('NFC');
  }
  return text;
}
