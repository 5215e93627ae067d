/**
 * One number's way through the protocols, in the real ring, with real random shares: what the drawer shows. The steps are
 * those of protocols/layers (linear, truncate, product), for a single value.
 */
import { t } from '../language/language.ts';
import { formatCount } from '../ui/format.ts';

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
  const n = formatCount;
  const words = t().explain.toy;
  return [
    {
      title: words.split.title,
      text: words.split.text(fracBits, value, n(x)),
      client: { value: xClient, how: words.split.client },
      owner: { value: xOwner, how: `${n(x)} − ${n(xClient)}` },
      sum: sum(xClient, xOwner),
      fracBits,
      travels: [{ from: 'client', what: words.split.travels, value: xOwner }],
    },
    {
      title: words.linear.title(weight),
      text: words.linear.text(n(s)),
      client: { value: yClient, how: words.linear.client(weight) },
      owner: { value: yOwner, how: `${weight} × ${n(xOwner)} + s` },
      sum: sum(yClient, yOwner),
      fracBits,
      travels: [],
    },
    {
      title: words.truncate.title(droppedBits),
      text: words.truncate.text(droppedBits),
      client: { value: zClient, how: words.truncate.client },
      owner: { value: zOwner, how: words.truncate.owner(droppedBits, n(message)) },
      sum: sum(zClient, zOwner),
      fracBits: fracBits - droppedBits,
      travels: [
        { from: 'owner', what: words.truncate.choice, value: choice ^ (choiceMask & 1) },
        { from: 'client', what: words.truncate.corrections, value: message },
      ],
    },
    {
      title: words.square.title,
      text: words.square.text,
      client: { value: qClient, how: 'c² + 2ce + v' },
      owner: { value: qOwner, how: 'o² + u' },
      sum: sum(qClient, qOwner),
      fracBits: 2 * (fracBits - droppedBits),
      travels: [{ from: 'owner', what: words.square.travels, value: opened }],
    },
    {
      title: words.reveal.title,
      text: words.reveal.text,
      client: { value: qClient, how: words.reveal.asBefore },
      owner: { value: qOwner, how: words.reveal.asBefore },
      sum: sum(qClient, qOwner),
      fracBits: 2 * (fracBits - droppedBits),
      travels: [{ from: 'owner', what: words.reveal.travels, value: qOwner }],
    },
  ];
}
