/** A model's public description in plain words. */
import type { Manifest } from '../../../protocols/inference/manifest.ts';
import { t } from '../language/language.ts';
import { isolated, listOf } from '../ui/bidi.ts';
import { formatCount } from '../ui/format.ts';
import { pictureSize } from '../ui/pixels.ts';
import { countSwitches } from './networkShape.ts';

/** The part of a title before its technical tail: `CIFAR-10 (JPEG): vision transformer, …` → `CIFAR-10 (JPEG)`. */
export const shortTitle = (title: string): string => title.split(':')[0].trim() || title;

/** `ship, truck and 8 more`; all of them up to `most`. */
export function someOf(labels: readonly string[], most = 12): string {
  if (labels.length <= most) return listed(labels);
  return t().live.model.more(listOf(labels.slice(0, most)), formatCount(labels.length - most));
}

const listed = (labels: readonly string[]): string =>
  labels.length < 2
    ? listOf(labels)
    : `${listOf(labels.slice(0, -1))} ${t().live.model.or} ${isolated(labels.at(-1)!)}`;

/** What kind of picture the model was made for. */
export function pictureKind({ architecture, preprocessing }: Manifest): string {
  const { width, height } = pictureSize(architecture);
  const words = t().live.model;
  if (Math.max(width, height) <= 64) return words.thumbnail(width, height);
  return (preprocessing.fit === 'squash' ? words.squashed : words.photograph)(width, height);
}

/** Whether PriViT has left nothing to make exact: where there is an MLP, or an attention, it is. */
export function hasOnlyExact(manifest: Manifest): boolean {
  const { softmaxExact, softmaxRows, geluExact, geluTokens } = countSwitches(manifest);
  return softmaxExact === softmaxRows && geluExact === geluTokens;
}

export function exactWords(manifest: Manifest): string {
  const { softmaxExact, softmaxRows, geluExact, geluTokens } = countSwitches(manifest);
  if (geluTokens === 0) return t().live.model.withoutGelu(formatCount(softmaxExact), formatCount(softmaxRows));
  return t().live.model.exact(
    formatCount(softmaxExact),
    formatCount(softmaxRows),
    formatCount(geluExact),
    formatCount(geluTokens),
  );
}
