import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import smpp from 'smpp';
import { commandStatuses, standardStatus, statusTable } from '../../../lib/smpp/status.ts';

describe('command_status', () => {
  it('has each code once, with a text', () => {
    assert.equal(new Set(commandStatuses.map((status) => status.code)).size, commandStatuses.length);
    assert.ok(commandStatuses.every((status) => status.text.length > 0));
  });

  it('has the names that npm smpp has for the codes of 3.4', () => {
    const broadcast = /BCAST|SUBUNIT/; // SMPP 5.0
    for (const [name, code] of Object.entries(smpp.errors)) {
      if (!broadcast.test(name)) assert.equal(standardStatus(code).name, name, `0x${code.toString(16)}`);
    }
  });

  for (const [statusClass, codes] of Object.entries({
    ok: [0],
    throttled: [0x58, 0x14],
    transient: [0x08, 0x64, 0x45, 0xfe, 0xff],
    session: [0x04, 0x05, 0x0d, 0x0e, 0x0f, 0x53, 0x4d],
    recipient: [0x0b, 0x50, 0x51, 0x4a, 0x4b, 0x66, 0x65, 0x101, 0x400, 0x4ff, 1375, 0xffffffff],
    batch: [0x0a, 0x48, 0x49, 0x01, 0x06, 0x07, 0x15, 0x43, 0x61, 0x62, 0x63, 0xc0, 0xc4, 0x104, 0x54, 0x4e],
  })) {
    it(`${statusClass}: ${codes.map((code) => `0x${code.toString(16)}`).join(' ')}`, () => {
      for (const code of codes)
        assert.equal(standardStatus(code).class, statusClass, `0x${code.toString(16)}`);
    });
  }

  it('is the provider’s to override, in part', () => {
    const table = statusTable([
      { code: 0x0b, class: 'batch' },
      { code: 0x410, class: 'throttled', name: 'SLOW', text: 'slow down' },
    ]);
    assert.deepEqual(table(0x0b), { ...standardStatus(0x0b), class: 'batch' });
    assert.deepEqual(table(0x410), { code: 0x410, class: 'throttled', name: 'SLOW', text: 'slow down' });
    assert.equal(table(0x411).name, 'VENDOR_0x411');
    assert.equal(standardStatus(0x0b).class, 'recipient');
  });
});
