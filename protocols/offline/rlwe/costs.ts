/** What correlations from ring-LWE cost, and which keys they take: both sides find the same. */
import { automorphismKeyLength } from '../../rlwe/keys.ts';
import type { Parameters } from '../../rlwe/parameters.ts';
import { Ring } from '../../rlwe/ring.ts';
import { packedPolynomialBytes } from '../../rlwe/wire.ts';
import { seedBytes } from '../../sharing/prg.ts';
import { keyText, type RlweSpec } from '../correlations.ts';
import { rlweKind } from '../kinds.ts';
import type { LayoutOf } from './kind.ts';
import { type Cost, layoutCost, layoutExponents, layoutMs, layoutPrice } from './layout.ts';

const layouts = new Map<string, LayoutOf>();
const keptLayouts = 512;

/**
 * The arrangement of one correlation; derived once for each shape.
 * @throws RangeError when a size is out of range or no parameters keep the error within ±1.
 */
export function rlweLayout(spec: RlweSpec): LayoutOf {
  const shape = JSON.stringify({ ...spec, key: '', weights: '' });
  let layout = layouts.get(shape);
  if (layout === undefined) {
    const kind = rlweKind(spec);
    requireSize(spec, 'ringBits', spec.ringBits, 2, 32);
    for (const [name, value] of Object.entries(kind.sizes(spec))) requireSize(spec, name, value, 1, 65536);
    if (layouts.size >= keptLayouts) layouts.clear();
    layouts.set(shape, (layout = kind.layout(spec)));
  }
  return layout;
}

function requireSize({ key }: RlweSpec, name: string, value: number, minimum: number, maximum: number): void {
  if (!Number.isInteger(value) || value < minimum || value > maximum)
    throw new RangeError(`${keyText(key)}: ${name}: expected an integer from ${minimum} to ${maximum}, got ${value}`);
}

/** Bytes and flights of one correlation; a stage's flights are shared by all in it. @throws RangeError like `rlweLayout`. */
export const rlweCost = (spec: RlweSpec): Cost => layoutCost(rlweLayout(spec));

/** Milliseconds by which arrangements are compared: the owner's work, and bytes at a fixed rate. @throws RangeError like `rlweLayout`. */
export const rlwePrice = (spec: RlweSpec): number => layoutPrice(rlweLayout(spec));

/** How many numbers a correlation has, each of which may be off (rlwe/noise.ts). */
export const rlweResults = (spec: RlweSpec): number => rlweKind(spec).results(spec);

/** Estimated milliseconds of each party's work. @throws RangeError like `rlweLayout`. */
export const rlweMs = (spec: RlweSpec): { client: number; owner: number } => layoutMs(rlweLayout(spec));

/** Which keys the correlations take, in the order in which they are sent: by parameter set, exponents ascending. */
export function keysFor(specs: readonly RlweSpec[]): { parameters: Parameters; exponents: number[] }[] {
  const byParameters = new Map<Parameters, Set<number>>();
  for (const spec of specs) {
    const layout = rlweLayout(spec);
    const exponents = byParameters.get(layout.parameters) ?? new Set();
    byParameters.set(layout.parameters, exponents);
    for (const exponent of layoutExponents(layout)) exponents.add(exponent);
  }
  return [...byParameters]
    .sort(([a], [b]) => (a.name < b.name ? -1 : 1))
    .map(([parameters, exponents]) => ({ parameters, exponents: [...exponents].sort((a, b) => a - b) }));
}

/** Bytes of the keys, once per pairing: one flight. */
export function rlweSetupCost(specs: readonly RlweSpec[]): Cost {
  const bytesClientToOwner = keysFor(specs).reduce((sum, { parameters, exponents }) => {
    const ring = Ring.of(parameters);
    return sum + packedPolynomialBytes(parameters) * (1 + exponents.length * automorphismKeyLength(ring));
  }, seedBytes);
  return { bytesClientToOwner, bytesOwnerToClient: 0, flights: 1 };
}
