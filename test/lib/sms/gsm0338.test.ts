import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { absentFromGsm7, decodeGsm7, encodeGsm7Into, isGsm7, septets } from '../../../lib/sms/gsm0338.ts';
import { gsmText } from './texts.ts';

const encode = (text: string): number[] => {
  const buffer = new Uint8Array(text.length * 2);
  return [...buffer.subarray(0, encodeGsm7Into(text, buffer, 0))];
};

test('the letters that are in the alphabet, and their look-alikes that are not', () => {
  for (const character of '@£$¥èéùìòÇØøÅåÆæßÉÄÖÑÜ§¿äöñüàΔΦΓΛΩΠΨΣΘΞ¡¤\n\r_ \'"') {
    assert.ok(isGsm7(character), character);
  }
  for (const character of 'çáíóúêã`’“”–…\t\u00a0\u001bÁΑ中😀') assert.ok(!isGsm7(character), character);
});

test('each extension character is an escape and a septet, and counts two', () => {
  const table: [string, number][] = [
    ['\f', 0x0a],
    ['^', 0x14],
    ['{', 0x28],
    ['}', 0x29],
    ['\\', 0x2f],
    ['[', 0x3c],
    ['~', 0x3d],
    [']', 0x3e],
    ['|', 0x40],
    ['€', 0x65],
  ];
  for (const [character, code] of table) {
    assert.deepEqual(encode(character), [0x1b, code], character);
    assert.equal(septets(character), 2, character);
  }
});

test('known codes', () => {
  assert.deepEqual(encode('@Hello_Ç'), [0x00, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x11, 0x09]);
  assert.deepEqual(encode('¡¿§à'), [0x40, 0x60, 0x5f, 0x7f]);
});

test('what is encoded is decoded, and takes as many octets as it counts septets', () => {
  fc.assert(
    fc.property(gsmText(), (text) => {
      const octets = encode(text);
      assert.equal(octets.length, septets(text));
      assert.equal(decodeGsm7(Uint8Array.from(octets)), text);
    }),
  );
});

test('every octet string decodes, escapes at the end and before unknown codes included', () => {
  assert.equal(decodeGsm7(Uint8Array.of(0x41, 0x1b)), 'A ');
  assert.equal(decodeGsm7(Uint8Array.of(0x1b, 0x41)), 'A');
  assert.equal(decodeGsm7(Uint8Array.of(0x1b, 0x1b)), ' ');
  fc.assert(fc.property(fc.uint8Array(), (bytes) => isGsm7(decodeGsm7(bytes))));
});

test('a text with any other character is refused by encoder, count and predicate alike', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const absent = absentFromGsm7(text);
      assert.equal(isGsm7(text), absent.length === 0);
      assert.equal(septets(text) < 0, absent.length > 0);
      assert.equal(encodeGsm7Into(text, new Uint8Array(text.length * 2), 0) < 0, absent.length > 0);
      for (const { character, index } of absent) {
        assert.equal(text.indexOf(character), index);
      }
    }),
  );
});

test('absent characters are named once, surrogate pairs whole', () => {
  assert.deepEqual(absentFromGsm7('aç😀ç😀'), [
    { character: 'ç', index: 1 },
    { character: '😀', index: 2 },
  ]);
});
