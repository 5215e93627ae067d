/**
 * What each switch of a network costs, read off its compiled plan: `privit search --prices` learns switches under these.
 *
 * A plan's costs are linear in the number of exact rows of a layer, but for the layer's first one, whose flights all share. So each layer's
 * rows are taken from none to one and to half, with half of everything else exact: the second difference is the price of one more row.
 */
import { compilePlan, type Manifest, type StepPlan } from '../../protocols/index.ts';
import { withSwitches } from '../../protocols/inference/manifest.ts';
import { tokensBehind } from '../../protocols/inference/tokens.ts';

export interface Network {
  readonly roundTripMs: number;
  /** In each direction, Mbit/s. */
  readonly mbps: number;
  /** How much a millisecond of the preparation counts beside one of the answer: 0 where it is always done ahead. */
  readonly offlineShare: number;
}

/** Milliseconds, see model-artifacts/privit/prices.py: [layer][head] or [layer]. */
export interface Prices {
  /** Of the network with every switch off. */
  readonly rest: number;
  readonly softmaxRow: number[][];
  readonly softmaxLayer: number[];
  readonly geluToken: number[];
  readonly geluLayer: number[];
}

/** Milliseconds of travelling, and of the preparation's predicted work, for a plan's steps. */
export function costMs(steps: readonly StepPlan[], { roundTripMs, mbps, offlineShare }: Network): number {
  const travel = (bytes: number) => (8 * bytes) / (1000 * mbps);
  let ms = 0;
  for (const s of steps) {
    ms += s.flights * (roundTripMs / 2) + travel(s.bytesClientToOwner + s.bytesOwnerToClient);
    ms += offlineShare * (s.offlineClientMs + s.offlineOwnerMs);
    ms += offlineShare * travel(s.offlineBytesClientToOwner + s.offlineBytesOwnerToClient);
  }
  return ms;
}

/**
 * @param manifest of a network with the same architecture; its own switches do not matter.
 * @param onLayer called after each layer, as a large network takes its time.
 */
export function pricesOf(manifest: Manifest, network: Network, onLayer?: (layer: number) => void): Prices {
  const { depth, heads } = manifest.architecture;
  const places = (layer: number) => tokensBehind(manifest.architecture, layer);
  const queries = (layer: number) => places(layer).length;
  /** Rows of all heads together: the first `count` of them, head by head. */
  const rows = (layer: number, count: number) =>
    Array.from({ length: heads }, (_, head) => places(layer).slice(0, Math.max(0, count - head * queries(layer))));
  const halfRows = (layer: number) =>
    Math.min(heads * queries(layer), Math.max(2, Math.ceil((heads * queries(layer)) / 2)));
  const halfTokens = (layer: number) => Math.ceil(queries(layer) / 2);
  const layers = first(depth);
  const cost = (softmaxRows: number[][][], geluTokens: number[][]) =>
    costMs(compilePlan(withSwitches(manifest, { softmaxRows, geluTokens })).steps, network);
  const baseRows = layers.map((layer) => rows(layer, halfRows(layer)));
  const tokens = (layer: number, count: number) => places(layer).slice(0, count);
  const baseTokens = layers.map((layer) => tokens(layer, halfTokens(layer)));
  const base = cost(baseRows, baseTokens);
  const withRows = (layer: number, count: number) => cost(baseRows.with(layer, rows(layer, count)), baseTokens);
  const withTokens = (layer: number, count: number) => cost(baseRows, baseTokens.with(layer, tokens(layer, count)));
  const prices: Prices = {
    rest: cost(
      layers.map(() => first(heads).map(() => [])),
      layers.map(() => []),
    ),
    softmaxRow: [],
    softmaxLayer: [],
    geluToken: [],
    geluLayer: [],
  };
  for (const layer of layers) {
    const row = split(withRows(layer, 0), withRows(layer, 1), base, halfRows(layer));
    prices.softmaxRow.push(first(heads).map(() => row.more));
    prices.softmaxLayer.push(row.first);
    const token = split(withTokens(layer, 0), withTokens(layer, 1), base, halfTokens(layer));
    prices.geluToken.push(token.more);
    prices.geluLayer.push(token.first);
    onLayer?.(layer);
  }
  return prices;
}

/** From the costs of none, one and `count`: of one more, and what the first adds to that. Never negative: a switch earns nothing by being on. */
function split(none: number, one: number, many: number, count: number): { more: number; first: number } {
  const more = count > 1 ? Math.max(0, (many - one) / (count - 1)) : Math.max(0, one - none);
  return { more, first: Math.max(0, one - none - more) };
}

const first = (count: number): number[] => Array.from({ length: Math.max(0, count) }, (_, i) => i);
