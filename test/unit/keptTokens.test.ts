// Fewer tokens behind a block: what a manifest may say, and what its plan then leaves out. That it is computed: anyShape.test.ts.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseManifest } from '../../protocols/inference/manifest.ts';
import { compilePlan, type Plan } from '../../protocols/inference/plan.ts';
import { positionsIn, tokensBefore, tokensBehind } from '../../protocols/inference/tokens.ts';
import { leastProducts } from '../../protocols/inference/vit.ts';
import { rlweResultCount } from '../../protocols/offline/division.ts';
import { pricesOf } from '../../scripts/lib/prices.ts';
import { run } from '../bench/plan.ts';
import { makeManifest, type Shape } from '../support/manifest.ts';

const checkerboard = [0, 1, 3, 6, 8, 9, 11, 14, 16];
const shape = { prefixTokens: 1, pool: 'class', depth: 4, positional: false, softmax: 1, gelu: 0 } satisfies Shape;
const keptTokens = [
  { block: 0, tokens: checkerboard },
  { block: 2, tokens: [0, 1, 11] },
];
const manifestOf = (more: Shape) => parseManifest(JSON.stringify(makeManifest({ ...shape, ...more })));
const planOf = (more: Shape): Plan => compilePlan(manifestOf(more));
const bytes = ({ steps }: Plan, of: (name: string) => boolean = () => true): number =>
  steps
    .filter(({ name }) => of(name))
    .reduce((sum, step) => sum + step.bytesClientToOwner + step.bytesOwnerToClient, 0);

describe('places', () => {
  it('are those of the picture, behind each block', () => {
    const { architecture } = manifestOf({ keptTokens });
    const counts = [0, 1, 2, 3].map((layer) => tokensBehind(architecture, layer).length);
    expect(counts).toEqual([9, 9, 3, 1]);
    expect([0, 1, 2, 3, 4].map((layer) => tokensBefore(architecture, layer).length)).toEqual([17, 9, 9, 3, 1]);
    expect(positionsIn(checkerboard, [1, 2, 11])).toEqual([1, 6]);
  });

  // Positions stay those of all tokens; the rest of the manifest fits.
  it.each<[string, Shape, string]>([
    ['no token at all', { keptTokens: [{ block: 0, tokens: [] }] }, 'keptTokens'],
    ['no entry', { keptTokens: [{ block: -1, tokens: [0, 1] }] }, 'keptTokens'],
    ['places that do not ascend', { keptTokens: [{ block: 0, tokens: [0, 3, 1] }] }, 'ascending'],
    ['a place beyond the picture', { keptTokens: [{ block: 0, tokens: [0, 17] }] }, 'fewer tokens than enter it'],
    [
      'all tokens',
      {
        keptTokens: [
          { block: 0, tokens: checkerboard },
          { block: 1, tokens: checkerboard },
        ],
      },
      'fewer',
    ],
    ['a token that was gone', { keptTokens: [keptTokens[0], { block: 1, tokens: [0, 2] }] }, 'none but those'],
    ['blocks that do not ascend', { keptTokens: [keptTokens[1], keptTokens[0]] }, 'ascending blocks below 3'],
    ['a block twice', { keptTokens: [keptTokens[0], { block: 0, tokens: [0, 1] }] }, 'ascending blocks below 3'],
    ['the last block of a class token', { keptTokens: [{ block: 3, tokens: [0] }] }, 'ascending blocks below 3'],
    ['a block that is not there', { pool: 'mean', keptTokens: [{ block: 4, tokens: [0, 1] }] }, 'below 4'],
    ['no class token', { keptTokens: [{ block: 0, tokens: [1, 2] }] }, 'the class token'],
    ['no patch for the mean', { pool: 'mean', keptTokens: [{ block: 0, tokens: [0] }] }, 'at least one patch'],
    [
      'relative positions',
      { prefixTokens: 0, pool: 'mean', positional: true, keptTokens: [{ block: 0, tokens: [0] }] },
      'relative positions are those of all tokens',
    ],
  ])('refuses %s', (_, more, rule) => {
    expect(() => manifestOf({ ...more, softmax: 0 })).toThrow(rule);
  });

  it('refuses switches of tokens that do not go on', () => {
    const manifest = makeManifest({ ...shape, keptTokens });
    manifest.switches.softmaxRows[2][1] = [0, 1, 3];
    expect(() => parseManifest(JSON.stringify(manifest))).toThrow('rows and tokens of those that go on');
    manifest.switches.softmaxRows[2][1] = [11];
    manifest.switches.geluTokens[0] = [2];
    expect(() => parseManifest(JSON.stringify(manifest))).toThrow('rows and tokens of those that go on');
    manifest.switches.geluTokens[0] = [3];
    expect(() => parseManifest(JSON.stringify(manifest))).not.toThrow();
  });
});

describe('the plan', () => {
  it('has scores of the queries that go on with all keys that are there, and fewer bytes in each block', () => {
    const [all, fewer] = [planOf({}), planOf({ keptTokens })];
    const shapes = ({ named }: Plan) =>
      [0, 1, 2, 3].map((layer) => named.get(`blocks.${layer}.attn.scores`)!).map(({ rows, cols }) => [rows / 2, cols]);
    expect(shapes(all)).toEqual([
      [17, 17],
      [17, 17],
      [17, 17],
      [1, 17],
    ]);
    expect(shapes(fewer)).toEqual([
      [9, 17],
      [9, 9],
      [3, 9],
      [1, 3],
    ]);
    for (const layer of [0, 1, 2, 3])
      expect(bytes(fewer, (name) => name.startsWith(`blocks.${layer}.`))).toBeLessThan(
        0.75 * bytes(all, (name) => name.startsWith(`blocks.${layer}.`)),
      );
    const flights = ({ steps }: Plan) => steps.reduce((sum, step) => sum + step.flights, 0);
    expect(flights(fewer)).toBe(flights(all));
  });

  it.each([{}, { keptTokens }, { keptTokens, withoutMlp: [0, 1, 2, 3] }, { pool: 'mean' }] satisfies Shape[])(
    'makes at least as many numbers as a client expects before it compiles: %o',
    (more) => {
      const manifest = manifestOf({ ...more, squareUnits: 0 });
      const { stages } = compilePlan(manifest);
      const least = leastProducts(manifest);
      expect(least).toBeLessThanOrEqual(rlweResultCount(stages.flat()));
      expect(least).toBeGreaterThan(0.3 * rlweResultCount(stages.flat()));
    },
  );

  it('is priced: a row of fewer keys costs less', () => {
    const network = { roundTripMs: 20, mbps: 50, offlineShare: 0 };
    const prices = pricesOf(manifestOf({ keptTokens }), network);
    expect(prices.softmaxRow[1][0]).toBeLessThan(prices.softmaxRow[0][0]);
  });
});

it('budgets of the plan bench are spread over the tokens that go on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kept-'));
  try {
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(makeManifest({ ...shape, softmax: 0, keptTokens })));
    const online = async (softmax: number, gelu: number) =>
      (await run({ model: folder, softmax, gelu })).find(({ name }) => name.endsWith('/online'))!.value;
    expect(await online(2 * 22, 22)).toBe(bytes(planOf({ keptTokens, gelu: 1 })));
    expect(await online(20, 5)).toBeLessThan(await online(21, 5));
  } finally {
    await rm(folder, { recursive: true });
  }
});
