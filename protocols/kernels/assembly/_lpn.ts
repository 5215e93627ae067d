// The 10-local linear code of Ferret (Yang et al., CCS 2020, §5.2): every output is XORed with ten secret entries whose
// places come from a public seed.
import { fourBlocks } from './_chacha';
import { hashRounds } from './_blocks';

/**
 * outputs[i] ⊕= ⊕_{j<10} secret[place(i, j)], i < count, a multiple of 32. The places are the words of the ChaCha8 keystream
 * under the public seed (in `lanes`) and nonce (indexLow, indexHigh, 0); `placeMask` = 16·(k − 1), k a power of two.
 * `scratch` is 1280 bytes.
 */
export function lpnEncode(
  outputs: usize, count: i32, secret: usize, placeMask: u32, indexLow: u32, indexHigh: u32, lanes: usize, scratch: usize,
): void {
  v128.store(lanes, i32x4(0, 1, 2, 3), 192);
  v128.store(lanes, i32x4.splat(indexLow), 208);
  v128.store(lanes, i32x4.splat(indexHigh), 224);
  v128.store(lanes, i32x4.splat(0), 240);
  for (let i = 0; i < count; i += 32) {
    for (let group: usize = 0; group < 1280; group += 256) {
      fourBlocks(lanes, scratch + group, hashRounds);
      v128.store(lanes, i32x4.add(v128.load(lanes, 192), i32x4.splat(4)), 192);
    }
    let place = scratch;
    for (let row = 0; row < 32; row++) {
      const a = v128.xor(v128.load(outputs), v128.load(secret + (load<u32>(place) & placeMask)));
      const b = v128.xor(v128.load(secret + (load<u32>(place, 4) & placeMask)), v128.load(secret + (load<u32>(place, 8) & placeMask)));
      const c = v128.xor(v128.load(secret + (load<u32>(place, 12) & placeMask)), v128.load(secret + (load<u32>(place, 16) & placeMask)));
      const d = v128.xor(v128.load(secret + (load<u32>(place, 20) & placeMask)), v128.load(secret + (load<u32>(place, 24) & placeMask)));
      const e = v128.xor(v128.load(secret + (load<u32>(place, 28) & placeMask)), v128.load(secret + (load<u32>(place, 32) & placeMask)));
      const f = v128.xor(a, v128.load(secret + (load<u32>(place, 36) & placeMask)));
      v128.store(outputs, v128.xor(v128.xor(v128.xor(b, c), v128.xor(d, e)), f));
      outputs += 16;
      place += 40;
    }
  }
}
