/**
 * Which linear layers' inputs are drawn by who makes the correlations (rlwe/drawn.ts): what would be uploaded for them is not. The client's
 * shares of such an input have fractions, by which whoever else reads them would be off. So those columns of an input are drawn whose shares may be
 * any numbers, and of which nothing else reads an element: as many as there are from the first on.
 */
import type { ClientState, Op, Value } from '../layers/op.ts';
import { protocolOf } from '../layers/operations.ts';
import type { DrawingProvider } from '../offline/correlations.ts';
import { isWorthDrawing } from '../offline/division.ts';
import type { CircleNumbers } from '../sharing/circle.ts';
import { maskOf } from '../sharing/packing.ts';

/** Where a value's elements come from: element i is element from[i] of the sources, one after another. */
interface Origin {
  readonly sources: readonly Value[];
  readonly from: Uint32Array;
}

const producersOf = (operations: readonly Op[]) =>
  new Map(operations.flatMap((op) => (op.output ? [[op.output, op] as const] : [])));

/** The values that no move made, of which x is moved together, and which element of them each is. */
function originOf(x: Value, producers: ReadonlyMap<Value, Op>): Origin {
  const op = producers.get(x);
  const index = op && protocolOf(op).moved(op);
  if (!op || !index) {
    const own = new Uint32Array(x.size);
    for (let i = 0; i < own.length; i++) own[i] = i;
    return { sources: [x], from: own };
  }
  const parts = op.inputs.map((input) => originOf(input, producers));
  const whole = new Uint32Array(op.inputs.reduce((sum, { size }) => sum + size, 0));
  let [at, first] = [0, 0];
  for (const { sources, from } of parts) {
    for (let i = 0; i < from.length; i++) whole[at++] = first + from[i];
    first += sources.reduce((sum, { size }) => sum + size, 0);
  }
  const from = new Uint32Array(index.length);
  for (let i = 0; i < from.length; i++) from[i] = whole[index[i]];
  return { sources: parts.flatMap(({ sources }) => sources), from };
}

/**
 * Marks the operations of whose input columns are drawn. Rings are final.
 * @param learned the client learns this value, rounded: what makes it has whole inputs, so that it is exact up to ring-LWE's unit (docs/security-proof.md).
 */
export function chooseDraws(operations: readonly Op[], learned: Value): void {
  const producers = producersOf(operations);
  const mayBeAny = (value: Value) => {
    const op = producers.get(value);
    return op !== undefined && protocolOf(op).isFresh(op);
  };
  const isWorth = (op: Op, columns: number) => {
    const spec = columns > 0 ? protocolOf(op).drawn(op, columns) : undefined;
    return spec !== undefined && isWorthDrawing(spec);
  };
  const readers = operations.filter((op) => protocolOf(op).moved(op) === undefined);
  const candidates = new Map<Op, Origin>();
  for (const op of readers) {
    // Where all of it would not be worth it, part of it is not.
    if (op.output === learned || !isWorth(op, op.inputs[0]?.cols ?? 0)) continue;
    const origin = originOf(op.inputs[0], producers);
    if (origin.sources.some(mayBeAny)) candidates.set(op, origin);
  }
  // How often each element of their sources is read, by whomever.
  const reads = new Map<Value, Uint8Array>();
  for (const { sources } of candidates.values())
    for (const source of sources) if (mayBeAny(source)) reads.set(source, new Uint8Array(source.size));
  for (const op of readers) {
    for (const input of op.inputs) {
      const origin = candidates.get(op) ?? originOf(input, producers);
      const marks = origin.sources.map((source) => reads.get(source));
      if (!marks.some((of) => of)) continue;
      forEachElement(origin, (source, element) => {
        const of = marks[source];
        if (of && of[element] < 2) of[element]++;
      });
    }
  }
  for (const [op, origin] of candidates) {
    const marks = origin.sources.map((source) => reads.get(source));
    const { cols } = op.inputs[0];
    let columns = cols;
    forEachElement(origin, (source, element, i) => {
      if (marks[source]?.[element] !== 1) columns = Math.min(columns, i % cols);
    });
    if (isWorth(op, columns)) op.drawnColumns = columns;
  }
}

/** @param visit which source, and which element of it, element i is. */
function forEachElement({ sources, from }: Origin, visit: (source: number, element: number, i: number) => void): void {
  const firsts: number[] = [];
  let size = 0;
  for (const source of sources) {
    firsts.push(size);
    size += source.size;
  }
  for (let i = 0, s = 0; i < from.length; i++) {
    // Neighbours come from the same source, mostly.
    while (from[i] < firsts[s]) s--;
    while (from[i] >= firsts[s] + sources[s].size) s++;
    visit(s, from[i] - firsts[s], i);
  }
}

/** Has what is to be drawn drawn, and gives the client its shares of the values that it comes from. */
export async function drawShares(
  operations: readonly Op[],
  provider: DrawingProvider,
  client: ClientState,
): Promise<void> {
  // In the order in which they are asked for: stage by stage.
  const drawing = operations
    .filter(({ drawnColumns }) => drawnColumns !== undefined)
    .sort((a, b) => protocolOf(a).stage(a) - protocolOf(b).stage(b));
  const producers = producersOf(operations);
  const drawn = await provider.draw(drawing.map((op) => protocolOf(op).drawn(op, op.drawnColumns!)!));
  for (const [j, op] of drawing.entries()) {
    const { words, fractions } = drawn[j];
    const mask = maskOf(op.output!.ringBits);
    const [{ cols }, columns] = [op.inputs[0], op.drawnColumns!];
    const origin = originOf(op.inputs[0], producers);
    const shares = new Map<number, CircleNumbers>();
    forEachElement(origin, (source, element, i) => {
      if (i % cols >= columns) return;
      let share = shares.get(source);
      if (!share) shares.set(source, (share = anyShare(origin.sources[source], client)));
      // Above the layer's ring the share stays any number.
      share.words[element] = (share.words[element] & ~mask) | (words[i] & mask);
      share.fractions[element] = fractions[i];
    });
  }
}

/** The client's share of a value that may be any number, with a place for fractions; nothing drawn yet, where it is new. */
function anyShare(value: Value, client: ClientState): CircleNumbers {
  if (!client.has(value)) {
    client.set(value, client.random.words(value.size));
    client.fractions.set(value.id, new Uint32Array(value.size));
  }
  return { words: client.share(value), fractions: client.fractions.get(value.id)! };
}
