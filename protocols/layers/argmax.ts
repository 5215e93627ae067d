/**
 * Reveal of the label only: which of C values is the largest, and nothing else about them.
 *
 * Every pair is compared (comparison by digits: CrypTFlow2, Rathee et al., CCS 2020, §3.1, with two digits), then every class's wins are
 * counted, and whether it won all C − 1 is revealed to the client. All pairs at once: five rounds whatever C is, for C² /2 comparisons;
 * meant for up to some dozens of classes.
 * Step 1. Every class's share is cut to its highest 17 bits, once, so that all pairs compare the same numbers y_i: an order, whose ties the
 *   lower index wins, and one class wins all its pairs (values closer than 2^-15 of their range count as either, by the carry that was
 *   cut off). The sign of d = y_i − y_j mod 2^17 is msb_c ⊕ msb_o ⊕ carry, and the carry is [o > t] with o the owner's 16 low bits and
 *   t = 2^16 − 1 − the client's: (greater, equal) of each 8-bit digit by a 1-of-256 OT.
 * Step 2. carry = greater_1 ⊕ equal_1·greater_0, the product by a 1-of-4 OT.
 * Step 3. The sign as an additive share modulo 2^s, s bits for C, by a 1-of-2 OT; wins are sums.
 * Step 4. Whether wins = C − 1, by a 1-of-2^s OT. Step 5. The owner reveals its shares of these bits.
 *
 * The client learns the index of the largest, the owner nothing. For −2^(k−2) + 2^(k−17) ≤ x < 2^(k−2), k bits of ring.
 * Online: 9 flights. Per pair: 16 + 2 + 1 bits →, 1024 + 4 + 2s bits ←; per class: s + 1 bits →, 2^s bits ←.
 * Correlations: random OTs of the sizes above, the client is the sender.
 */
import type { OtReceiverShare, OtSenderShare, OtSpec } from '../offline/correlations.ts';
import { maskOf, pack, packedBytes, unpack } from '../sharing/packing.ts';
import type { PlanBuilder } from './builder.ts';
import { correlationKey, layerProtocol, type Op, Slot, type Value } from './op.ts';
import { type Rounds, receive, send } from './rounds.ts';

export interface ArgmaxOp extends Op {
  readonly kind: 'argmax';
  /** (1, C). */
  readonly inputs: readonly [Value];
  /** |x| < 2^magnitudeBits for the value. */
  readonly magnitudeBits: number;
}

const digitBits = 8;
/** A sign and two digits. */
const comparedBits = 2 * digitBits + 1;
export const maxClasses = 128;

type Part = 'digits' | 'and' | 'sum' | 'equal';

function argmaxShape({ inputs: [x] }: ArgmaxOp) {
  const classes = x.size;
  if (classes < 2 || classes > maxClasses)
    throw new RangeError(`argmax: classes: expected 2 to ${maxClasses}, got ${classes}`);
  const pairs: [number, number][] = [];
  for (let i = 0; i < classes; i++) for (let j = i + 1; j < classes; j++) pairs.push([i, j]);
  const sumBits = Math.ceil(Math.log2(classes));
  const ots: Record<Part, { count: number; choiceBits: number; ringBits: number }> = {
    digits: { count: 2 * pairs.length, choiceBits: digitBits, ringBits: 2 },
    and: { count: pairs.length, choiceBits: 2, ringBits: 1 },
    sum: { count: pairs.length, choiceBits: 1, ringBits: sumBits },
    equal: { count: classes, choiceBits: sumBits, ringBits: 1 },
  };
  return { classes, pairs, sumBits, ots };
}
type OtShape = ReturnType<typeof argmaxShape>['ots'][Part];

const parts: readonly Part[] = ['digits', 'and', 'sum', 'equal'];

/** An OT with chosen messages, bits combined by XOR: the client sends `entry(i, choice)` for every choice. */
function* clientOt(
  op: ArgmaxOp,
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
      table[i * options + choice] = combine(entry(i, choice), share.messages[i * options + (choice ^ shifts[i]!)]!);
  }
  yield* send(op.step, pack(table, ringBits));
}

/** The owner's side of `clientOt`: the entries it chose. */
function* ownerOt(
  op: ArgmaxOp,
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
      choices.map((choice, i) => choice ^ share.choices[i]!),
      choiceBits,
    ),
  );
  const table = unpack(yield* receive(op.step, packedBytes(count * options, ringBits)), count * options, ringBits);
  return choices.map((choice, i) => separate(table[i * options + choice]!, share.messages[i]!) & maskOf(ringBits));
}

const xor = (x: number, y: number) => x ^ y;
const plus = (x: number, y: number) => x + y;
const minus = (x: number, y: number) => x - y;

/** Low bits of a share that are not compared. */
const droppedBits = ({ inputs: [x] }: ArgmaxOp) => Math.max(0, x.ringBits - comparedBits);

/** Step 1's numbers: differences of the highest 17 bits of a party's shares. */
function reducedDifferences(op: ArgmaxOp, share: Uint32Array): Uint32Array {
  const drop = droppedBits(op);
  const highest = share.map((word) => (word & maskOf(op.inputs[0].ringBits)) >>> drop);
  return Uint32Array.from(argmaxShape(op).pairs, ([i, j]) => (highest[i]! - highest[j]!) & maskOf(comparedBits));
}

/** Wins of each class from the signs of pairs: [i ahead of j] counts for i, its negation for j. `one` is this party's share of 1. */
function winsOf(op: ArgmaxOp, ahead: Uint32Array, one: 0 | 1): Uint32Array {
  const { classes, pairs, sumBits } = argmaxShape(op);
  const wins = new Uint32Array(classes);
  pairs.forEach(([i, j], pair) => {
    wins[i] = wins[i]! + ahead[pair]!;
    wins[j] = wins[j]! + one - ahead[pair]!;
  });
  return wins.map((count) => count & maskOf(sumBits));
}

/** Reveals only which of a row's values is the largest. @param x (1, C). */
export function argmax(plan: PlanBuilder, x: Value, magnitudeBits: number): ArgmaxOp {
  return plan.add<ArgmaxOp>({ kind: 'argmax', inputs: [x], magnitudeBits });
}

const specs = (op: ArgmaxOp): OtSpec[] => {
  const { ots } = argmaxShape(op);
  return parts.map((part) => ({ kind: 'ot', key: correlationKey(op, part), words: 1, ...ots[part] }));
};

const label = new Slot<number>('the label');

export const argmaxProtocol = layerProtocol<ArgmaxOp>({
  title: 'argmax, the label only to the client',
  need: ({ inputs: [x], magnitudeBits }) => x.need(Math.max(comparedBits, x.fracBits + magnitudeBits + 2)),
  cost(op) {
    const { classes, ots } = argmaxShape(op);
    const sum = (of: (shape: OtShape) => number) => parts.reduce((total, part) => total + of(ots[part]), 0);
    return {
      ownerToClient: sum(({ count, choiceBits }) => packedBytes(count, choiceBits)) + packedBytes(classes, 1),
      clientToOwner: sum(({ count, choiceBits, ringBits }) => packedBytes(count * 2 ** choiceBits, ringBits)),
      rounds: [
        ...parts.map((part) => ({
          ownerToClient: packedBytes(ots[part].count, ots[part].choiceBits),
          clientToOwner: packedBytes(ots[part].count * 2 ** ots[part].choiceBits, ots[part].ringBits),
        })),
        { ownerToClient: packedBytes(classes, 1), clientToOwner: 0 },
      ],
    };
  },
  correlations: specs,
  clientRequests: (op) => specs(op).map((spec) => ({ spec })),
  ownerRequests: (op) => specs(op).map((spec) => ({ spec })),

  *client(op, client) {
    const { classes, pairs, ots } = argmaxShape(op);
    const ot = (part: Part) => client.ot(op, part);
    const random = (count: number, bits: number) => client.random.words(count).map((word) => word & maskOf(bits));
    const d = reducedDifferences(op, client.share(op.inputs[0]));
    // t's digits, of each pair first the high one.
    const digits = Uint32Array.from({ length: 2 * pairs.length }, (_, n) => {
      const t = 0xffff - (d[n >> 1]! & 0xffff);
      return n % 2 === 0 ? t >>> digitBits : t & 0xff;
    });
    // Step 1. Bit 0: greater; bit 1: equal.
    const r = random(2 * pairs.length, 2);
    yield* clientOt(
      op,
      ots.digits,
      ot('digits'),
      (n, o) => ((o > digits[n]! ? 1 : 0) | (o === digits[n]! ? 2 : 0)) ^ r[n]!,
      xor,
    );
    // Step 2.
    const product = random(pairs.length, 1);
    yield* clientOt(
      op,
      ots.and,
      ot('and'),
      (pair, o) => (((r[2 * pair]! >> 1) ^ (o & 1)) & ((r[2 * pair + 1]! & 1) ^ (o >> 1))) ^ product[pair]!,
      xor,
    );
    // Not negative: the complement of the sign.
    const ahead = d.map((value, pair) => 1 ^ (value >>> 16) ^ (r[2 * pair]! & 1) ^ product[pair]!);
    // Step 3.
    const additive = random(pairs.length, ots.sum.ringBits);
    yield* clientOt(op, ots.sum, ot('sum'), (pair, o) => (ahead[pair]! ^ o) - additive[pair]!, plus);
    // Step 4.
    const wins = winsOf(op, additive, 1);
    const won = random(classes, 1);
    yield* clientOt(
      op,
      ots.equal,
      ot('equal'),
      (i, o) => (((wins[i]! + o) & maskOf(ots.equal.choiceBits)) === classes - 1 ? 1 : 0) ^ won[i]!,
      xor,
    );
    // Step 5.
    const theirs = unpack(yield* receive(op.step, packedBytes(classes, 1)), classes, 1);
    // Values out of range may have no winner. As everywhere they give a wrong result, and no error, which would tell the owner of them.
    const winner = won.findIndex((bit, i) => (bit ^ theirs[i]!) === 1);
    label.put(client, op, Math.max(0, winner));
  },

  *owner(op, owner) {
    const { pairs, ots } = argmaxShape(op);
    const ot = (part: Part) => owner.ot(op, part);
    const d = reducedDifferences(op, owner.share(op.inputs[0]));
    // Step 1.
    const digits = Uint32Array.from({ length: 2 * pairs.length }, (_, n) =>
      n % 2 === 0 ? (d[n >> 1]! & 0xffff) >>> digitBits : d[n >> 1]! & 0xff,
    );
    const r = yield* ownerOt(op, ots.digits, ot('digits'), digits, xor);
    // Step 2.
    const factors = Uint32Array.from(pairs, (_, pair) => (r[2 * pair]! >> 1) | ((r[2 * pair + 1]! & 1) << 1));
    const product = yield* ownerOt(op, ots.and, ot('and'), factors, xor);
    const ahead = d.map((value, pair) => (value >>> 16) ^ (r[2 * pair]! & 1) ^ product[pair]!);
    // Step 3.
    const additive = yield* ownerOt(op, ots.sum, ot('sum'), ahead, minus);
    // Step 4.
    const won = yield* ownerOt(op, ots.equal, ot('equal'), winsOf(op, additive, 0), xor);
    // Step 5.
    yield* send(op.step, pack(won, 1));
  },

  reference(op, reference) {
    const x = reference.value(op.inputs[0]);
    const limit = 2 ** (op.inputs[0].ringBits - 2);
    // The lowest unit less the carry would be 2^16 below the highest.
    reference.check(op, x, 2 ** droppedBits(op) - limit, limit);
  },
  ending: {
    learned: (op, client) => Int32Array.of(label.get(client, op)),
    bits: ({ inputs: [x] }) => Math.log2(x.size),
  },
});
