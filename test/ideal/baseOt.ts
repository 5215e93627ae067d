/**
 * The ideal functionality of the base OTs, with messages of the same lengths, for tests that pair very often: most of a pairing's time is their
 * elliptic curve. NOT SECURE: everybody knows the keys. In the place of protocols/ot/baseOt.ts by `vi.mock`.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import type * as real from '../../protocols/ot/baseOt.ts';

const pointBytes = 32;
export const keyBytes: typeof real.keyBytes = 16;

export const baseOtCost: typeof real.baseOtCost = (count) => ({
  bytesToReceiver: pointBytes,
  bytesToSender: count * pointBytes,
});

const key = (index: number, choice: number) => sha256(Uint8Array.of(index, choice)).subarray(0, keyBytes);

export const baseOtSend: typeof real.baseOtSend = async (channel, _random, count) => {
  channel.send(new Uint8Array(pointBytes));
  await channel.receive(count * pointBytes);
  return Array.from({ length: count }, (_, i) => [key(i, 0), key(i, 1)]);
};

export const baseOtReceive: typeof real.baseOtReceive = async (channel, _random, choices) => {
  await channel.receive(pointBytes);
  channel.send(new Uint8Array(choices.length * pointBytes));
  return Array.from(choices, (choice, i) => key(i, choice));
};
