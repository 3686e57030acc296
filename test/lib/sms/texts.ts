import fc from 'fast-check';

const GSM_CHARACTERS = [
  ...'@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCXYZÄÖÑÜ§¿abcxyzäöñüà',
];
const EXTENSIONS = [...'\f^{}\\[~]|€'];

/** Texts of GSM 03.38 with many escape pairs, long enough for several parts. */
export const gsmText = (maxLength = 700) =>
  fc.string({
    unit: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...GSM_CHARACTERS) },
      { weight: 1, arbitrary: fc.constantFrom(...EXTENSIONS) },
    ),
    maxLength,
    size: 'max',
  });

/** Chinese, accents and emoji of one code point each: nothing that a reader would join with its neighbour. */
export const wideText = (maxLength = 300) =>
  fc.string({
    unit: fc.constantFrom(...'abc €[中文短信测试，。【】áçΑ', '😀', '🚀', '𠮷'),
    maxLength,
    size: 'max',
  });

/** Anything, lone surrogates and control characters included. */
export const anyText = (maxLength = 500) =>
  fc
    .array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(0x20, 0x20ac, 0xd83d, 0xde00)), {
      maxLength,
      size: 'max',
    })
    .map((units) => String.fromCharCode(...units));

/** Shrinking a long text takes minutes, most of it in the oracle: a failure is reported with what was found by then. */
export const SHRINK_BRIEFLY = { interruptAfterTimeLimit: 15_000 };
