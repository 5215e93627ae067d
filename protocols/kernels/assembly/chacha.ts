// ChaCha keystream in counter mode (RFC 8439, section 2.4), four consecutive blocks at a time.
import { fourBlocks } from './_chacha';

// Exported so that it stays a function of its own and is replaced by optimised code between two calls.
export { fourBlocks };

/**
 * Writes `groups` × 256 bytes of keystream. `state` is the 16 words of the first block's state, `lanes` 256 bytes of
 * scratch. The caller keeps the counter from running over within what it uses.
 */
export function keystream(state: usize, lanes: usize, output: usize, groups: i32, rounds: i32): void {
  for (let word: usize = 0; word < 16; word++) v128.store(lanes + (word << 4), v128.load32_splat(state + (word << 2)));
  let counter = i32x4.add(v128.load(lanes, 192), i32x4(0, 1, 2, 3));
  for (let group = 0; group < groups; group++) {
    v128.store(lanes, counter, 192);
    fourBlocks(lanes, output, rounds);
    counter = i32x4.add(counter, i32x4.splat(4));
    output += 256;
  }
}
