/** How certain an answer is, by figures measured on held-out pictures (`confidence.json`, scripts/confidence.ts). */

import * as v from 'valibot';

/** From the most certain to the least. `unlike`: it may show none of the things that the model knows. */
export const levels = ['clear', 'likely', 'unclear', 'unlike'] as const;
export type Level = (typeof levels)[number];

const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
/** Of the pictures that were judged: what share has this level, and what share of those is answered right. */
const LevelFigures = v.strictObject(v.entriesFromList(levels, v.strictObject({ share, right: share })));
const Judged = v.strictObject({ images: v.pipe(v.number(), v.integer(), v.minValue(1)), levels: LevelFigures });

/** A model's figures; `onnxSha256` says which model they belong to. */
export const Confidence = v.strictObject({
  onnxSha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  /** softmax(logits / temperature) is calibrated for pictures of the model's classes. */
  temperature: v.pipe(v.number(), v.minValue(0.01), v.maxValue(100)),
  /** Below it, the largest logit says that the picture may be an outsider. */
  leastLogit: v.number(),
  heldOut: Judged,
  /** Photographs of other things; nothing is right for them. */
  outsiders: v.optional(Judged),
});
export type Confidence = v.InferOutput<typeof Confidence>;

/** Without figures: the model's own probabilities, and no picture is told apart as unlike. */
export const uncalibrated = { temperature: 1, leastLogit: Number.NEGATIVE_INFINITY } as const;

/** @returns probabilities, one for each logit; they sum to 1. */
export function softmax(logits: readonly number[], temperature: number): number[] {
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp((logit - most) / temperature));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

export function levelOf(
  logits: readonly number[],
  { temperature, leastLogit }: Pick<Confidence, 'temperature' | 'leastLogit'>,
): Level {
  if (Math.max(...logits) < leastLogit) return 'unlike';
  const best = Math.max(...softmax(logits, temperature));
  return best >= 0.9 ? 'clear' : best >= 0.6 ? 'likely' : 'unclear';
}
