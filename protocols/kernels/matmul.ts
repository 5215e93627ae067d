/**
 * Matrix products mod 2^32 (the share ring), row major, in WASM SIMD: assembly/matmul.ts says how it is blocked. Signed
 * operands in two's complement need nothing special: pass their bits.
 */
import { Arena } from './arena.ts';
import wasm from './build/matmul.ts';
import { instantiateKernel } from './instance.ts';

interface MatmulExports {
  packRows(source: number, target: number, k: number, m: number): void;
  packTransposed(source: number, target: number, k: number, m: number): void;
  multiply(a: number, packed: number, c: number, n: number, k: number, m: number): void;
}

let kernel: { arena: Arena; exports: MatmulExports } | undefined;

function load() {
  if (kernel === undefined) {
    const arena = new Arena();
    kernel = { arena, exports: instantiateKernel<MatmulExports>(wasm, arena.memory) };
  }
  return kernel;
}

function checkSize(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 0 || value > 2 ** 24) {
    throw new RangeError(`${name}: expected an integer in [0, 2^24], got ${value}`);
  }
}

function checkLength(name: string, operand: Uint32Array, expected: number): void {
  if (!(operand instanceof Uint32Array)) throw new TypeError(`${name}: expected a Uint32Array, got ${typeof operand}`);
  if (operand.length !== expected) throw new RangeError(`${name}: expected ${expected} entries, got ${operand.length}`);
}

/**
 * A right operand B (k × m) that stays in the kernel's memory in the order the kernel reads it: weights are packed once,
 * before the image is there. It holds about 4·k·m bytes until `release()`.
 */
export class PackedMatrix {
  private address: number | undefined;

  private constructor(
    readonly k: number,
    readonly m: number,
    source: Uint32Array,
    transposed: boolean,
  ) {
    const { arena, exports } = load();
    const packedBytes = 4 * k * Math.ceil(m / 8) * 8;
    const from = arena.allocate(4 * source.length);
    try {
      this.address = arena.allocate(packedBytes);
      arena.words(from, source.length).set(source);
      if (transposed) exports.packTransposed(from, this.address, k, m);
      else exports.packRows(from, this.address, k, m);
    } finally {
      arena.release(from);
    }
  }

  /**
   * @param b k × m, row major.
   * @throws TypeError, RangeError when `b` or the sizes do not fit.
   */
  static fromRows(b: Uint32Array, k: number, m: number): PackedMatrix {
    checkSize('k', k);
    checkSize('m', m);
    checkLength('b', b, k * m);
    return new PackedMatrix(k, m, b, false);
  }

  /**
   * @param b m × k, row major: the transpose of B, as linear layers store their weights (out × in).
   * @throws TypeError, RangeError when `b` or the sizes do not fit.
   */
  static fromTransposed(b: Uint32Array, k: number, m: number): PackedMatrix {
    checkSize('k', k);
    checkSize('m', m);
    checkLength('b', b, k * m);
    return new PackedMatrix(k, m, b, true);
  }

  /**
   * A · B mod 2^32.
   * @param a n × k, row major.
   * @returns n × m, row major.
   * @throws TypeError, RangeError when `a` does not fit; Error after `release()`.
   */
  multiply(a: Uint32Array, n: number): Uint32Array<ArrayBuffer> {
    if (this.address === undefined) throw new Error('PackedMatrix: used after release()');
    const { k, m } = this;
    checkSize('n', n);
    checkLength('a', a, n * k);
    const { arena, exports } = load();
    const stride = Math.ceil(m / 8) * 8;
    const from = arena.allocate(4 * n * k);
    try {
      const to = arena.allocate(4 * n * stride);
      try {
        arena.words(from, n * k).set(a);
        exports.multiply(from, this.address, to, n, k, m);
        const result = arena.words(to, n * stride);
        if (stride === m) return result.slice();
        const trimmed = new Uint32Array(n * m);
        for (let row = 0; row < n; row++) trimmed.set(result.subarray(row * stride, row * stride + m), row * m);
        return trimmed;
      } finally {
        arena.release(to);
      }
    } finally {
      arena.release(from);
    }
  }

  /** Gives the memory back; a second call does nothing. */
  release(): void {
    if (this.address === undefined) return;
    load().arena.release(this.address);
    this.address = undefined;
  }
}

/**
 * A · B mod 2^32.
 * @param a n × k, row major.
 * @param b k × m, row major.
 * @returns n × m, row major.
 * @throws TypeError, RangeError when the operands do not have these sizes.
 */
export function multiplyMatrices(
  a: Uint32Array,
  b: Uint32Array,
  n: number,
  k: number,
  m: number,
): Uint32Array<ArrayBuffer> {
  const packed = PackedMatrix.fromRows(b, k, m);
  try {
    return packed.multiply(a, n);
  } finally {
    packed.release();
  }
}

/**
 * A · Bᵀ mod 2^32, for weights stored out × in and for Q · Kᵀ.
 * @param a n × k, row major.
 * @param b m × k, row major.
 * @returns n × m, row major.
 * @throws TypeError, RangeError when the operands do not have these sizes.
 */
export function multiplyTransposed(
  a: Uint32Array,
  b: Uint32Array,
  n: number,
  k: number,
  m: number,
): Uint32Array<ArrayBuffer> {
  const packed = PackedMatrix.fromTransposed(b, k, m);
  try {
    return packed.multiply(a, n);
  } finally {
    packed.release();
  }
}

/** Bytes of kernel memory in use: packed matrices that were not released. */
export function residentMatrixBytes(): number {
  return kernel?.arena.usedBytes ?? 0;
}
