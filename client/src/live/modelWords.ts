/** A model's public description in plain words. */
import type { Manifest } from '../../../protocols/inference/manifest.ts';
import { t } from '../language/language.ts';
import { formatCount } from '../ui/format.ts';
import { countSwitches } from './networkShape.ts';

/** The part of a title before its technical tail: `CIFAR-10 (JPEG): vision transformer, …` → `CIFAR-10 (JPEG)`. */
export const shortTitle = (title: string): string => title.split(':')[0].trim() || title;

/** `ship, truck and 8 more`; all of them up to `most`. */
export function someOf(labels: readonly string[], most = 12): string {
  if (labels.length <= most) return listed(labels);
  return t().live.model.more(labels.slice(0, most).join(', '), formatCount(labels.length - most));
}

const listed = (labels: readonly string[]): string =>
  labels.length < 2 ? labels.join('') : `${labels.slice(0, -1).join(', ')} ${t().live.model.or} ${labels.at(-1)}`;

/** What kind of picture the model was made for. */
export function pictureKind({ architecture: { imageSize } }: Manifest): string {
  return imageSize <= 64 ? t().live.model.thumbnail(imageSize) : t().live.model.photograph(imageSize);
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
