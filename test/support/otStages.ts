/** The correlations that a plan derives from COTs, one stage of each, at shapes of the bundled model. */
import type { OtBasedSpec } from '../../protocols/offline/correlations.ts';
import { keyOf } from './keys.ts';

export const derivedCorrelations: Readonly<Record<string, OtBasedSpec>> = {
  truncationOt: { kind: 'ot', key: keyOf('truncationOt'), ringBits: 17, count: 2 ** 16, choiceBits: 1, words: 1 },
  splineOt: { kind: 'ot', key: keyOf('splineOt'), ringBits: 25, count: 3072, choiceBits: 4, words: 4 },
  expOt: { kind: 'ot', key: keyOf('expOt'), ringBits: 31, count: 13_312, choiceBits: 3, words: 1 },
  square: { kind: 'square', key: keyOf('square'), ringBits: 25, count: 15_168 },
  ringCot: { kind: 'ringCot', key: keyOf('ringCot'), ringBits: 31, count: 13_312, factorBits: 11 },
  dot: { kind: 'sumOfSquares', key: keyOf('dot'), ringBits: 31, rows: 32, cols: 256 },
  scale: { kind: 'scale', key: keyOf('scale'), ringBits: 27, rows: 64, cols: 256 },
};
