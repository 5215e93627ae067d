/** The scales that layers need, as the manifest gives them (its schema is stricter; see inference/manifest.ts). */
export interface TensorLike {
  readonly fracBits: number;
  readonly magnitudeBits: number;
}
export interface ExpLike {
  readonly minimum: number;
  readonly rangeBits: number;
  readonly digitBits: number;
  readonly coefficientFracBits: number;
  readonly basisFracBits: number;
  readonly out: TensorLike;
}
export interface SplineLike extends ExpLike {
  readonly degree: number;
}
export interface NormLike {
  readonly rsqrt: SplineLike;
  readonly epsilon: number;
  readonly out: TensorLike;
}
