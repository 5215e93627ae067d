/** The integer reference: the plan on plain integers, without secrets. The oracle of every secure test, and the evaluator of whole sets. */
import { type OwnerWeights, type RangeViolation, ReferenceState } from '../layers/op.ts';
import { protocolOf } from '../layers/operations.ts';
import type { Plan } from './plan.ts';

export interface ReferenceResult {
  /** `plan.logits`: integers with `plan.logitFracBits` fraction bits. The head's own are `named('logits')`. */
  readonly logits: Int32Array;
  /** Where a value left the range that its ring allows for: there a secure run gives a wrong result. */
  readonly violations: readonly RangeViolation[];
  /** A named value (docs/artifact.md) in real numbers. */
  named(name: string): Float64Array;
}

/** @throws RangeError when `input` has another length. */
export function evaluateReference(plan: Plan, weights: OwnerWeights, input: Int32Array): ReferenceResult {
  const state = new ReferenceState(weights);
  state.set(plan.input.output, input);
  for (const op of plan.operations) protocolOf(op).reference(op, state);
  // As the reveal reads them: modulo their ring.
  const unused = 32 - plan.logits.ringBits;
  return {
    logits: state.value(plan.logits).map((x) => (x << unused) >> unused),
    violations: state.violations,
    named(name) {
      const value = plan.named.get(name);
      if (!value) throw new RangeError(`name: expected one of ${[...plan.named.keys()].join(', ')}; got ${name}`);
      return Float64Array.from(state.value(value), (x) => x * 2 ** -value.fracBits);
    },
  };
}
