/**
 * One number's way through the protocols, in the real ring, with real random shares: what the drawer shows. The steps are
 * those of protocols/layers (linear, truncate, product), for a single value.
 */
export interface ToyStep {
  readonly title: string;
  readonly text: string;
  readonly client: number;
  readonly owner: number;
  /** Both shares together. */
  readonly sum: number;
  readonly fracBits: number;
  /** What crosses the wire, and which way. */
  readonly travels: { readonly from: 'client' | 'owner'; readonly value: number; readonly what: string } | undefined;
}

const fracBits = 8;
const droppedBits = 4;
const weight = 3;
const signOffset = 2 ** 30;

/** @param random four uniform 32-bit numbers; @param value 0 to 40. */
export function toyRun(value: number, random: Uint32Array): ToyStep[] {
  const [xClient, s, rClient, rho] = random as unknown as [number, number, number, number];
  const x = Math.round(value * 2 ** fracBits);
  const xOwner = (x - xClient) >>> 0;

  // Linear: offline, the client learned w·x_c − s from an encryption of x_c.
  const yClient = (Math.imul(weight, xClient) - s) >>> 0;
  const yOwner = (Math.imul(weight, xOwner) + s) >>> 0;

  // Truncate: lifted to a positive number below 2^31, the sum of the shares passes 2^32 exactly when one of them has its
  // highest bit set. The 2^droppedBits stands for the carry from below that shifting loses, about every second time.
  const lifted = (yOwner + signOffset + 2 ** droppedBits) >>> 0;
  const wraps = (yClient >>> 31) | (lifted >>> 31);
  const message = ((yClient >>> droppedBits) - wraps * 2 ** (32 - droppedBits) - rClient) >>> 0;
  const zOwner = ((lifted >>> droppedBits) + message - (signOffset >>> droppedBits)) >>> 0;

  // Square: the owner opens z_o − ρ; offline, the two share 2·z_c·ρ as u + v. (Here v = 0.)
  const opened = (zOwner - rho) >>> 0;
  const u = Math.imul(2, Math.imul(rClient, rho));
  const qClient = (Math.imul(rClient, rClient) + Math.imul(2, Math.imul(rClient, opened))) >>> 0;
  const qOwner = (Math.imul(zOwner, zOwner) + u) >>> 0;

  const sum = (a: number, b: number) => (a + b) | 0;
  return [
    {
      title: 'Split',
      text: `${value} becomes the integer ${x}. The client keeps a random number and sends what is missing to ${x}, modulo 2³². That is as random.`,
      client: xClient,
      owner: xOwner,
      sum: sum(xClient, xOwner),
      fracBits,
      travels: { from: 'client', value: xOwner, what: 'the masked value' },
    },
    {
      title: `Multiply by the owner’s weight ${weight}`,
      text: 'Each side works on its own share. The client’s part was computed under encryption before the image existed, so nothing travels.',
      client: yClient,
      owner: yOwner,
      sum: sum(yClient, yOwner),
      fracBits,
      travels: undefined,
    },
    {
      title: `Drop ${droppedBits} bits`,
      text: 'Shifting both shares is wrong when their sum passes 2³². One oblivious transfer corrects that: the client does not learn which correction was taken, the owner sees no other. The last bit may be off by one.',
      client: rClient,
      owner: zOwner,
      sum: sum(rClient, zOwner),
      fracBits: fracBits - droppedBits,
      travels: { from: 'client', value: message, what: 'the transferred correction' },
    },
    {
      title: 'Square',
      text: 'What a polynomial attention row does. The owner opens its share minus a random mask; correlated random numbers from before turn that into shares of the square.',
      client: qClient,
      owner: qOwner,
      sum: sum(qClient, qOwner),
      fracBits: 2 * (fracBits - droppedBits),
      travels: { from: 'owner', value: opened, what: 'the masked share' },
    },
    {
      title: 'Reveal',
      text: 'Only now does the owner send its share, and only the client adds the two. In the network this happens once, for the scores of the classes.',
      client: qClient,
      owner: qOwner,
      sum: sum(qClient, qOwner),
      fracBits: 2 * (fracBits - droppedBits),
      travels: { from: 'owner', value: qOwner, what: 'the owner’s share' },
    },
  ];
}
