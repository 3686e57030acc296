import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hash32 } from '../../../lib/hash/hash32.ts';

// Stored tables are placed by it. If this test fails, the change is wrong, not the test.
test('test vectors', () => {
  const vectors: [string, number][] = [
    ['', 0xab3e7c0b],
    ['a', 0x1a80b1b3],
    ['foobar', 0x0c0da6dc],
    ['447911123456', 0x883b372a],
    ['8613800138000', 0x88ce7460],
    ['525512345678', 0x810b8f0e],
    ['+44 79', 0x8f2e109a],
    ['not a number', 0x670d1539],
    ['测试', 0xe6cd703f],
    ['😀', 0x3303a80a],
  ];
  for (const [text, hash] of vectors) assert.equal(hash32(text), hash, JSON.stringify(text));
});
