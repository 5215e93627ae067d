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
