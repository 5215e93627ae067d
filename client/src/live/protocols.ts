/** What to call the protocols that the meters name (the titles in protocols/layers), and one line on each. */
import { t } from '../language/language.ts';

/** The protocols that run in a step, each with its line; `protocol` is the plan's comma-separated list of titles. */
export function protocolsOf(protocol: string): { title: string; note: string }[] {
  return protocol
    .split(', ')
    .filter(Boolean)
    .map((title) => t().live.protocols[title] ?? { title, note: '' });
}

/** Their names alone. */
export const titlesOf = (protocol: string): string =>
  protocolsOf(protocol)
    .map(({ title }) => title)
    .join(', ');

/**
 * What a step computes, in the reader's words: `linear (private weights) (64, 128) × (128, 64) → …; truncate …`.
 * The plan names each protocol once in `protocol` and, in the same order, with its shapes in `detail`.
 */
export function detailOf(
  { protocol, detail }: { protocol: string; detail: string },
  words = t().live.protocols,
): string {
  const titles = protocol.split(', ');
  const inWords = (part: string, title: string) => (words[title]?.title ?? title) + part.slice(title.length);
  return detail
    .split('; ')
    .map((part, i) => inWords(part, titles[i] ?? ''))
    .join('; ');
}
