/** Which ring Z_2^k every value of a plan is shared in. */
import { operationsOf, type Sequence } from '../layers/builder.ts';
import type { Op, Value } from '../layers/op.ts';
import { protocolOf } from '../layers/operations.ts';

/**
 * Gives every value its ring, from the end backwards: a value needs what the most demanding of its consumers needs.
 * @throws RangeError, naming the step, when that is more than 32 bits.
 */
export function assignRings(sequence: Sequence): void {
  const operations = [...operationsOf(sequence)];
  for (const op of operations.reverse()) withStep(op, () => protocolOf(op).need(op));
}

/**
 * A linear layer's output is truncated with fewer bits on the wire when its ring is wider than it must be (the wrap then lies higher),
 * and the layer itself sends nothing; but its input then needs the wider ring too. Widens each where the total falls.
 */
export function widenRings(sequence: Sequence): void {
  const operations = [...operationsOf(sequence)];
  const values = new Set(operations.flatMap((op) => (op.output ? [op.output, ...op.inputs] : op.inputs)));
  const widened = new Map<Value, number>();
  const evaluate = (): number => {
    for (const value of values) value.ringBits = widened.get(value) ?? 0;
    for (let i = operations.length - 1; i >= 0; i--) protocolOf(operations[i]).need(operations[i]);
    let bytes = 0;
    for (const op of operations) {
      const cost = withStep(op, () => protocolOf(op).cost(op));
      bytes += cost.clientToOwner + cost.ownerToClient;
    }
    return bytes;
  };
  let best = evaluate();
  for (const op of operations) {
    const { output } = op;
    if (!output || output.ringBits >= 32 || protocolOf(op).outputRing !== 'free') continue;
    const needed = output.ringBits;
    // With the output, what is only picked out of it (the heads of q, k, v).
    const group = [
      output,
      ...operations.flatMap((other) =>
        other.output && protocolOf(other).outputRing === 'ofInputs' && other.inputs.includes(output)
          ? [other.output]
          : [],
      ),
    ];
    let choice: number | undefined;
    for (let bits = needed + 1; bits <= 32; bits++) {
      for (const value of group) widened.set(value, bits);
      const bytes = evaluate();
      if (bytes < best) {
        best = bytes;
        choice = bits;
      }
    }
    for (const value of group) {
      if (choice === undefined) widened.delete(value);
      else widened.set(value, choice);
    }
    evaluate();
  }
}

/** Runs `what` of an operation; what it throws names the operation's step. */
function withStep<T>(op: Op, what: () => T): T {
  try {
    return what();
  } catch (error) {
    throw new RangeError(`${op.step}: ${(error as Error).message}`, { cause: error });
  }
}
