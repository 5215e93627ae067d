/** The ideal functionality of the correlations that come from OT: what shares must add up to, and which messages must agree. */
import type {
  ClientCorrelation,
  ClientRequest,
  OtBasedSpec,
  OtReceiverShare,
  OtSenderShare,
  OwnerCorrelation,
  OwnerRequest,
  ProductShare,
  RingCotReceiverShare,
  RingCotSenderShare,
} from '../../protocols/offline/correlations.ts';
import type { Prg } from '../../protocols/sharing/prg.ts';
import { elementAt, limbsOf } from '../../protocols/sharing/wide.ts';

export interface Operands {
  readonly client: ClientRequest;
  readonly owner: OwnerRequest;
}

/** Random operands for a spec; all 32 bits of every word, so that garbage above the ring is part of the test. */
export function drawOperands(spec: OtBasedSpec, random: Prg): Operands {
  const words = (count: number) => random.words(count);
  switch (spec.kind) {
    case 'ot':
      return { client: { spec }, owner: { spec } };
    case 'square':
      return { client: { spec, x: words(spec.count) }, owner: { spec, xMask: words(spec.count) } };
    case 'sumOfSquares':
      return {
        client: { spec, x: words(spec.rows * spec.cols) },
        owner: { spec, xMask: words(spec.rows * spec.cols) },
      };
    case 'scale': {
      const size = spec.rows * spec.cols;
      return {
        client: { spec, s: words(spec.rows), x: words(size) },
        owner: { spec, sMask: words(spec.rows), xMask: words(size) },
      };
    }
    case 'ringCot':
      return { client: { spec, c: words(spec.count * limbsOf(spec.ringBits)) }, owner: { spec } };
  }
}

/** Places where the two parties' correlations are not what the functionality hands out. */
export function wrongPlaces({ client, owner }: Operands, given: ClientCorrelation, taken: OwnerCorrelation): number {
  const { spec } = client;
  if (spec.kind === 'ot') {
    const { messages } = given as OtSenderShare;
    const { choices, messages: chosen } = taken as OtReceiverShare;
    const options = 2 ** spec.choiceBits;
    let wrong =
      Math.abs(messages.length - spec.count * options * spec.words) +
      Math.abs(choices.length - spec.count) +
      Math.abs(chosen.length - spec.count * spec.words);
    for (let i = 0; i < spec.count; i++) {
      if (choices[i] >= options) wrong++;
      for (let word = 0; word < spec.words; word++) {
        if (messages[(i * options + choices[i]) * spec.words + word] !== chosen[i * spec.words + word]) wrong++;
      }
    }
    return wrong + messages.filter((word) => word >= 2 ** spec.ringBits).length;
  }
  if (spec.kind === 'ringCot') {
    const { factorBits, ringBits } = spec;
    const { c } = client as { c: Uint32Array };
    const { keys } = given as RingCotSenderShare;
    const { choices, keys: received } = taken as RingCotReceiverShare;
    let wrong =
      Math.abs(keys.length - spec.count * factorBits * limbsOf(ringBits)) +
      Math.abs(received.length - spec.count * factorBits * limbsOf(ringBits)) +
      Math.abs(choices.length - spec.count) +
      choices.filter((word) => word >= 2 ** factorBits).length;
    for (let i = 0; i < spec.count; i++) {
      for (let b = 0; b < factorBits; b++) {
        const at = i * factorBits + b;
        const [before, after, factor] = [
          elementAt(keys, at, ringBits),
          elementAt(received, at, ringBits),
          elementAt(c, i, ringBits),
        ];
        const difference = after - before - ((choices[i] >>> b) & 1) * factor;
        if (difference % 2 ** (ringBits - b) !== 0) wrong++;
      }
    }
    return wrong;
  }
  const shares = [(given as ProductShare).share, (taken as ProductShare).share] as const;
  const expected = idealProduct(client, owner);
  const ring = 1n << BigInt(spec.ringBits);
  let wrong = Math.abs(shares[0].length - expected.length) + Math.abs(shares[1].length - expected.length);
  expected.forEach((value, i) => {
    if ((BigInt(shares[0][i]) + BigInt(shares[1][i]) - value) % ring !== 0n) wrong++;
  });
  return wrong;
}

/** The stated value of each product, over the integers. */
function idealProduct(client: ClientRequest, owner: OwnerRequest): bigint[] {
  const c = client as unknown as Record<string, Uint32Array>;
  const o = owner as unknown as Record<string, Uint32Array>;
  const dot = (x: Uint32Array, y: Uint32Array, from: number, count: number) => {
    let sum = 0n;
    for (let i = from; i < from + count; i++) sum += BigInt(x[i]) * BigInt(y[i]);
    return sum;
  };
  const { spec } = client;
  switch (spec.kind) {
    case 'square':
      return Array.from({ length: spec.count }, (_, i) => 2n * dot(c.x, o.xMask, i, 1));
    case 'sumOfSquares':
      return Array.from({ length: spec.rows }, (_, i) => 2n * dot(c.x, o.xMask, i * spec.cols, spec.cols));
    case 'scale':
      return Array.from({ length: spec.rows * spec.cols }, (_, i) => {
        const row = Math.floor(i / spec.cols);
        return BigInt(c.s[row]) * BigInt(o.xMask[i]) + BigInt(o.sMask[row]) * BigInt(c.x[i]);
      });
    default:
      throw new RangeError(`kind: expected one that OTs provide, got ${spec.kind}`);
  }
}
