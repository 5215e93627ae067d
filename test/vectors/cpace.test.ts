/** Against cpace.json, the draft's own vectors. */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import {
  CPaceError,
  CPaceParty,
  calculateGenerator,
  lengthValue,
  multiplyVerified,
  sampleScalar,
} from '../../client/src/pairing/cpace.ts';
import vectors from './cpace.json' with { type: 'json' };

describe('CPace against the draft’s vectors', () => {
  it('has vectors', () => {
    const { source: _, ...lists } = vectors;
    for (const list of Object.values(lists)) expect(list.length).toBeGreaterThan(0);
  });

  it.each(vectors.lengthValue)('lv_cat of $parts', ({ parts, output }) => {
    expect(bytesToHex(lengthValue(...parts.map(hexToBytes)))).toBe(output);
  });

  it('lv_cat of 127 and of 128 bytes', () => {
    expect([...lengthValue(new Uint8Array(127)).subarray(0, 2)]).toEqual([0x7f, 0]);
    expect([...lengthValue(new Uint8Array(128)).subarray(0, 3)]).toEqual([0x80, 0x01, 0]);
  });

  it.each(vectors.runs)('a run of both parties', ({ password, channel, session, generator, shared, key, ...parties }) => {
    const inputs = { password: hexToBytes(password), channel: hexToBytes(channel), session: hexToBytes(session) };
    expect(bytesToHex(calculateGenerator(inputs).toBytes())).toBe(generator);
    const { initiator, responder } = parties;
    const a = new CPaceParty('initiator', inputs, hexToBytes(initiator.data), hexToBytes(initiator.scalar));
    const b = new CPaceParty('responder', inputs, hexToBytes(responder.data), hexToBytes(responder.scalar));
    expect(bytesToHex(a.message.share)).toBe(initiator.share);
    expect(bytesToHex(b.message.share)).toBe(responder.share);
    expect(bytesToHex(multiplyVerified(sampleScalar(hexToBytes(initiator.scalar)), b.message.share))).toBe(shared);
    expect(bytesToHex(a.finish(b.message).key)).toBe(key);
    expect(bytesToHex(b.finish(a.message).key)).toBe(key);
  });

  it.each(vectors.products)('a product', ({ scalar, share, product }) => {
    expect(bytesToHex(multiplyVerified(sampleScalar(hexToBytes(scalar)), hexToBytes(share)))).toBe(product);
  });

  it('draws no scalar of 0, and none from fewer bytes', () => {
    expect(() => sampleScalar(new Uint8Array(32))).toThrow('other than 0');
    expect(() => sampleScalar(Uint8Array.from({ length: 32 }, (_, i) => (i === 31 ? 0xf0 : 0)))).toThrow('other than 0');
    expect(() => sampleScalar(new Uint8Array(31).fill(1))).toThrow('expected 32 bytes');
  });

  it.each(vectors.invalid)('aborts at $what', ({ share }) => {
    const inputs = { password: new Uint8Array(5), channel: new Uint8Array(), session: new Uint8Array(32) };
    for (const role of ['initiator', 'responder'] as const) {
      const party = new CPaceParty(role, inputs, new Uint8Array(), new Uint8Array(32).fill(7));
      expect(() => party.finish({ share: hexToBytes(share), data: new Uint8Array() })).toThrow(CPaceError);
    }
  });
});
