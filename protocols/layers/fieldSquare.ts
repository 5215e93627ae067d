/**
 * Squares of positive numbers of few bits, over a prime field p just below 2^30: a truncation (truncate.ts) whose result is shared modulo p, and
 * a one-sided Beaver product there (product.ts), whose correlation is one product in the slots of ring-LWE (offline/rlwe/ole.ts). The field is a circle
 * like any ring's: each party lays its share of w² over the output's, R = 2^(30 − 2F) in units of the value for w with F fraction bits. w²·2^30/p
 * comes out: 5·10^-5 more, which whoever divides by the squares' sum does not see.
 *
 * With wrap = MSB(x_c) ∨ MSB(x_o), as in truncate.ts, the owner's share of w is (x_o >> f) + M_b for its bit b, M_b = (x_c >> f) − wrap·2^(k−f) − r
 * modulo p, and r the client's, preset. With ρ the owner's of the correlation it opens e = w_o − ρ: w² = r² + 2r·e + (2r·ρ) + w_o².
 *
 * Computes: shares of w², error in (−1, 1) unit of w before, and below 1 unit of w² after. Nobody learns anything: r and ρ are uniform modulo p, and one
 * of the two messages that carry M_b is masked by what the owner does not have, three words modulo p.
 * Online, per element: 1 bit →, 60 bits ←, 30 bits →. Correlations: one random OT, one `ole` of one term.
 */
import type { OleSpec, OtSpec } from '../offline/correlations.ts';
import {
  fieldToRing,
  intoField,
  maskAt,
  squaresPrime as p,
  sampleUniform,
  squaresBits,
  timesInField,
  wordsPerMask,
} from '../sharing/field.ts';
import { maskOf, pack, packedBytes, unpack } from '../sharing/packing.ts';
import { xor } from '../sharing/words.ts';
import type { PlanBuilder } from './builder.ts';
import { type ClientState, correlationKey, layerProtocol, type Op, type OwnerState, Slot, type Value } from './op.ts';
import { receive, send } from './rounds.ts';
import type { TensorLike } from './specs.ts';
import { truncate } from './truncate.ts';

export interface FieldSquareOp extends Op {
  readonly kind: 'fieldSquare';
  readonly inputs: readonly [Value];
  readonly output: Value;
  /** Bits dropped before squaring, f ≥ 1. */
  readonly dropBits: number;
  /** |x| < 2^magnitudeBits for the value. */
  readonly magnitudeBits: number;
}

/** Bits of a turn of the circle that squares of numbers with F fraction bits are on, in units of their value. */
export const turnBits = ({ fracBits }: Pick<TensorLike, 'fracBits'>): number => squaresBits - 2 * fracBits;

/** Rounding may bring 0 below itself. */
const lowest = -0.5;

/** Fraction bits of squares beyond those that they are truncated to. */
const moreBits = 2;

/** The squares of x truncated to `input`, with a little more than `fracBits` fraction bits. */
export function fieldSquare(plan: PlanBuilder, x: Value, input: TensorLike, fracBits: number): Value {
  const output = plan.value(x.rows, x.cols, fracBits + moreBits);
  plan.add<FieldSquareOp>({
    ...({ kind: 'fieldSquare', inputs: [x], output } as const),
    dropBits: x.fracBits - input.fracBits,
    magnitudeBits: input.magnitudeBits,
  });
  return output;
}

/** Squares, truncated: what is below half a turn is told from what is negative. */
export const truncateSquares = (plan: PlanBuilder, squares: Value, input: TensorLike, fracBits: number): Value =>
  truncate(plan, squares, turnBits(input) - 1, fracBits, lowest);

const size = (op: FieldSquareOp) => op.output.size;

/** The ring that is as large as the circle. */
const ringOf = ({ inputs: [x], output, dropBits }: FieldSquareOp): number =>
  output.fracBits + turnBits({ fracBits: x.fracBits - dropBits });

const otOf = (op: FieldSquareOp): OtSpec => ({
  ...({ kind: 'ot', key: correlationKey(op, 'ot'), ringBits: 32, choiceBits: 1, words: wordsPerMask } as const),
  count: size(op),
});

const oleOf = (op: FieldSquareOp): OleSpec => ({
  ...({ kind: 'ole', key: correlationKey(op), ringBits: squaresBits, modulus: p, terms: 1 } as const),
  rows: op.output.rows,
  cols: op.output.cols,
});

/** The client's r, and the owner's ρ. */
const masks = new Slot<Uint32Array>('masks of squares');

function drawMasks(op: FieldSquareOp, party: ClientState | OwnerState): Uint32Array {
  const drawn = new Uint32Array(size(op));
  sampleUniform(party.random, p, drawn);
  masks.put(party, op, drawn);
  return drawn;
}

export const fieldSquareProtocol = layerProtocol<FieldSquareOp>({
  title: 'truncated square',
  need(op) {
    const { inputs, output, magnitudeBits } = op;
    inputs[0].need(inputs[0].fracBits + magnitudeBits + 2);
    if (output.ringBits > ringOf(op))
      throw new RangeError(`fieldSquare: expected a ring of at most ${ringOf(op)} bits, got ${output.ringBits}`);
    output.need(ringOf(op));
  },
  cost(op) {
    const { dropBits: f, inputs } = op;
    if (f < 1 || f > inputs[0].ringBits - 2)
      throw new RangeError(`fieldSquare: dropBits: expected 1 to ${inputs[0].ringBits - 2}, got ${f}`);
    const wrap = { ownerToClient: packedBytes(size(op), 1), clientToOwner: packedBytes(2 * size(op), squaresBits) };
    const opening = { ownerToClient: packedBytes(size(op), squaresBits), clientToOwner: 0 };
    return {
      ownerToClient: wrap.ownerToClient + opening.ownerToClient,
      clientToOwner: wrap.clientToOwner,
      rounds: [wrap, opening],
    };
  },
  correlations: (op) => [otOf(op), oleOf(op)],
  clientRequests: (op, client) => [
    { spec: otOf(op) },
    { spec: oleOf(op), u: drawMasks(op, client).map((r) => (2 * r) % p) },
  ],
  ownerRequests: (op, owner) => [{ spec: otOf(op) }, { spec: oleOf(op), mask: drawMasks(op, owner) }],

  *client(op, client) {
    const count = size(op);
    const [x] = op.inputs;
    const [k, f] = [x.ringBits, op.dropBits];
    const share = client.share(x);
    const r = masks.get(client, op);
    const { messages } = client.ot(op);
    const flips = unpack(yield* receive(op.step, packedBytes(count, 1)), count, 1);
    const masked = new Uint32Array(2 * count);
    const mask = maskOf(k);
    for (let i = 0; i < count; i++) {
      const word = (share[i] & mask) >>> 0;
      const whole = (word >>> f) - r[i];
      const msb = word >>> (k - 1);
      for (let b = 0; b < 2; b++) {
        const message = whole - (msb | b) * 2 ** (k - f);
        masked[2 * i + b] = intoField(message + maskAt(messages, 2 * i + (b ^ flips[i]), p), p);
      }
    }
    yield* send(op.step, pack(masked, squaresBits));
    const opened = unpack(yield* receive(op.step, packedBytes(count, squaresBits)), count, squaresBits);
    const products = client.product(op);
    client.set(
      op.output,
      products.map((product, i) => {
        const twice = intoField(r[i] + 2 * opened[i], p);
        return fieldToRing((timesInField(r[i], twice, p) + product) % p, p, op.output.ringBits);
      }),
    );
  },

  *owner(op, owner) {
    const count = size(op);
    const [x] = op.inputs;
    const [k, f] = [x.ringBits, op.dropBits];
    const share = owner.share(x);
    const { choices, messages } = owner.ot(op);
    const mask = maskOf(k);
    const positive = share.map((word) => (word + 2 ** (k - 2) + 2 ** f - 1) & mask);
    const bits = positive.map((word) => word >>> (k - 1));
    yield* send(op.step, pack(xor(bits, choices), 1));
    const masked = unpack(yield* receive(op.step, packedBytes(2 * count, squaresBits)), 2 * count, squaresBits);
    const rho = masks.get(owner, op);
    const weights = positive.map((word, i) => {
      const message = masked[2 * i + bits[i]] - maskAt(messages, i, p);
      return intoField((word >>> f) - 2 ** (k - 2 - f) + message, p);
    });
    yield* send(
      op.step,
      pack(
        weights.map((w, i) => intoField(w - rho[i], p)),
        squaresBits,
      ),
    );
    const products = owner.product(op);
    owner.set(
      op.output,
      weights.map((w, i) => fieldToRing((timesInField(w, w, p) + products[i]) % p, p, op.output.ringBits)),
    );
  },

  reference(op, reference) {
    const [x] = op.inputs;
    const f = op.dropBits;
    const value = reference.value(x);
    const limit = 2 ** (x.ringBits - 2);
    const unit = 2 ** f;
    reference.check(op, value, -limit - unit, limit - unit + 1);
    const turn = 2 ** op.output.ringBits;
    reference.set(
      op.output,
      value.map((word) => {
        const w = (word >> f) + ((word >> (f - 1)) & 1);
        return Math.round(((w * w) / p) * turn);
      }),
    );
  },
});
