/** The scales that layers need, as the manifest gives them (its schema is stricter; see inference/manifest.ts). */
export interface TensorLike {
  readonly fracBits: number;
  readonly magnitudeBits: number;
}
/** [minimum, minimum + 2^rangeBits), in 2^digitBits segments. */
export interface DomainLike {
  readonly minimum: number;
  readonly rangeBits: number;
  readonly digitBits: number;
}
export interface ExpLike extends DomainLike {
  readonly coefficientFracBits: number;
  readonly basisFracBits: number;
  readonly inputScale?: number;
  readonly out: TensorLike;
}
export interface SplineLike extends ExpLike {
  readonly degree: number;
  readonly ceiling?: number;
  readonly fine?: FinerLevel;
}
/** A spline's next finer level, for a part of the arguments (spline.ts). */
export interface FinerLevel extends DomainLike {
  readonly degree: number;
  /** By default the coarsest level's. */
  readonly coefficientFracBits?: number;
  readonly basisFracBits?: number;
  /** The comparison that says which arguments it serves has 2^boundaryBits segments; by default the coarsest level's. */
  readonly boundaryBits?: number;
  readonly fine?: FinerLevel;
}
/** a_k·cos(k·2π·x/2^rangeBits). */
export interface Harmonic {
  readonly k: number;
  readonly amplitude: number;
}
/** An activation as x/2 and a trigonometric polynomial (harmonics.ts). */
export interface HarmonicsLike {
  readonly rangeBits: number;
  readonly reach: number;
  /** a₀. */
  readonly constant: number;
  /** All are summed with the first one's fraction bits, in a ring for its magnitude at least; in wire version 7 each was truncated by itself. */
  readonly parts: readonly (TensorLike & { readonly harmonics: readonly Harmonic[] })[];
  readonly out: TensorLike;
}
export interface NormLike {
  readonly rsqrt: SplineLike;
  readonly epsilon: number;
  readonly out: TensorLike;
}
/** One squaring of attention weights (softmax.ts). */
export interface SquaringLike {
  readonly input: TensorLike;
  readonly square: TensorLike;
  readonly reciprocal: SplineLike;
}
