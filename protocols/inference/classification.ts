/** What a classification says, from what the plan reveals. */
import type { Plan } from './plan.ts';

export interface Classification {
  /** The logits as real numbers; empty where the owner reveals only the label. */
  readonly logits: number[];
  /** The same as integers with the plan's fraction bits, as the protocol computed them. */
  readonly integerLogits: number[];
  readonly label: string;
  readonly labelIndex: number;
  /** Softmax of the logits; empty where the owner reveals only the label. */
  readonly probabilities: number[];
}

/** Real logits, the best label and the softmax, from what the plan reveals. */
export function classificationOf(integers: Int32Array, plan: Plan): Classification {
  if (plan.answer === 'label') {
    // Values out of their range may give an index without a label: a wrong answer, as everywhere, and no error.
    const labelIndex = Math.min(integers[0], plan.manifest.labels.length - 1);
    return { logits: [], integerLogits: [], labelIndex, label: plan.manifest.labels[labelIndex], probabilities: [] };
  }
  const logits = Array.from(integers, (x) => x * 2 ** -plan.logitFracBits);
  const top = Math.max(...logits);
  const labelIndex = logits.indexOf(top);
  const exps = logits.map((logit) => Math.exp(logit - top));
  const sum = exps.reduce((total, x) => total + x, 0);
  return {
    logits,
    integerLogits: [...integers],
    labelIndex,
    label: plan.manifest.labels[labelIndex],
    probabilities: exps.map((x) => x / sum),
  };
}
