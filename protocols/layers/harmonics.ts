/**
 * An activation without a table: f(x) = x/2 + a₀ + Σ_k a_k·cos(k·θ), θ = 2π·x/2^rangeBits. GELU and its relatives are x/2 and an even
 * function, which a few harmonics approximate on |x| ≤ reach < 2^rangeBits/2 (Fourier extension, Huybrechs, SIAM J. Numer. Anal. 2010; SecFormer,
 * Luo et al., ACL 2024, takes a Fourier series of erf, with a dealer). The share ring *is* the circle: θ = θ_c + θ_o whatever the carry, so
 *   cos(kθ) = cos(kθ_c)·cos(kθ_o) − sin(kθ_c)·sin(kθ_o)
 * is two products of a number that the client knows ahead (its share is) and one that the owner knows online. All of an element's are one inner
 * product Σ u_j·v_j over a prime field (offline/rlwe/ole.ts) of numbers of about 10 bits: with the owner's ρ_j of the correlation, it sends
 * e_j = v_j − ρ_j, and Σ u_j·v_j = Σ u_j·e_j + Σ u_j·ρ_j. The field is a circle as well, which each party lays over the output's ring.
 * x/2 is each party's own shift: the input's ring is wide enough for the carry out of it to fall off.
 *
 * Computes: shares of f, error in (−1, 1) for x/2 with mean 0, within a unit for the circle, and the roundings of u and v, of a deviation below
 * `deviation`. Nobody learns anything: ρ_j is uniform.
 * Online, per element and harmonic: 2·⌈log2 p⌉ bits →, in the flight of the truncation that follows; nothing ←. Correlations: one `ole`.
 */
import type { OleSpec } from '../offline/correlations.ts';
import { fieldBits, fieldOf, fieldToRing, intoField, sampleUniform } from '../sharing/field.ts';
import { maskOf, pack, packedBytes, unpack } from '../sharing/packing.ts';
import { type PlanBuilder, requirePreset } from './builder.ts';
import { correlationKey, layerProtocol, type Op, type OwnerState, Slot, stageOfInputs, type Value } from './op.ts';
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
  readonly constant: number;
  readonly harmonics: readonly Harmonic[];
  /** Of the roundings of u and v together, at most. */
  readonly deviation: number;
}

/** Of the roundings, in units of the result: not much more than what a truncation's has. */
const deviationUnits = 1.5;

/** What the activations fall short of 0 by, and their polynomials, is less. */
const lowest = -0.5;

/** Bits of what is between that and f(reach), which is at most reach, with a little room. */
const magnitudeOf = (reach: number): number => {
  let bits = 0;
  while (2 ** bits < 1.0625 * reach - lowest) bits++;
  return bits;
};

/** f(x) for |x| ≤ spec.reach, with the fraction bits of `spec.out`. */
export function harmonics(plan: PlanBuilder, x: Value, fn: ActivationName, spec: HarmonicsLike): Value {
  requirePreset(x);
  const { rangeBits, reach, constant, parts, out } = spec;
  const output = plan.value(x.rows, x.cols, parts[0].fracBits);
  plan.add<HarmonicsOp>({
    ...({ kind: 'harmonics', inputs: [x], output, function: fn, rangeBits, reach, constant } as const),
    harmonics: parts.flatMap((part) => part.harmonics.map(({ k, amplitude }) => ({ k, amplitude }))),
    deviation: deviationUnits * 2 ** -out.fracBits,
  });
  return truncate(plan, output, Math.max(magnitudeOf(reach), parts[0].magnitudeBits), out.fracBits, lowest);
}

/** Bits of x that make up θ. */
const circleBits = ({ rangeBits, inputs: [x] }: HarmonicsOp): number => rangeBits + x.fracBits;

/** Bits that x/2 has beyond the output's fraction; negative where it has fewer. */
const dropBits = ({ inputs: [x], output }: HarmonicsOp): number => x.fracBits + 1 - output.fracBits;

/**
 * The field, and how large numbers are in it: a whole turn of the output's ring is R = 2^ringBits in units of its value, and p in the field. u is
 * a_k·(p/R)/steps times a cosine, v is `steps` times one; roundings are uniform, so with K harmonics their variance is (R/p)²·(K·steps² +
 * Σa²·((p/R)/steps)²)/12. Both sides find the same: roots and products are exact in IEEE 754, or rounded in one way.
 */
function fieldFor(op: HarmonicsOp): { readonly p: number; readonly steps: number; readonly scale: number } {
  const turn = 2 ** (op.output.ringBits - op.output.fracBits);
  const squares = op.harmonics.reduce((sum, { amplitude }) => sum + amplitude * amplitude, 0);
  const spread = Math.sqrt(op.harmonics.length * squares);
  const p = fieldOf((turn * spread) / (6 * op.deviation * op.deviation));
  const steps = Math.max(1, Math.round(Math.sqrt(((p / turn) * Math.sqrt(squares)) / Math.sqrt(op.harmonics.length))));
  return { p, steps, scale: p / turn / steps };
}

/** An angle is rounded to 2^-24 of a turn: of high and low 12 bits, cosine and sine are looked up (20 times as fast as `Math.cos` and `Math.sin`). */
const halfBits = 12;
const lookedUp = (turnBits: number): Float64Array =>
  Float64Array.from({ length: 2 ** (halfBits + 1) }, (_, i) => {
    const angle = ((i >>> 1) * 2 * Math.PI) / 2 ** turnBits;
    return i % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
  });
const [highParts, lowParts] = [lookedUp(halfBits), lookedUp(2 * halfBits)];

/** `factor` times cosine, and `sines` times sine, of what a party's share makes of a harmonic: (2, elements) signed, rounded. */
function circular(
  op: HarmonicsOp,
  k: number,
  factor: number,
  sines: number,
  share: Uint32Array,
  out: Int32Array,
): void {
  const bits = circleBits(op);
  const count = share.length;
  for (let i = 0; i < count; i++) {
    // Whole turns are left out while that is exact: what remains is on top of a word.
    const angle = (Math.imul(share[i], k) << (32 - bits)) >>> (32 - 2 * halfBits);
    const high = (angle >>> halfBits) << 1;
    const low = (angle & (2 ** halfBits - 1)) << 1;
    const cosine = highParts[high] * lowParts[low] - highParts[high + 1] * lowParts[low + 1];
    const sine = highParts[high + 1] * lowParts[low] + highParts[high] * lowParts[low + 1];
    out[i] = Math.round(factor * cosine);
    out[count + i] = Math.round(sines * sine);
  }
}

/** Each harmonic's numbers, signed: (2·harmonics, elements). */
function numbersOf(op: HarmonicsOp, share: Uint32Array, party: 'client' | 'owner'): Int32Array {
  const { steps, scale } = fieldFor(op);
  const numbers = new Int32Array(2 * op.harmonics.length * share.length);
  for (const [at, { k, amplitude }] of op.harmonics.entries()) {
    const part = numbers.subarray(2 * at * share.length, 2 * (at + 1) * share.length);
    if (party === 'client') circular(op, k, amplitude * scale, -amplitude * scale, share, part);
    else circular(op, k, steps, steps, share, part);
  }
  return numbers;
}

/** Numbers as elements of the field; minus others, where there are any. */
function elementsOf(numbers: Int32Array, p: number, others?: Uint32Array): Uint32Array {
  for (let i = 0; i < numbers.length; i++) numbers[i] = intoField(numbers[i] - (others?.[i] ?? 0), p);
  return new Uint32Array(numbers.buffer);
}

/** What the parties compute, in real numbers. */
function polynomial({ constant, rangeBits, harmonics }: HarmonicsOp, x: number): number {
  const turn = (2 * Math.PI) / 2 ** rangeBits;
  return harmonics.reduce((sum, { k, amplitude }) => sum + amplitude * Math.cos(k * turn * x), x / 2 + constant);
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

function specOf(op: HarmonicsOp): OleSpec {
  const { rows, cols } = op.output;
  const { p } = fieldFor(op);
  return {
    kind: 'ole',
    key: correlationKey(op, 'cosines'),
    ringBits: fieldBits(p),
    modulus: p,
    terms: 2 * op.harmonics.length,
    rows,
    cols,
  };
}

/** The owner's ρ, (terms, elements). */
const masks = new Slot<Uint32Array>('masks of cosines');

function drawMasks(op: HarmonicsOp, owner: OwnerState): Uint32Array {
  const { modulus, terms } = specOf(op);
  const drawn = new Uint32Array(terms * op.output.size);
  sampleUniform(owner.random, modulus, drawn);
  masks.put(owner, op, drawn);
  return drawn;
}

export const harmonicsProtocol = layerProtocol<HarmonicsOp>({
  title: 'trigonometric polynomial',
  need(op) {
    const [x] = op.inputs;
    x.need(circleBits(op));
    x.need(op.output.ringBits + dropBits(op));
  },
  cost: (op) => {
    const { modulus, terms } = specOf(op);
    return { ownerToClient: packedBytes(terms * op.output.size, fieldBits(modulus)), clientToOwner: 0 };
  },
  stage: stageOfInputs,
  correlations: (op) => [specOf(op)],
  clientRequests(op, client) {
    const spec = specOf(op);
    return [{ spec, u: elementsOf(numbersOf(op, client.share(op.inputs[0]), 'client'), spec.modulus) }];
  },
  ownerRequests: (op, owner) => [{ spec: specOf(op), mask: drawMasks(op, owner) }],

  *client(op, client) {
    const { size, fracBits, ringBits } = op.output;
    const { modulus: p, terms, key } = specOf(op);
    const x = client.share(op.inputs[0]);
    const sent = yield* receive(op.step, packedBytes(terms * size, fieldBits(p)));
    const opened = unpack(sent, terms * size, fieldBits(p));
    const numbers = numbersOf(op, x, 'client');
    const products = (client.correlations.take(key) as { share: Uint32Array }).share;
    const share = half(op, x, false);
    const constant = Math.round(op.constant * 2 ** fracBits);
    const sums = Float64Array.from(products);
    for (let first = 0; first < opened.length; first += size) {
      // Numbers are far below p/turn in magnitude (as `fieldFor` chooses it), openings below p < 2^26: all sums are exact.
      for (let i = 0; i < size; i++) sums[i] += numbers[first + i] * opened[first + i];
    }
    for (let i = 0; i < size; i++) share[i] = share[i] + fieldToRing(intoField(sums[i], p), p, ringBits) + constant;
    client.set(op.output, share);
  },

  *owner(op, owner) {
    const { size, ringBits } = op.output;
    const { modulus: p, key } = specOf(op);
    const x = owner.share(op.inputs[0]);
    const opened = elementsOf(numbersOf(op, x, 'owner'), p, masks.get(owner, op));
    yield* send(op.step, pack(opened, fieldBits(p)));
    const products = (owner.correlations.take(key) as { share: Uint32Array }).share;
    const share = half(op, x, true);
    for (let i = 0; i < size; i++) share[i] = share[i] + fieldToRing(products[i], p, ringBits);
    owner.set(op.output, share);
  },

  /** Within reach the function itself; beyond it what the parties compute. */
  reference(op, reference) {
    const unit = 2 ** -op.inputs[0].fracBits;
    const x = reference.value(op.inputs[0]);
    const limit = Math.floor(op.reach / unit);
    reference.check(op, x, -limit, limit + 1);
    const { evaluate } = activations[op.function];
    const scale = 2 ** op.output.fracBits;
    const ofInteger = (value: number) =>
      Math.abs(value) > limit ? polynomial(op, value * unit) : evaluate(value * unit);
    reference.set(
      op.output,
      x.map((value) => Math.round(ofInteger(value) * scale)),
    );
  },
});
