/** Numbers modulo 2^ringBits that are not whole: points of a circle of so many units. */
export interface CircleNumbers {
  /** Whole units, rounded down; garbage above the ring's bits. */
  readonly words: Uint32Array;
  /** What is left, in units of 2^-32. */
  readonly fractions: Uint32Array;
}

export const circleNumbers = (count: number): CircleNumbers => ({
  words: new Uint32Array(count),
  fractions: new Uint32Array(count),
});

/** to[j] = from[i], or −from[i]. */
export function copyNumber(from: CircleNumbers, i: number, to: CircleNumbers, j: number, isNegative: boolean): void {
  const [word, fraction] = [from.words[i], from.fractions[i]];
  to.fractions[j] = isNegative ? -fraction : fraction;
  to.words[j] = isNegative ? -word - (fraction > 0 ? 1 : 0) : word;
}
