// Products of ring elements from correlated OTs (Gilboa, CRYPTO 1999; bit b of the receiver's factor needs only
// ringBits − b bits of payload). COTs of one product lie together, bit 0's first.
import { beginBits, endBits, readBits, writeBits } from './_bits';
import { hashWords } from './_blocks';

// @ts-ignore: decorator
@inline function bitAt(bits: usize, index: u32): u32 {
  return (<u32>load<u8>(bits + (index >> 3)) >> (index & 7)) & 1;
}

/**
 * Sender: for each of `count` factors x, shares[i] = −Σ_b h0·2^b, and the messages h0 + x − h1 (ringBits − b bits) are packed at
 * `message`. `flips` holds the receiver's correction bit of each COT. Scratch: 256 + 2 · 144 bytes.
 */
export function gilboaSend(
  keys: usize, delta: usize, factors: usize, count: i32, ringBits: i32, flips: usize, message: usize, shares: usize,
  indexLow: u32, indexHigh: u32, lanes: usize, scratch: usize,
): void {
  beginBits(message);
  const zeros = scratch + 256;
  const ones = zeros + 144;
  const d = v128.load(delta);
  const padded = (ringBits + 3) & ~3;
  let cot: u32 = 0;
  for (let i = 0; i < count; i++) {
    hashWords(keys, i32x4.splat(0), padded, zeros, indexLow + cot, indexHigh, lanes, scratch);
    hashWords(keys, d, padded, ones, indexLow + cot, indexHigh, lanes, scratch);
    const x = load<u32>(factors + (<usize>i << 2));
    let share: u32 = 0;
    for (let b = 0; b < ringBits; b++) {
      const at = <usize>b << 2;
      const h = load<u32>(zeros + at);
      const g = load<u32>(ones + at);
      const swap = (h ^ g) & -bitAt(flips, cot);
      const h0 = h ^ swap;
      const h1 = g ^ swap;
      share -= h0 << b;
      const width = ringBits - b;
      writeBits((h0 + x - h1) & (0xffffffff >>> (32 - width)), width);
      cot++;
    }
    store<u32>(shares + (<usize>i << 2), share);
    keys += <usize>ringBits << 4;
  }
  endBits();
}

/**
 * Receiver, before the message: shares[i] = Σ_b h·2^b, and the correction bits (choice ⊕ bit b of the factor) at `flips`, of
 * which the last word is padded with zeros. The random choice of a COT is its key's least significant bit.
 */
export function gilboaChoose(
  keys: usize, factors: usize, count: i32, ringBits: i32, flips: usize, shares: usize,
  indexLow: u32, indexHigh: u32, lanes: usize, scratch: usize,
): void {
  beginBits(flips);
  const words = scratch + 256;
  const padded = (ringBits + 3) & ~3;
  for (let i = 0; i < count; i++) {
    hashWords(keys, i32x4.splat(0), padded, words, indexLow, indexHigh, lanes, scratch);
    const factor = load<u32>(factors + (<usize>i << 2));
    let share: u32 = 0;
    for (let b = 0; b < ringBits; b++) {
      share += load<u32>(words + (<usize>b << 2)) << b;
      writeBits((load<u32>(keys) ^ (factor >> b)) & 1, 1);
      keys += 16;
    }
    store<u32>(shares + (<usize>i << 2), share);
    indexLow += ringBits;
  }
  endBits();
}

/** Receiver, after the message: shares[i] += Σ_b message·2^b over the bits b that are 1 in the factor. */
export function gilboaFinish(message: usize, factors: usize, count: i32, ringBits: i32, shares: usize): void {
  beginBits(message);
  for (let i = 0; i < count; i++) {
    const factor = load<u32>(factors + (<usize>i << 2));
    let share = load<u32>(shares + (<usize>i << 2));
    for (let b = 0; b < ringBits; b++) share += (readBits(ringBits - b) & -((factor >> b) & 1)) << b;
    store<u32>(shares + (<usize>i << 2), share);
  }
}
