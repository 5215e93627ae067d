/**
 * Inner products over a prime field in the slots of ring-LWE plaintexts (rlwe/slots.ts): element by element, where the products of blocks.ts and
 * rows.ts are matrices'. Cheaper than oblivious transfers by an order of magnitude of processor time, and in bytes by what a number of 21 bits takes
 * there (Gilboa: half as many bytes as bits of either factor) and here (54 bits).
 *
 * A polynomial carries n elements of one term or, of fewer elements, several terms side by side, whose sums the parties take themselves. One answer
 * is Σ of the products of an element block's polynomials, and returns all of its coefficients. They must be exact: a unit more in one coefficient
 * would change every slot. So neither party rounds; what is cut off is put right in carry.ts, which is also where slots are read.
 *
 * Consumes one COT for each coefficient (carry.ts). Two flights, and one more.
 */
import { allocateWords, nttKernel, type Residues } from '../../kernels/ntt.ts';
import { squaresBelow } from '../../rlwe/noise.ts';
import { centre, toCoefficients } from '../../rlwe/slots.ts';
import { fieldPrimes, sampleUniform, squaresPrime } from '../../sharing/field.ts';
import { keyText, type OleSpec, requireWords } from '../correlations.ts';
import type { LayoutOf, RlweKind } from './kind.ts';
import { type Candidate, chooseCandidate, estimateWork, parameterSets } from './layout.ts';

/** How elements and terms fill polynomials of n slots. */
export interface SlotLayout {
  readonly n: number;
  /** Terms in one polynomial; 1 where there are `blocks` of elements. */
  readonly side: number;
  readonly blocks: number;
  /** Polynomials of a block. */
  readonly parts: number;
}

export function slotLayout({ rows, cols, terms }: OleSpec, n: number): SlotLayout {
  const count = rows * cols;
  const side = Math.max(1, Math.min(terms, Math.floor(n / count)));
  return { n, side, blocks: Math.ceil(count / n), parts: Math.ceil(terms / side) };
}

/** For each run of slots of an upload: where they begin, how many they are, and the first of their words in (terms, rows·cols). */
function* runsOf({ rows, cols, terms }: OleSpec, { n, side, parts }: SlotLayout, upload: number) {
  const count = rows * cols;
  const [block, part] = [Math.floor(upload / parts), upload % parts];
  for (let i = 0; i < side && part * side + i < terms; i++) {
    const length = Math.min(n, count - block * n);
    yield { slot: i * count, length, from: (part * side + i) * count + block * n };
  }
}

/** Sums of each element's slots, from all blocks' slots one after another: (rows·cols) in [0, p). */
export function gatherSlots(spec: OleSpec, { side }: SlotLayout, slots: Uint32Array): Uint32Array {
  const count = spec.rows * spec.cols;
  const sums = slots.slice(0, count);
  for (let i = 1; i < side; i++) {
    for (let at = 0; at < count; at++) {
      const sum = sums[at] + slots[i * count + at];
      sums[at] = sum >= spec.modulus ? sum - spec.modulus : sum;
    }
  }
  return sums;
}

function oleLayout(spec: OleSpec): LayoutOf<OleSpec> {
  const { ringBits, modulus } = spec;
  if (![...fieldPrimes, squaresPrime].includes(modulus) || modulus >= 2 ** ringBits)
    throw new RangeError(`${keyText(spec.key)}: modulus: expected a prime of the list, got ${modulus}`);
  interface Arrangement extends Candidate {
    readonly slots: SlotLayout;
  }
  function* arrangements(): Generator<Arrangement> {
    for (const parameters of parameterSets) {
      const n = parameters.degree;
      const slots = slotLayout(spec, n);
      const { blocks, parts } = slots;
      const noise = { ringBits, prime: modulus, squares: squaresBelow(n * parts, modulus), levels: 0, parts: 1 };
      const uploads = blocks * parts;
      yield { parameters, noise, uploads, leaves: blocks, terms: uploads, length: n, slots };
    }
  }
  const best = chooseCandidate(arrangements());
  if (best === undefined)
    throw new RangeError(`${keyText(spec.key)}: no parameters keep ${spec.terms} terms modulo ${modulus} exact`);
  const { candidate, bits, bound } = best;
  const { parameters, slots, uploads } = candidate;
  const { n, blocks, parts } = slots;
  return {
    parameters,
    ringBits,
    prime: modulus,
    bits,
    errorBound: bound,
    uploads,
    stride: n,
    levels: 0,
    answers: Array.from({ length: blocks }, (_, block) => ({
      leaves: 1,
      places: Uint32Array.from({ length: 2 * n }, (_, i) => (i >>> 1) + (i % 2) * block * n),
    })),
    results: blocks * n,
    // Each ciphertext is multiplied once: reading it, and making the polynomial of masks, are not lost in what follows.
    work: estimateWork(candidate) + uploads * readMs * (n / 2048) * parameters.primes.length,
    encode: ({ u }, upload, out) => {
      for (const { slot, length, from } of runsOf(spec, slots, upload)) out.set(u.subarray(from, from + length), slot);
    },
    leaf: ({ mask }, answer, _leaf, random) =>
      Array.from({ length: parts }, (_, part) => {
        const upload = answer * parts + part;
        return {
          upload,
          length: n,
          fill: (out) => {
            const { arena } = nttKernel();
            arena.scope((scope) => {
              const poly = allocateWords(n, scope) as Residues;
              const values = arena.words(poly, n);
              let filled = 0;
              for (const { slot, length, from } of runsOf(spec, slots, upload)) {
                values.set(mask.subarray(from, from + length), slot);
                filled = slot + length;
              }
              // Slots that carry nothing of the client's have masks too: coefficients are uniform, as the noise's bound supposes.
              if (filled < n) sampleUniform(random, modulus, values.subarray(filled));
              toCoefficients(n, modulus, poly);
              out.set(new Int32Array(arena.memory.buffer, poly, n));
              centre(out, modulus);
              arena.words(poly, n).fill(0);
            });
          },
        };
      }),
  };
}

const most = 2 ** 12;

/** Milliseconds for the residues of a polynomial of 2048 coefficients, on the machine of ot/times.ts. */
const readMs = 0.04;

export const ole: RlweKind<OleSpec> = {
  takesCarries: true,
  sizes: ({ rows, cols, terms }) => ({ rows, cols, terms }),
  results: ({ rows, cols }) => most * Math.ceil((rows * cols) / most),
  layout: oleLayout,
  checkClient({ spec, u }) {
    requireWords(spec, 'u', u, spec.terms * spec.rows * spec.cols);
  },
  ownerInput(request) {
    requireWords(request.spec, 'mask', request.mask, request.spec.terms * request.spec.rows * request.spec.cols);
    return request;
  },
};
