import { type Manifest, queriesOf } from '../../../protocols/inference/manifest.ts';
import { t } from '../language/language.ts';

/** A group of steps that the network's picture shows as one. */
export interface Part {
  /** Steps whose names start with this belong to the part. */
  prefix: string;
  title: string;
}

/** Tokens as the square of image patches they come from: one path for the exact ones, one of smaller squares for the others. */
export interface TokenGrid {
  exactPath: string;
  otherPath: string;
  exactCount: number;
}

export interface BlockShape {
  attention: Part & { heads: TokenGrid[] };
  mlp: Part & { tokens: TokenGrid };
}

/** The part of the network that an online step belongs to: `in`, `block 1` …, `out`; undefined for keys and the like. */
export function partOf(step: string): string | undefined {
  const block = /^blocks\.(\d+)\./.exec(step)?.[1];
  if (block !== undefined) return `block ${Number(block) + 1}`;
  if (step === 'input' || step.startsWith('patch_embed')) return 'in';
  return /^(pool|norm|fc_norm|head|reveal|logits)/.test(step) ? 'out' : undefined;
}

/** The same network with every softmax row and every GELU token exact: what PriViT has saved is the difference. */
export function allExact(manifest: Manifest): Manifest {
  const every = Array.from({ length: manifest.architecture.tokens }, (_, i) => i);
  const { softmaxRows, geluTokens } = manifest.switches;
  return {
    ...manifest,
    switches: {
      softmaxRows: softmaxRows.map((heads) => heads.map(() => every)),
      geluTokens: geluTokens.map(() => every),
    },
  };
}

export interface Switches {
  softmaxExact: number;
  softmaxRows: number;
  geluExact: number;
  geluTokens: number;
}

export function blocksOf({ switches, architecture }: Manifest): BlockShape[] {
  const side = Math.sqrt(architecture.tokens);
  return switches.softmaxRows.map((heads, i) => ({
    attention: {
      prefix: `blocks.${i}.attn`,
      title: t().live.network.attention(i + 1),
      heads: heads.map((rows) => grid(rows, side)),
    },
    mlp: { prefix: `blocks.${i}.mlp`, title: t().live.network.mlp(i + 1), tokens: grid(switches.geluTokens[i], side) },
  }));
}

/** Of what is computed: a class token needs one row of the last layer. */
export function countSwitches({ switches, architecture }: Manifest): Switches {
  const { depth, heads } = architecture;
  let tokens = 0;
  for (let layer = 0; layer < depth; layer++) tokens += queriesOf(architecture, layer);
  return {
    softmaxExact: switches.softmaxRows.flat(2).length,
    softmaxRows: heads * tokens,
    geluExact: switches.geluTokens.flat().length,
    geluTokens: tokens,
  };
}

function grid(exact: readonly number[], side: number): TokenGrid {
  const isExact = new Set(exact);
  let exactPath = '';
  let otherPath = '';
  for (let token = 0; token < side * side; token++) {
    if (isExact.has(token)) exactPath += square(token % side, Math.floor(token / side), 0.9);
    else otherPath += square(token % side, Math.floor(token / side), 0.5);
  }
  return { exactPath, otherPath, exactCount: exact.length };
}

/** In the middle of its cell. Told apart by size too, for who does not see the colours. */
const square = (column: number, row: number, length: number): string =>
  `M${column + (1 - length) / 2} ${row + (1 - length) / 2}h${length}v${length}h-${length}z`;
