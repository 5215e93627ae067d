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
  const other = labels[second] ?? 'something else';
  if (best >= 0.85) return { level: 'high', title: 'The model is sure.', text: 'That can still be wrong.' };
  if (best >= 0.55)
    return { level: 'middle', title: 'The model is fairly sure.', text: `Its second choice is ${other}.` };
  return {
    level: 'low',
    title: 'Low confidence: this is a guess.',
    text: `It could as well be ${other}, or none of the ${labels.length} things that the model knows.`,
  };
}
