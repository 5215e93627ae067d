/**
 * Arrays of words, element by element, modulo 2^32; both of one length. In loops: a typed array's `map` calls a function for every element, which takes
 * several times as long.
 */

export function minus(x: Uint32Array, y: Uint32Array): Uint32Array {
  const out = new Uint32Array(x.length);
  for (let i = 0; i < out.length; i++) out[i] = x[i] - y[i];
  return out;
}

export function xor(x: Uint32Array, y: Uint32Array): Uint32Array {
  const out = new Uint32Array(x.length);
  for (let i = 0; i < out.length; i++) out[i] = x[i] ^ y[i];
  return out;
}
