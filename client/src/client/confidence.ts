import { t } from '../language/language.ts';
import { formatCount } from '../ui/format.ts';
/** How sure the model is, in words: numbers alone read as more certain than they are. */
export interface Confidence {
  level: 'high' | 'middle' | 'low';
  title: string;
  text: string;
}

/**
 * @param probabilities softmax of the scores, one for each label.
 * A model that knows a few classes gives one of them to any picture, and is often most hesitant where none fits.
 */
export function confidenceOf(probabilities: readonly number[], labels: readonly string[]): Confidence {
  const order = probabilities.map((_, i) => i).sort((a, b) => probabilities[b]! - probabilities[a]!);
  const [best, second] = [probabilities[order[0]!]!, order[1]!];
  const words = t().client.confidence;
  const other = labels[second] ?? words.somethingElse;
  if (best >= 0.85) return { level: 'high', ...words.high };
  if (best >= 0.55) return { level: 'middle', title: words.middle.title, text: words.middle.text(other) };
  return {
    level: 'low',
    title: words.low.title,
    text: words.low.text(other, formatCount(labels.length)),
  };
}
