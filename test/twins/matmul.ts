/** The definition of the matrix product, entry by entry: the oracle of ../matmul.ts. Same shapes and results. */

/** A (n × k) · B (k × m) mod 2^32. */
export function multiplyMatrices(a: Uint32Array, b: Uint32Array, n: number, k: number, m: number): Uint32Array {
  const c = new Uint32Array(n * m);
  for (let row = 0; row < n; row++) {
    for (let column = 0; column < m; column++) {
      let sum = 0;
      for (let i = 0; i < k; i++) sum = (sum + Math.imul(a[row * k + i], b[i * m + column])) | 0;
      c[row * m + column] = sum;
    }
  }
  return c;
}

/** A (n × k) · Bᵀ for B (m × k), mod 2^32. */
export function multiplyTransposed(a: Uint32Array, b: Uint32Array, n: number, k: number, m: number): Uint32Array {
  const c = new Uint32Array(n * m);
  for (let row = 0; row < n; row++) {
    for (let column = 0; column < m; column++) {
      let sum = 0;
      for (let i = 0; i < k; i++) sum = (sum + Math.imul(a[row * k + i], b[column * k + i])) | 0;
      c[row * m + column] = sum;
    }
  }
  return c;
}
