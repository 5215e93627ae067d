/**
 * One number's way through the protocols, in the real ring, with real random shares: what the drawer shows. The steps are
 * those of protocols/layers (linear, truncate, product), for a single value.
 */
export interface ToyStep {
  readonly title: string;
  readonly text: string;
  readonly client: ToyShare;
  readonly owner: ToyShare;
  /** Both shares together, modulo 2^32, as a signed number. */
  readonly sum: number;
  readonly fracBits: number;
  /** What crosses the wire, in order. */
  readonly travels: readonly ToyMessage[];
}

export interface ToyShare {
  readonly value: number;
  /** How this side got it. */
  readonly how: string;
}

export interface ToyMessage {
  readonly from: 'client' | 'owner';
  readonly what: string;
  readonly value: number;
}

/** Uniform 32-bit numbers that a run takes. */
export const toyRandomNumbers = 6;

const fracBits = 8;
const droppedBits = 4;
const weight = 3;
const signOffset = 2 ** 30;
const grouped = new Intl.NumberFormat('en');

/** @param random `toyRandomNumbers` uniform 32-bit numbers; @param value 0 to 40. */
export function toyRun(value: number, random: Uint32Array): ToyStep[] {
  const [xClient, s, zClient, rho, v, choiceMask] = random as unknown as number[] &
    [number, number, number, number, number, number];
  const x = Math.round(value * 2 ** fracBits);
  const xOwner = (x - xClient) >>> 0;

  // Linear: offline, the client learned w·x_c − s from an encryption of x_c.
  const yClient = (Math.imul(weight, xClient) - s) >>> 0;
  const yOwner = (Math.imul(weight, xOwner) + s) >>> 0;

  // Truncate: lifted to a positive number below 2^31, the sum of the shares passes 2^32 exactly when one of them has its
  // highest bit set. The 2^droppedBits stands for the carry from below that shifting loses, about every second time.
  const lifted = (yOwner + signOffset + 2 ** droppedBits) >>> 0;
  const choice = lifted >>> 31;
  const wraps = (yClient >>> 31) | choice;
  const message = ((yClient >>> droppedBits) - wraps * 2 ** (32 - droppedBits) - zClient) >>> 0;
  const zOwner = ((lifted >>> droppedBits) + message - (signOffset >>> droppedBits)) >>> 0;

  // Square: the owner opens e = z_o − ρ. Offline, the two share 2·z_c·ρ as u + v, so that
  // z² = (z_c² + 2·z_c·e + v) + (z_o² + u).
  const opened = (zOwner - rho) >>> 0;
  const u = (Math.imul(2, Math.imul(zClient, rho)) - v) >>> 0;
  const qClient = (Math.imul(zClient, zClient) + Math.imul(2, Math.imul(zClient, opened)) + v) >>> 0;
  const qOwner = (Math.imul(zOwner, zOwner) + u) >>> 0;

  const sum = (a: number, b: number) => (a + b) | 0;
  const n = (number: number) => grouped.format(number);
  return [
    {
      title: 'Split',
      text: `With ${fracBits} binary places ${value} is the integer ${n(x)}. The client’s share is a random number; the owner gets what is missing. Each of the two alone is a uniformly random number.`,
      client: { value: xClient, how: 'drawn at random, before the picture existed' },
      owner: { value: xOwner, how: `${n(x)} − ${n(xClient)}` },
      sum: sum(xClient, xOwner),
      fracBits,
      travels: [{ from: 'client', what: 'the owner’s share: noise to whoever lacks the client’s', value: xOwner }],
    },
    {
      title: `Linear: multiply by the owner’s weight, ${weight}`,
      text: `The client must not learn the weight. Before the picture existed it sent its share encrypted; the owner multiplied under encryption and subtracted a random mask s = ${n(s)}. So nothing is left to send now.`,
      client: { value: yClient, how: `${weight} × client’s share − s, known from before` },
      owner: { value: yOwner, how: `${weight} × ${n(xOwner)} + s` },
      sum: sum(yClient, yOwner),
      fracBits,
      travels: [],
    },
    {
      title: `Truncate: drop ${droppedBits} bits`,
      text: `Products have too many binary places. Each side drops ${droppedBits} of its share, but where the two shares together pass 2³² the result is off by 2²⁸. Whether they do depends on the highest bit of both. By oblivious transfer the owner gets the one correction that fits its bit: the client does not learn which, the owner sees no other. The last bit may be off by one.`,
      client: { value: zClient, how: 'a fresh random number' },
      owner: { value: zOwner, how: `share ≫ ${droppedBits}, plus the correction ${n(message)}` },
      sum: sum(zClient, zOwner),
      fracBits: fracBits - droppedBits,
      travels: [
        { from: 'owner', what: 'its highest bit, hidden by a random one', value: choice ^ (choiceMask & 1) },
        { from: 'client', what: 'two masked corrections, of which the owner can open one', value: message },
      ],
    },
    {
      title: 'Square',
      text: `What most attention rows do instead of a softmax. The owner opens e, its share minus a random mask ρ. Beforehand the two had got shares u and v of 2 × client’s share × ρ, and z² = (c² + 2ce + v) + (o² + u).`,
      client: { value: qClient, how: 'c² + 2ce + v' },
      owner: { value: qOwner, how: 'o² + u' },
      sum: sum(qClient, qOwner),
      fracBits: 2 * (fracBits - droppedBits),
      travels: [{ from: 'owner', what: 'e, the masked share', value: opened }],
    },
    {
      title: 'Reveal',
      text: 'Only now does the owner send its share, and only the client adds the two. In the network this happens once, for the scores of the classes.',
      client: { value: qClient, how: 'as before' },
      owner: { value: qOwner, how: 'as before' },
      sum: sum(qClient, qOwner),
      fracBits: 2 * (fracBits - droppedBits),
      travels: [{ from: 'owner', what: 'the owner’s share of the result', value: qOwner }],
    },
  ];
}
