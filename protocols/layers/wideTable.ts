/**
 * A table lookup (table.ts) and the truncation of what it gives in one round, for a function of one number per row. By f bits of a ring of
 * ℓ = k' + f bits, k' the result's, a truncation is local (truncate.ts, truncate-and-reduce): so the coefficients are shared modulo 2^ℓ, which
 * makes the table's entries a half longer and saves two flights. That pays where there are few.
 *
 * The client knows its share of the untruncated result once it has the owner's message: its answer carries with the table what turns the
 * truncated share into one that was chosen ahead, so that products may follow.
 *
 * Computes: shares of f(x)·2^-f, error in (−1, 1) with mean 0 beside the table's own. Nobody learns anything.
 * Online, per element: m bits and `terms` numbers of `basisBits` bits →, 2^m·columns numbers of ℓ bits and one of k' ←; any x_c.
 * Correlations: as table.ts, modulo 2^ℓ (sharing/wide.ts).
 */
import type { OtSpec, RingCotSpec } from '../offline/correlations.ts';
import { maskOf, pack, packedBytes, unpack } from '../sharing/packing.ts';
import {
  elementAt,
  elementsOf,
  modulo,
  mostWideBits,
  packWide,
  timesModulo,
  unpackWide,
  wideBytes,
  wordsOf,
} from '../sharing/wide.ts';
import { xor } from '../sharing/words.ts';
import { correlationKey, type LayerProtocol, layerProtocol, Slot } from './op.ts';
import { receive, send } from './rounds.ts';
import type { Lookup, LookupOp } from './table.ts';

export interface WideTableOp {
  /** f, the fraction bits that the table has beyond the result's; 0: nothing is truncated, and the client knows its share ahead all the same. */
  readonly dropBits: number;
}

/** With it a result's ring may have 32 bits. */
export const mostDropBits = mostWideBits - 32;

export function wideTableProtocol<O extends LookupOp & WideTableOp>(fn: Lookup<O>): LayerProtocol<O> {
  const columnsOf = (op: O) => fn.constants + fn.terms(op);
  const wideBits = (op: O) => op.output.ringBits + op.dropBits;
  const factorBits = (op: O) => Math.min(fn.basisBits(op), wideBits(op));
  const factors = (op: O) => op.output.size * fn.terms(op);
  const entries = (op: O) => op.output.size * 2 ** fn.choiceBits(op) * columnsOf(op);
  /** Messages are two words for each coefficient, whatever the ring. */
  const messageBits = 64;
  const otSpec = (op: O): OtSpec => ({
    kind: 'ot',
    key: correlationKey(op, 'ot'),
    ringBits: 32,
    count: op.output.size,
    choiceBits: fn.choiceBits(op),
    words: 2 * columnsOf(op),
  });
  const ringCotSpec = (op: O): RingCotSpec => ({
    kind: 'ringCot',
    key: correlationKey(op, 'bits'),
    ringBits: wideBits(op),
    count: factors(op),
    factorBits: factorBits(op),
  });
  const specs = (op: O) => (fn.terms(op) > 0 ? [otSpec(op), ringCotSpec(op)] : [otSpec(op)]);
  /** The client's shares of the coefficients, fresh: (elements, columns). */
  const coefficients = new Slot<Float64Array>('coefficients');

  return layerProtocol<O>({
    title: fn.title,
    need: (op) => fn.need(op),
    cost(op) {
      const { size, ringBits } = op.output;
      return {
        ownerToClient: packedBytes(size, fn.choiceBits(op)) + packedBytes(factors(op), factorBits(op)),
        clientToOwner: wideBytes(entries(op), wideBits(op)) + packedBytes(size, ringBits),
      };
    },
    correlations: specs,
    presetClient(op, client) {
      const own = client.random.words(2 * op.output.size * columnsOf(op));
      const bits = wideBits(op);
      const numbers = new Float64Array(own.length / 2);
      for (let i = 0; i < numbers.length; i++) numbers[i] = elementAt(own, i, messageBits, bits);
      coefficients.put(client, op, numbers);
      client.set(op.output, client.random.words(op.output.size));
    },
    clientRequests(op, client) {
      const columns = columnsOf(op);
      const own = coefficients.get(client, op).filter((_, i) => i % columns >= fn.constants);
      const table = { spec: otSpec(op) };
      return fn.terms(op) > 0 ? [table, { spec: ringCotSpec(op), c: wordsOf(own, wideBits(op)) }] : [table];
    },
    ownerRequests: (op) =>
      fn.terms(op) > 0 ? [{ spec: otSpec(op) }, { spec: ringCotSpec(op) }] : [{ spec: otSpec(op) }],

    *client(op, client) {
      const { ringBits, size } = op.output;
      const bits = wideBits(op);
      const terms = fn.terms(op);
      const columns = columnsOf(op);
      const choiceBits = fn.choiceBits(op);
      const choices = 2 ** choiceBits;
      const shifts = unpack(yield* receive(op.step, packedBytes(size, choiceBits)), size, choiceBits);
      const basisBits = factorBits(op);
      const flipBytes = yield* receive(op.step, packedBytes(factors(op), basisBits));
      const flips = unpack(flipBytes, factors(op), basisBits);

      const own = coefficients.get(client, op);
      const { messages } = client.ot(op);
      const table = new Float64Array(entries(op));
      const entryOf = fn.entries(op, client);
      const entry = new Float64Array(columns);
      for (let i = 0, out = 0; i < size; i++) {
        for (let choice = 0; choice < choices; choice++) {
          entryOf(i, choice, entry);
          const key = (i * choices + (choice ^ shifts[i])) * columns;
          for (let d = 0; d < columns; d++, out++) {
            // A value that no double holds, of a table out of all proportion, is masked all the same.
            const word = Number.isFinite(entry[d]) ? modulo(entry[d], bits) : 0;
            table[out] = modulo(word - own[i * columns + d] + elementAt(messages, key + d, messageBits, bits), bits);
          }
        }
      }
      yield* send(op.step, packWide(table, bits));

      const keys = terms > 0 ? elementsOf(client.ringCot(op).keys, bits) : noKeys;
      const preset = client.share(op.output);
      const unit = 2 ** op.dropBits;
      const difference = new Uint32Array(size);
      for (let i = 0, cot = 0; i < size; i++) {
        let sum = fn.constants ? own[i * columns] : 0;
        for (let d = 0; d < terms; d++) {
          const coefficient = own[i * columns + fn.constants + d];
          for (let b = 0; b < basisBits; b++, cot++) {
            const isFlipped = (flips[i * terms + d] >>> b) & 1;
            const term = modulo(isFlipped ? coefficient + keys[cot] : -keys[cot], bits - b);
            sum = modulo(sum + term * 2 ** b, bits);
          }
        }
        difference[i] = Math.floor(sum / unit) - preset[i];
      }
      yield* send(op.step, pack(difference, ringBits));
    },

    *owner(op, owner) {
      const { ringBits, size } = op.output;
      const bits = wideBits(op);
      const terms = fn.terms(op);
      const columns = columnsOf(op);
      const basisBits = factorBits(op);
      const { choices: chosen, basis, addends } = fn.owners(op, owner);
      const ot = owner.ot(op);
      const cots = terms > 0 ? owner.ringCot(op) : undefined;
      const flips = cots ? xor(basis, cots.choices) : basis;
      yield* send(op.step, pack(xor(chosen, ot.choices), fn.choiceBits(op)));
      yield* send(op.step, pack(flips, basisBits));

      const table = unpackWide(yield* receive(op.step, wideBytes(entries(op), bits)), entries(op), bits);
      const difference = unpack(yield* receive(op.step, packedBytes(size, ringBits)), size, ringBits);
      const keys = cots ? elementsOf(cots.keys, bits) : noKeys;
      const unit = 2 ** op.dropBits;
      const share = new Uint32Array(size);
      for (let i = 0, cot = 0; i < size; i++) {
        const row = (i * 2 ** fn.choiceBits(op) + chosen[i]) * columns;
        const opened = (d: number) =>
          modulo(table[row + d] - elementAt(ot.messages, i * columns + d, messageBits, bits), bits);
        // As in truncate.ts, 2^f − 1 more make the lost carry a rounding without bias.
        let sum = unit - 1 + (addends?.[i] ?? 0);
        if (fn.constants) sum = modulo(sum + opened(0), bits);
        for (let d = 0; d < terms; d++) {
          sum = modulo(sum + timesModulo(opened(fn.constants + d), basis[i * terms + d], bits), bits);
          for (let b = 0; b < basisBits; b++, cot++) {
            const key = modulo(keys[cot], bits - b) * 2 ** b;
            sum = modulo((flips[i * terms + d] >>> b) & 1 ? sum - key : sum + key, bits);
          }
        }
        share[i] = (Math.floor(sum / unit) + difference[i]) & maskOf(ringBits);
      }
      owner.set(op.output, share);
    },

    reference(op, reference) {
      const unit = 2 ** op.dropBits;
      const exact = fn.reference(op, op.output.fracBits + op.dropBits, reference);
      reference.set(
        op.output,
        exact.map((value) => Math.floor((value + unit / 2) / unit)),
      );
    },
  });
}

const noKeys = new Float64Array(0);
