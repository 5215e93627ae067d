import type { Manifest } from '../../../protocols/inference/manifest.ts';
import { tokensBehind } from '../../../protocols/inference/tokens.ts';
import { t } from '../language/language.ts';

/** A group of steps that the network's picture shows as one. */
export interface Part {
  /** Steps whose names start with this belong to the part. */
  prefix: string;
  title: string;
}

/** Tokens where their patches are in the image, below those that no patch has: one path for the exact ones, one of smaller squares for the others. */
export interface TokenGrid {
  exactPath: string;
  otherPath: string;
  exactCount: number;
}

export interface BlockShape {
  attention: Part & { heads: TokenGrid[] };
  /** Absent where it is linear, and part of attention's last matrix. */
  mlp: (Part & { tokens: TokenGrid }) | undefined;
}

/** Columns and rows of a token grid. */
export interface GridSize {
  columns: number;
  rows: number;
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
  const { architecture, fixedPoint } = manifest;
  const layers = fixedPoint.blocks.map(({ mlp }, layer) => ({
    queries: [...tokensBehind(architecture, layer)],
    hasMlp: mlp !== undefined,
  }));
  return {
    ...manifest,
    switches: {
      softmaxRows: layers.map(({ queries }) => Array.from({ length: architecture.heads }, () => queries)),
      geluTokens: layers.map(({ queries, hasMlp }) => (hasMlp ? queries : [])),
    },
  };
}

export interface Switches {
  softmaxExact: number;
  softmaxRows: number;
  geluExact: number;
  geluTokens: number;
}

export function gridSize({ architecture: a }: Manifest): GridSize {
  const columns = (a.imageWidth ?? a.imageSize) / a.patchSize;
  return { columns, rows: a.imageSize / a.patchSize + Math.ceil((a.prefixTokens ?? 0) / columns) };
}

export function blocksOf(manifest: Manifest): BlockShape[] {
  const { switches, architecture, fixedPoint } = manifest;
  return switches.softmaxRows.map((heads, i) => {
    const draw = (exact: readonly number[]) => grid(manifest, exact, tokensBehind(architecture, i));
    return {
      attention: {
        prefix: `blocks.${i}.attn`,
        title: t().live.network.attention(i + 1),
        heads: heads.map(draw),
      },
      mlp: fixedPoint.blocks[i].mlp && {
        prefix: `blocks.${i}.mlp`,
        title: t().live.network.mlp(i + 1),
        tokens: draw(switches.geluTokens[i]),
      },
    };
  });
}

/** From which blocks on, counted from 1, fewer tokens go on, and how many: not of the class token, alone in the last block. */
export const fewerTokens = ({ architecture: { keptTokens = [] } }: Manifest): { block: number; kept: number }[] =>
  keptTokens.map(({ block, tokens }) => ({ block: block + 1, kept: tokens.length }));

/** Of what is computed: tokens that go on (of a class token's network one in the last layer), and a block without MLP has no GELU. */
export function countSwitches({ switches, architecture, fixedPoint }: Manifest): Switches {
  let [rows, tokens] = [0, 0];
  fixedPoint.blocks.forEach(({ mlp }, layer) => {
    const queries = tokensBehind(architecture, layer).length;
    rows += queries;
    if (mlp) tokens += queries;
  });
  return {
    softmaxExact: switches.softmaxRows.flat(2).length,
    softmaxRows: architecture.heads * rows,
    geluExact: switches.geluTokens.flat().length,
    geluTokens: tokens,
  };
}

/** @param computed places of the tokens that are; the others' cells stay empty. */
function grid(manifest: Manifest, exact: readonly number[], computed: readonly number[]): TokenGrid {
  const { columns } = gridSize(manifest);
  const { prefixTokens = 0 } = manifest.architecture;
  const above = Math.ceil(prefixTokens / columns) * columns;
  const isExact = new Set(exact);
  let exactPath = '';
  let otherPath = '';
  for (const token of computed) {
    const cell = token < prefixTokens ? token : above + token - prefixTokens;
    const [column, row] = [cell % columns, Math.floor(cell / columns)];
    if (isExact.has(token)) exactPath += square(column, row, 0.9);
    else otherPath += square(column, row, 0.5);
  }
  return { exactPath, otherPath, exactCount: exact.length };
}

/** In the middle of its cell. Told apart by size too, for who does not see the colours. */
const square = (column: number, row: number, length: number): string =>
  `M${column + (1 - length) / 2} ${row + (1 - length) / 2}h${length}v${length}h-${length}z`;
