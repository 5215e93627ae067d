/** The scales that layers need, as the manifest gives them (its schema is stricter; see inference/manifest.ts). */
export interface TensorLike {
  readonly fracBits: number;
  readonly magnitudeBits: number;
}
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
  readonly fine?: DomainLike & { readonly degree: number };
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
