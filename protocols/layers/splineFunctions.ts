/** The registry of functions that spline.ts can approximate. A new one is its file and one line here. */
import { geluFunction, geluTanhFunction, quickGeluFunction } from './gelu.ts';

export interface SplineFunction {
  evaluate(x: number): number;
  /** Whether it is one of x > 0, with a pole at 0. */
  readonly isOfPositive?: boolean;
}

/** What may stand between the two layers of an MLP. */
export const activations = {
  gelu: geluFunction,
  'gelu-tanh': geluTanhFunction,
  'quick-gelu': quickGeluFunction,
} satisfies Record<string, SplineFunction>;
export type ActivationName = keyof typeof activations;

const positive = {
  rsqrt: { evaluate: (x) => 1 / Math.sqrt(x), isOfPositive: true },
  reciprocal: { evaluate: (x) => 1 / x, isOfPositive: true },
} satisfies Record<string, SplineFunction>;

export const splineFunctions: Readonly<Record<keyof typeof activations | keyof typeof positive, SplineFunction>> = {
  ...activations,
  ...positive,
};
export type SplineFunctionName = keyof typeof splineFunctions;
