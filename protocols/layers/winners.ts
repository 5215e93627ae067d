/**
 * Which of each row's values is the largest: shares of 1 there and of 0 elsewhere. The comparisons of argmax.ts.
 *
 * Every pair of a row is compared (comparison by digits: CrypTFlow2, Rathee et al., CCS 2020, §3.1, with two digits), then every value's wins
 * are counted, and whether it won all n − 1. All pairs and rows at once: four rounds whatever n is, for n²/2 comparisons a row.
 * Step 1. Every share is cut to its highest 17 bits, once, so that all pairs compare the same numbers y_i: an order, whose ties the
 *   lower index wins, and one value wins all its pairs (values closer than 2^-15 of their range count as either, by the carry that was
 *   cut off). The sign of d = y_i − y_j mod 2^17 is msb_c ⊕ msb_o ⊕ carry, and the carry is [o > t] with o the owner's 16 low bits and
 *   t = 2^16 − 1 − the client's: (greater, equal) of each 8-bit digit by a 1-of-256 OT.
 * Step 2. carry = greater_1 ⊕ equal_1·greater_0, the product by a 1-of-4 OT.
 * Step 3. The sign as an additive share modulo 2^s, s bits for n, by a 1-of-2 OT; wins are sums.
 * Step 4. Whether wins = n − 1, as a share in the result's ring, by a 1-of-2^s OT. The client's share is preset.
 *
 * Nobody learns anything. For −2^(k−2) + 2^(k−17) ≤ x < 2^(k−2), k bits of ring.
 * Online: 8 flights. Per pair: 16 + 2 + 1 bits →, 1024 + 4 + 2s bits ←; per value: s bits →, 2^s ring elements ←.
 * Correlations: random OTs of the sizes above, the client is the sender.
 */
import type { OtReceiverShare, OtSenderShare, OtSpec } from '../offline/correlations.ts';
import { maskOf, pack, packedBytes, unpack } from '../sharing/packing.ts';
import type { PlanBuilder } from './builder.ts';
import { ceilLog2 } from './local.ts';
import { correlationKey, layerProtocol, type Op, type Value } from './op.ts';
import { type Rounds, receive, send } from './rounds.ts';

export interface WinnersOp extends Op {
  readonly kind: 'winners';
  /** (rows, n). */
  readonly inputs: readonly [Value];
  /** (rows, n), 0 fraction bits. */
  readonly output: Value;
  /** |x| < 2^magnitudeBits for the value. */
  readonly magnitudeBits: number;
}

const digitBits = 8;
/** A sign and two digits. */
const comparedBits = 2 * digitBits + 1;
/** Of values in a row. */
export const maxInRow = 128;

type Part = 'digits' | 'and' | 'sum' | 'equal';

function shapeOf({ inputs: [x], output }: WinnersOp) {
  const n = x.cols;
  if (n < 2 || n > maxInRow) throw new RangeError(`winners: columns: expected 2 to ${maxInRow}, got ${n}`);
  const pairs: [number, number][] = [];
  for (let row = 0; row < x.size; row += n)
    for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) pairs.push([row + i, row + j]);
  const sumBits = ceilLog2(n);
  const ots: Record<Part, { count: number; choiceBits: number; ringBits: number }> = {
    digits: { count: 2 * pairs.length, choiceBits: digitBits, ringBits: 2 },
    and: { count: pairs.length, choiceBits: 2, ringBits: 1 },
    sum: { count: pairs.length, choiceBits: 1, ringBits: sumBits },
    equal: { count: x.size, choiceBits: sumBits, ringBits: output.ringBits },
  };
  return { n, pairs, sumBits, ots };
}
type OtShape = ReturnType<typeof shapeOf>['ots'][Part];

const parts: readonly Part[] = ['digits', 'and', 'sum', 'equal'];

/** An OT with chosen messages, bits combined by XOR: the client sends `entry(i, choice)` for every choice. */
function* clientOt(
  op: WinnersOp,
  shape: OtShape,
  share: OtSenderShare,
  entry: (i: number, choice: number) => number,
  combine: (x: number, key: number) => number,
): Rounds<void> {
  const { count, choiceBits, ringBits } = shape;
  const options = 2 ** choiceBits;
  const shifts = unpack(yield* receive(op.step, packedBytes(count, choiceBits)), count, choiceBits);
  const table = new Uint32Array(count * options);
  for (let i = 0; i < count; i++) {
    for (let choice = 0; choice < options; choice++)
      table[i * options + choice] = combine(entry(i, choice), share.messages[i * options + (choice ^ shifts[i])]);
  }
  yield* send(op.step, pack(table, ringBits));
}

/** The owner's side of `clientOt`: the entries it chose. */
function* ownerOt(
  op: WinnersOp,
  shape: OtShape,
  share: OtReceiverShare,
  choices: Uint32Array,
  separate: (x: number, key: number) => number,
): Rounds<Uint32Array> {
  const { count, choiceBits, ringBits } = shape;
  const options = 2 ** choiceBits;
  yield* send(
    op.step,
    pack(
      choices.map((choice, i) => choice ^ share.choices[i]),
      choiceBits,
    ),
  );
  const table = unpack(yield* receive(op.step, packedBytes(count * options, ringBits)), count * options, ringBits);
  return choices.map((choice, i) => separate(table[i * options + choice], share.messages[i]) & maskOf(ringBits));
}

const xor = (x: number, y: number) => x ^ y;
const plus = (x: number, y: number) => x + y;
const minus = (x: number, y: number) => x - y;

/** Low bits of a share that are not compared. */
const droppedBits = ({ inputs: [x] }: WinnersOp) => Math.max(0, x.ringBits - comparedBits);

/** Step 1's numbers: differences of the highest 17 bits of a party's shares. */
function reducedDifferences(op: WinnersOp, share: Uint32Array): Uint32Array {
  const drop = droppedBits(op);
  const highest = share.map((word) => (word & maskOf(op.inputs[0].ringBits)) >>> drop);
  return Uint32Array.from(shapeOf(op).pairs, ([i, j]) => (highest[i] - highest[j]) & maskOf(comparedBits));
}

/** Wins of each value from the signs of pairs: [i ahead of j] counts for i, its negation for j. `one` is this party's share of 1. */
function winsOf(op: WinnersOp, ahead: Uint32Array, one: 0 | 1): Uint32Array {
  const { pairs, sumBits } = shapeOf(op);
  const wins = new Uint32Array(op.output.size);
  pairs.forEach(([i, j], pair) => {
    wins[i] = wins[i] + ahead[pair];
    wins[j] = wins[j] + one - ahead[pair];
  });
  return wins.map((count) => count & maskOf(sumBits));
}

/** @param x (rows, n), |x| < 2^magnitudeBits. */
export function winners(plan: PlanBuilder, x: Value, magnitudeBits: number): Value {
  const output = plan.value(x.rows, x.cols, 0, 0);
  plan.add<WinnersOp>({ kind: 'winners', inputs: [x], output, magnitudeBits });
  return output;
}

const specs = (op: WinnersOp): OtSpec[] => {
  const { ots } = shapeOf(op);
  return parts.map((part) => ({ kind: 'ot', key: correlationKey(op, part), words: 1, ...ots[part] }));
};

export const winnersProtocol = layerProtocol<WinnersOp>({
  title: 'argmax',
  need: ({ inputs: [x], magnitudeBits }) => x.need(Math.max(comparedBits, x.fracBits + magnitudeBits + 2)),
  cost(op) {
    const { ots } = shapeOf(op);
    const sum = (of: (shape: OtShape) => number) => parts.reduce((total, part) => total + of(ots[part]), 0);
    return {
      ownerToClient: sum(({ count, choiceBits }) => packedBytes(count, choiceBits)),
      clientToOwner: sum(({ count, choiceBits, ringBits }) => packedBytes(count * 2 ** choiceBits, ringBits)),
      rounds: parts.map((part) => ({
        ownerToClient: packedBytes(ots[part].count, ots[part].choiceBits),
        clientToOwner: packedBytes(ots[part].count * 2 ** ots[part].choiceBits, ots[part].ringBits),
      })),
    };
  },
  correlations: specs,
  presetClient: (op, client) => client.set(op.output, client.random.words(op.output.size)),
  clientRequests: (op) => specs(op).map((spec) => ({ spec })),
  ownerRequests: (op) => specs(op).map((spec) => ({ spec })),

  *client(op, client) {
    const { n, pairs, ots } = shapeOf(op);
    const ot = (part: Part) => client.ot(op, part);
    const random = (count: number, bits: number) => client.random.words(count).map((word) => word & maskOf(bits));
    const d = reducedDifferences(op, client.share(op.inputs[0]));
    // t's digits, of each pair first the high one.
    const digits = Uint32Array.from({ length: 2 * pairs.length }, (_, n) => {
      const t = 0xffff - (d[n >> 1] & 0xffff);
      return n % 2 === 0 ? t >>> digitBits : t & 0xff;
    });
    // Step 1. Bit 0: greater; bit 1: equal.
    const r = random(2 * pairs.length, 2);
    yield* clientOt(
      op,
      ots.digits,
      ot('digits'),
      (n, o) => ((o > digits[n] ? 1 : 0) | (o === digits[n] ? 2 : 0)) ^ r[n],
      xor,
    );
    // Step 2.
    const product = random(pairs.length, 1);
    yield* clientOt(
      op,
      ots.and,
      ot('and'),
      (pair, o) => (((r[2 * pair] >> 1) ^ (o & 1)) & ((r[2 * pair + 1] & 1) ^ (o >> 1))) ^ product[pair],
      xor,
    );
    // Not negative: the complement of the sign.
    const ahead = d.map((value, pair) => 1 ^ (value >>> 16) ^ (r[2 * pair] & 1) ^ product[pair]);
    // Step 3.
    const additive = random(pairs.length, ots.sum.ringBits);
    yield* clientOt(op, ots.sum, ot('sum'), (pair, o) => (ahead[pair] ^ o) - additive[pair], plus);
    // Step 4.
    const wins = winsOf(op, additive, 1);
    const own = client.share(op.output);
    yield* clientOt(
      op,
      ots.equal,
      ot('equal'),
      (i, o) => (((wins[i] + o) & maskOf(ots.equal.choiceBits)) === n - 1 ? 1 : 0) - own[i],
      plus,
    );
  },

  *owner(op, owner) {
    const { pairs, ots } = shapeOf(op);
    const ot = (part: Part) => owner.ot(op, part);
    const d = reducedDifferences(op, owner.share(op.inputs[0]));
    // Step 1.
    const digits = Uint32Array.from({ length: 2 * pairs.length }, (_, n) =>
      n % 2 === 0 ? (d[n >> 1] & 0xffff) >>> digitBits : d[n >> 1] & 0xff,
    );
    const r = yield* ownerOt(op, ots.digits, ot('digits'), digits, xor);
    // Step 2.
    const factors = Uint32Array.from(pairs, (_, pair) => (r[2 * pair] >> 1) | ((r[2 * pair + 1] & 1) << 1));
    const product = yield* ownerOt(op, ots.and, ot('and'), factors, xor);
    const ahead = d.map((value, pair) => (value >>> 16) ^ (r[2 * pair] & 1) ^ product[pair]);
    // Step 3.
    const additive = yield* ownerOt(op, ots.sum, ot('sum'), ahead, minus);
    // Step 4.
    owner.set(op.output, yield* ownerOt(op, ots.equal, ot('equal'), winsOf(op, additive, 0), minus));
  },

  reference(op, reference) {
    const x = reference.value(op.inputs[0]);
    const limit = 2 ** (op.inputs[0].ringBits - 2);
    // The lowest unit less the carry would be 2^16 below the highest.
    reference.check(op, x, 2 ** droppedBits(op) - limit, limit);
    const { cols } = op.output;
    const largest = (row: number) => {
      const values = x.subarray(row * cols, (row + 1) * cols);
      return values.indexOf(Math.max(...values));
    };
    reference.set(
      op.output,
      x.map((_, i) => (i % cols === largest(Math.floor(i / cols)) ? 1 : 0)),
    );
  },
});
