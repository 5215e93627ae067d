/**
 * Truncation by f bits with a known sign bit (SIRNN, Rathee et al., S&P 2021, §IV; Cheetah, Huang et al., USENIX Security
 * 2022, §5), from Z_2^k to Z_2^k', |x + 2^f| ≤ 2^(k−2).
 *
 * The owner adds 2^(k−2) + 2^f − 1, so that x lies in [−1, 2^(k−1)). Then x >> f = (x_c >> f) + (x_o >> f) + carry − wrap·2^(k−f),
 * where wrap = MSB(x_c) ∨ MSB(x_o) (of −1, exactly one is set). The low bits' carry is left out, which makes the rounding stochastic: with
 * the 2^f − 1, x = q·2^f + s with a uniform x_c becomes q + 1 with probability s/2^f, else q. Only the wrap is computed, and only its
 * part below 2^k': h = k' − (k − f) bits. With h ≤ 0 (truncate-and-reduce) there is nothing to compute.
 *
 * A fresh r, of any x_c, may be a number with a fraction, drawn by who makes the correlation of what reads it (inference/draws.ts). The client
 * then rounds (x_c·2^-f) − r down, in place of x_c·2^-f: the result is r and the owner's share, fraction included, with the same error.
 *
 * Of x known to be at least `lowest`, that is added in place of 2^(k−2), and the ring has a bit less: x in [lowest, lowest + 2^(k−1)).
 *
 * Computes: shares of x·2^-f, error in (−1, 1) with mean 0, none for multiples of 2^f. Nobody learns anything.
 * Online, per element: x_c preset: 1 bit →, 2h bits ←. Any x_c: 1 bit →, 2h + min(k', k−f) bits ← (the client's new share is
 * fresh; without h there is nothing →). Correlations: one random OT of h bits per element, the client is the sender.
 */

import type { OtSpec } from '../offline/correlations.ts';
import { maskOf, pack, packedBytes, unpack } from '../sharing/packing.ts';
import { xor } from '../sharing/words.ts';
import type { PlanBuilder } from './builder.ts';
import { correlationKey, layerProtocol, type Op, type Value } from './op.ts';
import { receive, send } from './rounds.ts';

export interface TruncateOp extends Op {
  readonly kind: 'truncate';
  readonly inputs: readonly [Value];
  readonly output: Value;
  /** Bits dropped, f ≥ 1. */
  readonly dropBits: number;
  /** |x| < 2^magnitudeBits for the value (not the integer), for the ring that the input needs. */
  readonly magnitudeBits: number;
  /** A multiple of 2^-outFracBits: no value lies below it, nor as much as 2^magnitudeBits above. */
  readonly lowest?: number;
}

/** What the owner adds, without that which rounds: a multiple of 2^f. */
const offsetOf = ({ inputs: [x], lowest }: TruncateOp): number =>
  lowest === undefined ? 2 ** (x.ringBits - 2) : -lowest * 2 ** x.fracBits;

/** k, k', f and the two parts that the answer has. */
function shape({ inputs: [x], output, dropBits: f }: TruncateOp) {
  const k = x.ringBits;
  const kOut = output.ringBits;
  if (f < 1 || f > k - 2) throw new RangeError(`truncate: dropBits: expected 1 to ${k - 2}, got ${f}`);
  const highBits = Math.max(0, kOut - (k - f));
  const lowBits = x.preset ? 0 : Math.min(kOut, k - f);
  return { k, kOut, f, highBits, lowBits, count: x.size };
}

/**
 * x with fewer fraction bits.
 * @param magnitudeBits |x| < 2^magnitudeBits for the value.
 * @param lowest where given, the value is in [lowest, lowest + 2^magnitudeBits).
 */
export function truncate(plan: PlanBuilder, x: Value, magnitudeBits: number, fracBits: number, lowest?: number): Value {
  const output = plan.value(x.rows, x.cols, fracBits, x.preset ? x.stage : 0);
  plan.add<TruncateOp>({
    ...({ kind: 'truncate', inputs: [x], output, dropBits: x.fracBits - fracBits, magnitudeBits } as const),
    ...(lowest !== undefined && { lowest }),
  });
  return output;
}

const specs = (op: TruncateOp): OtSpec[] => {
  const { highBits, count } = shape(op);
  if (highBits === 0) return [];
  return [{ kind: 'ot', key: correlationKey(op, 'ot'), ringBits: highBits, count, choiceBits: 1, words: 1 }];
};

export const truncateProtocol = layerProtocol<TruncateOp>({
  title: 'truncate',
  need: (op) => op.inputs[0].need(op.inputs[0].fracBits + op.magnitudeBits + (op.lowest === undefined ? 2 : 1)),
  cost(op) {
    const { highBits, lowBits, count } = shape(op);
    return {
      ownerToClient: highBits > 0 ? packedBytes(count, 1) : 0,
      clientToOwner: packedBytes(2 * count, highBits) + packedBytes(count, lowBits),
    };
  },
  correlations: specs,
  isFresh: (op) => !op.inputs[0].preset,
  presetClient(op, client) {
    const { k, f, highBits, count } = shape(op);
    if (!op.inputs[0].preset) {
      if (!client.has(op.output)) client.set(op.output, client.random.words(count));
      return;
    }
    // The new share is (x_c >> f) − ρ'·2^(k−f) with a fresh ρ' of h bits: it hides the wrap, and is known ahead.
    const x = client.share(op.inputs[0]);
    const mask = maskOf(k);
    const rho = highBits > 0 ? client.random.words(count) : new Uint32Array(count);
    client.set(
      op.output,
      x.map((value, i) => ((value & mask) >>> f) - shiftLeft(rho[i], k - f)),
    );
  },
  clientRequests: (op) => specs(op).map((spec) => ({ spec })),
  ownerRequests: (op) => specs(op).map((spec) => ({ spec })),

  *client(op, client) {
    const { k, f, highBits, lowBits, count } = shape(op);
    const x = client.share(op.inputs[0]);
    const mask = maskOf(k);
    const output = client.share(op.output);
    const fractions = client.fractions.get(op.output.id);
    // What the owner must add for a wrap of 0: A = ⌊x_c·2^-f − r⌋, whose low k−f bits are 0 in the preset form.
    const answers = new Uint32Array(highBits > 0 || lowBits > 0 ? count : 0);
    for (let i = 0; i < answers.length; i++) {
      const whole = ((x[i] & mask) >>> f) - output[i];
      answers[i] = fractions && (x[i] << (32 - f)) >>> 0 < fractions[i] ? whole - 1 : whole;
    }

    if (highBits > 0) {
      const flips = unpack(yield* receive(op.step, packedBytes(count, 1)), count, 1);
      const { messages } = client.ot(op);
      const high = new Uint32Array(2 * count);
      for (let i = 0; i < count; i++) {
        const base = answers[i] >>> (k - f);
        const msb = (x[i] >>> (k - 1)) & 1;
        const flip = flips[i];
        high[2 * i] = base - msb + messages[2 * i + flip];
        high[2 * i + 1] = base - 1 + messages[2 * i + (1 - flip)];
      }
      yield* send(op.step, pack(high, highBits));
    }
    if (lowBits > 0) yield* send(op.step, pack(answers, lowBits));
  },

  *owner(op, owner) {
    const { k, f, highBits, lowBits, count } = shape(op);
    const x = owner.share(op.inputs[0]);
    const mask = maskOf(k);
    const lift = offsetOf(op);
    const offset = lift + shiftLeft(1, f) - 1;
    const shifted = new Uint32Array(count);
    const msb = new Uint32Array(count);
    const back = lift / 2 ** f;
    for (let i = 0; i < count; i++) {
      const positive = ((x[i] + offset) & mask) >>> 0;
      shifted[i] = (positive >>> f) - back;
      msb[i] = positive >>> (k - 1);
    }
    if (highBits > 0) {
      const ot = owner.ot(op);
      yield* send(op.step, pack(xor(msb, ot.choices), 1));
      const high = unpack(yield* receive(op.step, packedBytes(2 * count, highBits)), 2 * count, highBits);
      const highMask = maskOf(highBits);
      for (let i = 0; i < count; i++) {
        shifted[i] = shifted[i] + shiftLeft((high[2 * i + msb[i]] - ot.messages[i]) & highMask, k - f);
      }
    }
    if (lowBits > 0) {
      const low = unpack(yield* receive(op.step, packedBytes(count, lowBits)), count, lowBits);
      for (let i = 0; i < count; i++) shifted[i] = shifted[i] + low[i];
    }
    owner.set(op.output, shifted);
  },

  reference(op, reference) {
    const x = reference.value(op.inputs[0]);
    const [lift, f] = [offsetOf(op), op.dropBits];
    const unit = 2 ** f;
    reference.check(op, x, -lift - unit, 2 ** (op.inputs[0].ringBits - 1) - lift - unit + 1);
    const rounded = new Int32Array(x.length);
    // ⌊(x + 2^(f−1))/2^f⌋, whatever 32 bits x is.
    for (let i = 0; i < x.length; i++) rounded[i] = (x[i] >> f) + ((x[i] >> (f - 1)) & 1);
    reference.set(op.output, rounded);
  },
});

/** Left shift that gives 0 for 32 and more, where JavaScript's would wrap. */
function shiftLeft(value: number, bits: number): number {
  return bits >= 32 ? 0 : value << bits;
}
