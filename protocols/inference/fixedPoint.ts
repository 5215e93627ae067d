/** The fixed-point scales of a manifest: tensors, and how each function is approximated. See manifest.ts for the conventions. */
import * as v from 'valibot';

export const int = (min: number, max: number) => v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));

export const fracBits = int(-8, 30);
export const magnitudeBits = int(-24, 30);

export const Tensor = v.strictObject({ fracBits, magnitudeBits });

/** Where a function is approximated, see protocols/layers/spline.ts. */
const Domain = v.strictObject({
  /** Lowest point of the domain, as a multiple of 2^-16; the lowest of the 2^digitBits segments must stay unused. */
  minimum: v.pipe(
    v.number(),
    v.check((x) => Number.isInteger(x * 65536) && Math.abs(x) < 2 ** 20, 'a multiple of 2^-16'),
  ),
  /** The domain is [minimum, minimum + 2^rangeBits). */
  rangeBits: int(-12, 20),
  /** The domain has 2^digitBits segments. */
  digitBits: int(1, 10),
});

/** The function is evaluated at x·inputScale, 1 by default; the domain is that of x. */
const inputScale = v.exactOptional(v.pipe(v.number(), v.gtValue(0), v.maxValue(16)));

/** Degree of the polynomial on each segment. */
const degree = int(1, 4);

/** Fraction bits of a table's entries. */
const coefficientFracBits = int(0, 28);
/** Fraction bits of the powers of t in [0, 1), the position within the segment. */
const basisFracBits = int(4, 16);

/** A finer level of a spline. What it does not say is as in the coarsest; the comparison beside it has 2^boundaryBits segments. */
const level = {
  ...Domain.entries,
  degree,
  coefficientFracBits: v.exactOptional(coefficientFracBits),
  basisFracBits: v.exactOptional(basisFracBits),
  boundaryBits: v.exactOptional(Domain.entries.digitBits),
};
const Finest = v.strictObject(level);
const Finer = v.strictObject({ ...level, fine: v.exactOptional(Finest) });

export const Spline = v.strictObject({
  ...Domain.entries,
  degree,
  inputScale,
  /** The next finer of up to four levels, over a part of the domain: see protocols/layers/spline.ts. */
  fine: v.exactOptional(v.strictObject({ ...level, fine: v.exactOptional(Finer) })),
  coefficientFracBits,
  basisFracBits,
  /** The result after truncation. */
  out: Tensor,
});

/** exp(x) = exp(client's part) · exp(owner's part): one table, no polynomial. See protocols/layers/exp.ts. */
export const Exp = v.strictObject({
  ...Domain.entries,
  inputScale,
  coefficientFracBits,
  basisFracBits,
  out: Tensor,
});

export const Norm = v.strictObject({
  /** x → 1/√(x + epsilon) of the mean square of a token. */
  rsqrt: Spline,
  epsilon: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
  /** The normalised token. */
  out: Tensor,
});

/** The activation of an MLP, by tables. */
export const TableActivation = v.strictObject({
  ...Spline.entries,
  /** Outputs are cut there. */
  ceiling: v.exactOptional(v.pipe(v.number(), v.minValue(0.125), v.maxValue(2 ** 16))),
});

const amplitude = v.pipe(v.number(), v.minValue(-(2 ** 16)), v.maxValue(2 ** 16));

/** The activation of an MLP, without a table: see protocols/layers/harmonics.ts. */
export const HarmonicActivation = v.strictObject({
  /** The period is 2^rangeBits. */
  rangeBits: int(0, 20),
  /** Of |x|. */
  reach: v.pipe(v.number(), v.gtValue(0), v.maxValue(2 ** 19)),
  constant: amplitude,
  parts: v.pipe(
    v.array(
      v.strictObject({
        ...Tensor.entries,
        harmonics: v.pipe(
          // `bits` is in manifests of wire version 7, and tells nothing since.
          v.array(v.strictObject({ k: int(1, 255), amplitude, bits: v.exactOptional(int(1, 14)) })),
          v.minLength(1),
          v.maxLength(32),
          v.check((list) => list.every(({ k }, i) => i === 0 || k > list[i - 1].k), 'ascending'),
        ),
      }),
    ),
    v.minLength(1),
    v.maxLength(2),
  ),
  out: Tensor,
});

/** A step of softmax by squaring, see protocols/layers/softmax.ts. */
export const Squaring = v.strictObject({
  /** The attention weights before it, times 2^⌈log2 tokens⌉. */
  input: Tensor,
  /** Their squares. */
  square: Tensor,
  /** Of the row's mean square, ≥ 1. */
  reciprocal: Spline,
});

export type TensorSpec = v.InferOutput<typeof Tensor>;
export type NormSpec = v.InferOutput<typeof Norm>;
