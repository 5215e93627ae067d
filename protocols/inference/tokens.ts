/**
 * Which tokens of the picture go on behind a block: at fixed places, the same for every picture, so that dropping them costs nothing and
 * tells nothing. DynamicViT (Rao et al., NeurIPS 2021, arXiv 2106.02034) drops tokens too, but chooses them by what the picture shows.
 *
 * A block still attends to all tokens that enter it; its queries, and all that follows them, are those of the tokens that go on alone.
 */
import * as v from 'valibot';

interface Architecture {
  readonly tokens: number;
  readonly depth: number;
  readonly pool?: string | undefined;
  readonly keptTokens?: readonly { readonly block: number; readonly tokens: readonly number[] }[] | undefined;
}

/** Ascending indices below `limit`. */
export const indices = (limit: number) =>
  v.pipe(
    v.array(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(limit - 1))),
    v.maxLength(limit),
    v.check((list) => list.every((index, i) => i === 0 || index > list[i - 1]), 'ascending'),
  );

/** Places in the picture, ascending, of the tokens that go on behind a block: of the class token alone behind the last one before its head. */
export function tokensBehind({ tokens, depth, pool, keptTokens = [] }: Architecture, layer: number): readonly number[] {
  if (pool === 'class' && layer === depth - 1) return [0];
  const last = keptTokens.findLast(({ block }) => block <= layer);
  return last?.tokens ?? Array.from({ length: tokens }, (_, i) => i);
}

/** Of the tokens that enter a block; or the head, where `layer` is the depth. */
export const tokensBefore = (architecture: Architecture, layer: number): readonly number[] =>
  tokensBehind(architecture, layer - 1);

/** Where each of `chosen` is in `among`, both ascending; those that are not there are left out. */
export function positionsIn(among: readonly number[], chosen: readonly number[]): number[] {
  const at = new Map(among.map((token, i) => [token, i]));
  return chosen.flatMap((token) => at.get(token) ?? []);
}

/** What is wrong with the places that are kept; undefined where they make sense. */
export function faultOfKeptTokens(
  architecture: Architecture & {
    readonly prefixTokens?: number | undefined;
    readonly positionalScores?: boolean | undefined;
    readonly staticMixing?: boolean | undefined;
  },
): string | undefined {
  const { depth, pool, prefixTokens = 0, keptTokens = [], positionalScores, staticMixing } = architecture;
  if (keptTokens.length > 0 && (positionalScores || staticMixing))
    return 'keptTokens: relative positions are those of all tokens';
  const blocks = pool === 'class' ? depth - 1 : depth;
  for (const [i, { block, tokens }] of keptTokens.entries()) {
    const entering = new Set(tokensBefore(architecture, block));
    if (block >= blocks || (i > 0 && block <= keptTokens[i - 1].block))
      return `keptTokens: ascending blocks below ${blocks} (behind the last one a class token goes on alone, without an entry)`;
    if (tokens.length >= entering.size || !tokens.every((token) => entering.has(token)))
      return `keptTokens: behind block ${block} fewer tokens than enter it, and none but those`;
    if (pool === 'class' ? tokens[0] !== 0 : !tokens.some((token) => token >= prefixTokens))
      return `keptTokens: behind block ${block} what the head reads: the class token, or at least one patch`;
  }
  return undefined;
}
