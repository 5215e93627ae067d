/**
 * GELU of a linear layer's output, for the tokens whose switch kept it (PriViT, Dhyani et al. 2024, §3.2). The spline takes the
 * product as it is, without a truncation before it. Online: 4 flights, see table.ts and truncate.ts.
 */
import type { SplineFunction } from './splineFunctions.ts';

export const geluFunction: SplineFunction = { evaluate: gelu };

/** GELU by tanh (Hendrycks and Gimpel 2016, §2), as GPT-2 and many published ViTs have it. */
export const geluTanhFunction: SplineFunction = {
  evaluate: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
};

/** x·σ(1.702·x) (Hendrycks and Gimpel 2016, §2), as CLIP has it. */
export const quickGeluFunction: SplineFunction = { evaluate: (x) => x / (1 + Math.exp(-1.702 * x)) };

/** x·Φ(x), the exact GELU (Hendrycks and Gimpel 2016). */
export function gelu(x: number): number {
  return 0.5 * x * (1 + erf(x / Math.SQRT2));
}

/** Numerical Recipes, §6.2: the fit's coefficients, from the constant on. */
const [e0, e1, e2, e3, e4, e5, e6, e7, e8, e9] = [
  -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
  0.17087277,
];

/**
 * The error function to about 1.2e-7 (erfc by a Chebyshev fit): finer than any scale here. Written out, because a client's tables take a
 * hundred million values of it for one image of 197 tokens.
 */
function erf(x: number): number {
  const z = Math.abs(x);
  const t = 2 / (2 + z);
  const high = ((((e9 * t + e8) * t + e7) * t + e6) * t + e5) * t + e4;
  const exponent = (((high * t + e3) * t + e2) * t + e1) * t + e0;
  const complement = t * Math.exp(-z * z + exponent);
  return x >= 0 ? 1 - complement : complement - 1;
}
