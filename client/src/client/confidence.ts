/** How much an answer can be trusted, in words: numbers alone read as more certain than they are. */
import { t } from '../language/language.ts';
import { isolated } from '../ui/bidi.ts';
import { formatCount } from '../ui/format.ts';
import { type Confidence, type Level, levelOf, softmax, uncalibrated } from './confidenceLevels.ts';

export interface Trust {
  level: Level;
  /** Of the classes, calibrated where there are figures; they sum to 1. */
  probabilities: number[];
  title: string;
  text: string;
}

/** @param figures undefined for a model that nobody has measured. */
export function trustIn(logits: readonly number[], labels: readonly string[], figures: Confidence | undefined): Trust {
  const scale = figures ?? uncalibrated;
  const level = levelOf(logits, scale);
  const probabilities = softmax(logits, scale.temperature);
  const words = t().client.trust;
  const [, second] = probabilities.map((_, i) => i).sort((a, b) => probabilities[b] - probabilities[a]);
  const sentences = [
    level === 'clear' || second === undefined
      ? ''
      : words.second(isolated(labels[second] ?? t().client.result.unnamedClass(second))),
    figures ? measured(level, labels.length, figures) : words.unmeasured,
  ];
  return { level, probabilities, title: words.titles[level], text: sentences.filter(Boolean).join(' ') };
}

function measured(level: Level, classes: number, { heldOut, outsiders }: Confidence): string {
  const words = t().client.trust;
  const inHundred = (fraction: number) => Math.round(100 * fraction);
  const things = formatCount(classes);
  const own = heldOut.levels[level];
  const others = outsiders?.levels[level];
  if (level === 'unlike' && others) return words.unlike(inHundred(others.share), inHundred(own.share), things);
  const right = words.right(inHundred(own.right), things);
  return level === 'clear' && others ? `${right} ${words.othersToo(inHundred(others.share))}` : right;
}
