/** Any tweak, for tests of the kernels against their twins and vectors: it goes around the one place that hands tweaks out. */
import { type HashLabel, Tweak } from '../../protocols/kernels/tweaks.ts';

export function anyTweak(label: HashLabel, low: number, high: number, column = 0, count = 2 ** 20): Tweak {
  return Object.assign(Object.create(Tweak.prototype), { isMinted: true, label, low, high, column, count });
}
