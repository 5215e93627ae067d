/**
 * What answers can tell of a model. A client that deviates learns what the reveal carries and no more (docs/malicious-client.md); that many
 * bits it can make bits of the weights, one answer after another (test/support/extraction.ts). So an owner's answers are limited.
 */
import type { OwnerWeights } from '../layers/op.ts';
import { protocolOf } from '../layers/operations.ts';
import type { Plan } from './plan.ts';

/** Answers after which an owner serves no more, unless it says otherwise. */
export const defaultLimit = 100;

/**
 * How many bits the weights are, for the share that answers can have told: of each tensor, its numbers times the entropy of one of them
 * (Shannon 1948, §6), by their frequencies. Who knows how weights are distributed needs no more bits than these to write them down.
 */
export function weightBits({ operations }: Plan, weights: OwnerWeights): number {
  const names = operations.flatMap((op) =>
    protocolOf(op)
      .tensors(op)
      .map(({ name }) => name),
  );
  let bits = 0;
  for (const name of new Set(names)) {
    const words = weights.tensor(name);
    const counts = new Map<number, number>();
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
    for (const count of counts.values()) bits -= count * Math.log2(count / words.length);
  }
  return bits;
}
