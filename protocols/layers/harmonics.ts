/**
 * An activation without a table: f(x) = x/2 + a₀ + Σ_k a_k·cos(k·θ), θ = 2π·x/2^rangeBits. GELU and its relatives are x/2 and an even
 * function, which a few harmonics approximate on |x| ≤ reach < 2^rangeBits/2 (Fourier extension, Huybrechs, SIAM J. Numer. Anal. 2010; SecFormer,
 * Luo et al., ACL 2024, takes a Fourier series of erf, with a dealer). The share ring *is* the circle: θ = θ_c + θ_o whatever the carry, so
 *   cos(kθ) = cos(kθ_c)·cos(kθ_o) − sin(kθ_c)·sin(kθ_o)
 * is two products of a number that the client knows ahead (its share is) and one that the owner knows online: each by correlated OTs with random
 * choices (offline/ot/ringCot.ts), as table.ts multiplies its columns. The owner's numbers have `bits` bits, few where a_k is small.
 * x/2 is each party's own shift: the input's ring is wide enough for the carry out of it to fall off.
 *
 * Harmonics whose sum is small are another part, in a narrow ring of its own: `truncate` makes both parts' rings the result's.
 *
 * Computes: shares of the part, error in (−1, 1) for x/2 with mean 0. Nobody learns anything.
 * Online, per element: 2·Σ bits →, in the flight of the truncation that follows; nothing ←. Correlations: `ringCot`s, two factors a harmonic.
 */
import type { RingCotSpec } from '../offline/correlations.ts';
import { maskOf, pack, packedBytes, unpack } from '../sharing/packing.ts';
import { type PlanBuilder, requirePreset } from './builder.ts';
import { add, local } from './local.ts';
import { correlationKey, layerProtocol, type Op, stageOfInputs, type Value } from './op.ts';
import { receive, send } from './rounds.ts';
import type { Harmonic, HarmonicsLike } from './specs.ts';
import { type ActivationName, activations } from './splineFunctions.ts';
import { truncate } from './truncate.ts';

export interface HarmonicsOp extends Op {
  readonly kind: 'harmonics';
  readonly inputs: readonly [Value];
  readonly output: Value;
  readonly function: ActivationName;
  /** The period is 2^rangeBits. */
  readonly rangeBits: number;
  readonly reach: number;
  /** The part that has x/2 in it, and a₀, here; of the others it is undefined. */
  readonly constant?: number;
  readonly harmonics: readonly Harmonic[];
}

/** f(x) for |x| ≤ spec.reach, with the fraction bits of `spec.out`. */
export function harmonics(plan: PlanBuilder, x: Value, fn: ActivationName, spec: HarmonicsLike): Value {
  requirePreset(x);
  const { rangeBits, reach, out } = spec;
  const parts: Value[] = [];
  plan.parallel(
    ...spec.parts.map((part, i) => () => {
      const output = plan.value(x.rows, x.cols, part.fracBits);
      plan.add<HarmonicsOp>({
        ...({ kind: 'harmonics', inputs: [x], output, function: fn, rangeBits, reach } as const),
        harmonics: part.harmonics,
        ...(i === 0 && { constant: spec.constant }),
      });
      parts[i] = truncate(plan, output, part.magnitudeBits, out.fracBits);
    }),
  );
  return parts.reduce((sum, part) => local(plan, [sum, part], x.rows, x.cols, add));
}

/** Bits of x that make up θ. */
const circleBits = ({ rangeBits, inputs: [x] }: HarmonicsOp): number => rangeBits + x.fracBits;

/** Bits that x/2 has beyond the output's fraction; negative where it has fewer. */
const dropBits = ({ inputs: [x], output }: HarmonicsOp): number => x.fracBits + 1 - output.fracBits;

/** The owner's numbers are −1 + j·step, j = 0 … 2^bits − 1: both ends of [−1, 1] are among them. */
const stepOf = ({ bits }: Harmonic): number => 2 / (2 ** bits - 1);

/** What each party's share makes of a harmonic, (elements, 2): its cosine and sine. */
function circular(
  op: HarmonicsOp,
  { k }: Harmonic,
  share: Uint32Array,
  use: (at: number, value: number) => void,
): void {
  const mask = maskOf(circleBits(op));
  const turn = (2 * Math.PI) / 2 ** circleBits(op);
  for (let i = 0; i < share.length; i++) {
    // A whole number of turns is left out while that is exact.
    const angle = ((Math.imul(share[i], k) & mask) >>> 0) * turn;
    use(2 * i, Math.cos(angle));
    use(2 * i + 1, Math.sin(angle));
  }
}

/** The client's factors of a harmonic, (elements, 2), in units of the output for one step of the owner's number. */
function clientsFactors(op: HarmonicsOp, harmonic: Harmonic, share: Uint32Array): Int32Array {
  const factors = new Int32Array(2 * share.length);
  const unit = harmonic.amplitude * stepOf(harmonic) * 2 ** op.output.fracBits;
  circular(op, harmonic, share, (at, value) => (factors[at] = Math.round(at % 2 ? -unit * value : unit * value)));
  return factors;
}

/** The owner's numbers of a harmonic, (elements, 2), as j. */
function ownersNumbers(op: HarmonicsOp, harmonic: Harmonic, share: Uint32Array): Uint32Array {
  const numbers = new Uint32Array(2 * share.length);
  const step = stepOf(harmonic);
  circular(op, harmonic, share, (at, value) => (numbers[at] = Math.round((value + 1) / step)));
  return numbers;
}

/** The part, in real numbers. */
function polynomial({ constant, rangeBits, harmonics }: HarmonicsOp, x: number): number {
  const turn = (2 * Math.PI) / 2 ** rangeBits;
  const start = constant === undefined ? 0 : x / 2 + constant;
  return harmonics.reduce((sum, { k, amplitude }) => sum + amplitude * Math.cos(k * turn * x), start);
}

/** A party's share of x/2 at the output's fraction bits. */
function half(op: HarmonicsOp, share: Uint32Array, isOwner: boolean): Uint32Array {
  const drop = dropBits(op);
  if (drop <= 0) return share.map((word) => word << -drop);
  const mask = maskOf(op.inputs[0].ringBits);
  // As in truncate.ts, the owner's 2^f − 1 more make the lost carry a rounding without bias.
  const more = isOwner ? 2 ** drop - 1 : 0;
  return share.map((word) => ((word + more) & mask) >>> drop);
}

const specsOf = (op: HarmonicsOp): RingCotSpec[] =>
  op.harmonics.map(({ k, bits }) => ({
    kind: 'ringCot',
    key: correlationKey(op, `bits${k}`),
    ringBits: op.output.ringBits,
    count: 2 * op.output.size,
    factorBits: bits,
  }));

export const harmonicsProtocol = layerProtocol<HarmonicsOp>({
  title: 'trigonometric polynomial',
  need(op) {
    const [x] = op.inputs;
    x.need(circleBits(op));
    if (op.constant !== undefined) x.need(op.output.ringBits + dropBits(op));
  },
  cost: ({ harmonics, output: { size, ringBits } }) => {
    for (const { bits } of harmonics) {
      if (bits > ringBits) throw new RangeError(`harmonics: bits: expected at most ${ringBits}, got ${bits}`);
    }
    const ownerToClient = harmonics.reduce((sum, { bits }) => sum + packedBytes(2 * size, bits), 0);
    return { ownerToClient, clientToOwner: 0 };
  },
  stage: stageOfInputs,
  correlations: specsOf,
  clientRequests(op, client) {
    const share = client.share(op.inputs[0]);
    return specsOf(op).map((spec, i) => ({
      spec,
      c: new Uint32Array(clientsFactors(op, op.harmonics[i], share).buffer),
    }));
  },
  ownerRequests: (op) => specsOf(op).map((spec) => ({ spec })),

  *client(op, client) {
    const { size, fracBits } = op.output;
    const x = client.share(op.inputs[0]);
    const share = op.constant === undefined ? new Uint32Array(size) : half(op, x, false);
    const constant = Math.round((op.constant ?? 0) * 2 ** fracBits);
    for (let i = 0; i < size; i++) share[i] = share[i] + constant;
    for (const harmonic of op.harmonics) {
      const { k, bits } = harmonic;
      const flips = unpack(yield* receive(op.step, packedBytes(2 * size, bits)), 2 * size, bits);
      const { keys } = client.ringCot(op, `bits${k}`);
      const factors = clientsFactors(op, harmonic, x);
      // The owner's number is j − middle steps; only j is multiplied.
      const middle = (2 ** bits - 1) / 2;
      for (let at = 0, cot = 0; at < 2 * size; at++) {
        const factor = factors[at];
        let sum = -Math.round(factor * middle);
        for (let b = 0; b < bits; b++, cot++) {
          sum = (sum + (((flips[at] >>> b) & 1 ? factor + keys[cot] : -keys[cot]) << b)) | 0;
        }
        share[at >>> 1] = share[at >>> 1] + sum;
      }
    }
    client.set(op.output, share);
  },

  *owner(op, owner) {
    const { size } = op.output;
    const x = owner.share(op.inputs[0]);
    const share = op.constant === undefined ? new Uint32Array(size) : half(op, x, true);
    for (const harmonic of op.harmonics) {
      const { k, bits } = harmonic;
      const { choices, keys } = owner.ringCot(op, `bits${k}`);
      const numbers = ownersNumbers(op, harmonic, x);
      const flips = numbers.map((number, at) => number ^ choices[at]);
      yield* send(op.step, pack(flips, bits));
      for (let at = 0, cot = 0; at < 2 * size; at++) {
        let sum = 0;
        for (let b = 0; b < bits; b++, cot++) {
          sum = (sum + (((flips[at] >>> b) & 1 ? -keys[cot] : keys[cot]) << b)) | 0;
        }
        share[at >>> 1] = share[at >>> 1] + sum;
      }
    }
    owner.set(op.output, share);
  },

  /** Within reach the first part stands for the function itself, and the others for nothing; beyond, each is what the parties compute. */
  reference(op, reference) {
    const unit = 2 ** -op.inputs[0].fracBits;
    const x = reference.value(op.inputs[0]);
    const limit = Math.floor(op.reach / unit);
    const isFirst = op.constant !== undefined;
    if (isFirst) reference.check(op, x, -limit, limit + 1);
    const { evaluate } = activations[op.function];
    const scale = 2 ** op.output.fracBits;
    const ofInteger = (value: number) => {
      if (Math.abs(value) > limit) return polynomial(op, value * unit);
      return isFirst ? evaluate(value * unit) : 0;
    };
    reference.set(
      op.output,
      x.map((value) => Math.round(ofInteger(value) * scale)),
    );
  },
});
