import { t } from './language/language.ts';

/** The smallest module that uses a SIMD instruction (i8x16.splat); browsers without SIMD do not validate it. */
const simdModule = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

/** What this browser lacks and Blindsight needs, in words for people; empty when all is there. */
export function missingFeatures(): string[] {
  const words = t().unsupported;
  const needed: [string, boolean][] = [
    [words.webrtc, typeof RTCPeerConnection === 'function'],
    [words.workers, typeof Worker === 'function'],
    [words.simd, typeof WebAssembly === 'object' && WebAssembly.validate(simdModule)],
    [words.offscreenCanvas, typeof OffscreenCanvas === 'function'],
    [words.webSocket, typeof WebSocket === 'function'],
  ];
  return needed.filter(([, there]) => !there).map(([name]) => name);
}
