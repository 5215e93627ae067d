/**
 * How fast this machine's processor is, in one thread and by the kernels' instructions: ChaCha8 keystream in WASM SIMD, bytes per
 * second. The fastest of many short pieces counts, since other work on the machine and the engine's first passes only make them slower;
 * it ends when none was faster for a while.
 */
import { ChachaStream } from '../../../protocols/kernels/chacha.ts';

/** Half a millisecond: long beside the tenths that pages' clocks may tell, short beside a turn of another program. */
const pieceBytes = 2 ** 20;
/** Engines compile loops that run long a second time, after some tenths of a second. */
const settledMs = 300;
const atMostMs = 1500;

self.onmessage = () => {
  const stream = new ChachaStream(new Uint8Array(32), new Uint8Array(12), 0, 8);
  const out = new Uint8Array(pieceBytes);
  const startedMs = performance.now();
  let [shortestMs, improvedMs] = [Number.POSITIVE_INFINITY, startedMs];
  for (let nowMs = startedMs; nowMs < Math.min(improvedMs + settledMs, startedMs + atMostMs); ) {
    stream.fill(out);
    const afterMs = performance.now();
    const pieceMs = Math.max(0.05, afterMs - nowMs);
    if (pieceMs < 0.97 * shortestMs) [shortestMs, improvedMs] = [pieceMs, afterMs];
    nowMs = afterMs;
  }
  self.postMessage((pieceBytes * 1000) / shortestMs);
};
