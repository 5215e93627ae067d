/**
 * How fast this machine's processor is, in one thread and by the kernels' instructions: ChaCha8 keystream in WASM SIMD, bytes per
 * second. The fastest of many pieces counts: other work on the machine, and the engine's first passes, only make them slower.
 */
import { ChachaStream } from '../../../protocols/kernels/chacha.ts';

/** Some milliseconds, beside clocks that pages get in tenths of one. */
const pieceBytes = 2 ** 23;
const forMs = 120;

self.onmessage = () => {
  const stream = new ChachaStream(new Uint8Array(32), new Uint8Array(12), 0, 8);
  const out = new Uint8Array(pieceBytes);
  const startedMs = performance.now();
  let fastest = 0;
  for (let nowMs = startedMs; nowMs < startedMs + forMs; ) {
    stream.fill(out);
    const afterMs = performance.now();
    fastest = Math.max(fastest, (pieceBytes * 1000) / (afterMs - nowMs));
    nowMs = afterMs;
  }
  self.postMessage(fastest);
};
