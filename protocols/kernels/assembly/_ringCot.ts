// Correlated OTs over Z_2^k with random choices (offline/ot/ringCot.ts), one bit of all of a piece's factors at a time. Hashes and COTs are blocks
// of 16 bytes, of which the first word counts; keys are `stride` bytes apart.
import { beginBits, endBits, readBits, writeBits } from './_bits';

/** Sender: keys[i] = h0, and the messages h0 + factor − h1 of `bits` bits are packed at `message`. */
export function ringCotSend(
  zeros: usize, ones: usize, factors: usize, count: i32, bits: u32, keys: usize, stride: usize, message: usize,
): void {
  beginBits(message);
  const mask: u32 = 0xffffffff >>> (32 - bits);
  for (let i = 0; i < count; i++) {
    const key = load<u32>(zeros);
    store<u32>(keys, key);
    writeBits((key + load<u32>(factors) - load<u32>(ones)) & mask, bits);
    zeros += 16;
    ones += 16;
    factors += 4;
    keys += stride;
  }
  endBits();
}

/** Receiver: keys[i] = h + choice·message, and the choice, a COT's least significant bit, becomes bit `bit` of choices[i]. */
export function ringCotReceive(
  cots: usize, hashes: usize, message: usize, count: i32, bits: u32, bit: u32, keys: usize, stride: usize, choices: usize,
): void {
  beginBits(message);
  for (let i = 0; i < count; i++) {
    const choice = load<u32>(cots) & 1;
    store<u32>(keys, load<u32>(hashes) + (readBits(bits) & -choice));
    store<u32>(choices, load<u32>(choices) | (choice << bit));
    cots += 16;
    hashes += 16;
    keys += stride;
    choices += 4;
  }
}
