/** A model's public description in plain words. */
import type { Manifest } from '../../../protocols/inference/manifest.ts';
import { formatCount } from '../ui/format.ts';
import { countSwitches } from './networkShape.ts';

/** The part of a title before its technical tail: `CIFAR-10 (JPEG): vision transformer, …` → `CIFAR-10 (JPEG)`. */
export const shortTitle = (title: string): string => title.split(':')[0]!.trim() || title;

/** `ship, truck and 8 more`; all of them up to `most`. */
export function someOf(labels: readonly string[], most = 12): string {
  if (labels.length <= most) return listed(labels);
  return `${labels.slice(0, most).join(', ')} and ${formatCount(labels.length - most)} more`;
}

const listed = (labels: readonly string[]): string =>
  labels.length < 2 ? labels.join('') : `${labels.slice(0, -1).join(', ')} or ${labels.at(-1)}`;

/** What kind of picture the model was made for. */
export function pictureKind({ architecture: { imageSize } }: Manifest): string {
  return imageSize <= 64
    ? `It looks at a thumbnail of ${imageSize} × ${imageSize} pixels: one thing, large, in the middle.`
    : `It looks at ${imageSize} × ${imageSize} pixels from the middle of a photograph.`;
}

export function exactWords(manifest: Manifest): string {
  const { softmaxExact, softmaxRows, geluExact, geluTokens } = countSwitches(manifest);
  return `${formatCount(softmaxExact)} of ${formatCount(softmaxRows)} softmax rows, ${formatCount(geluExact)} of ${formatCount(geluTokens)} GELU tokens`;
}
