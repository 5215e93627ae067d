// What the network's picture draws: every computed token in a cell of its own, on whole numbers, whatever tokens no patch has.
import { describe, expect, it } from 'vitest';
import { allExact, blocksOf, countSwitches, fewerTokens, gridSize } from '../../client/src/live/networkShape.ts';
import { compilePlan, parseManifest } from '../../protocols/index.ts';
import { makeManifest, type Shape } from '../support/manifest.ts';

const shapes: Record<string, Shape> = {
  'a square of patches': { imageSize: 8, patchSize: 2, gelu: 0.5 },
  'a class token': { imageSize: 6, patchSize: 2, prefixTokens: 1, pool: 'class', positional: false, gelu: 0.5 },
  'a class token and registers, a wide image': {
    ...{ imageSize: 4, imageWidth: 6, patchSize: 2, prefixTokens: 4, pool: 'class', positional: false },
  },
  'a checkerboard behind the first block': {
    ...{ imageSize: 6, patchSize: 2, prefixTokens: 1, pool: 'class', depth: 3, positional: false, gelu: 0.5 },
    keptTokens: [{ block: 0, tokens: [0, 1, 3, 5, 7, 9] }],
  },
  'no MLP in one block': { imageSize: 6, patchSize: 2, positional: false, withoutMlp: [0], gelu: 0.5 },
};

/** Top left corners' cells of a path. */
const cells = (path: string) => [...path.matchAll(/M([\d.]+) ([\d.]+)h/g)].map(([, x, y]) => [Number(x), Number(y)]);

it('draws those of a checkerboard in their places, and says where they begin', () => {
  const manifest = parseManifest(JSON.stringify(makeManifest(shapes['a checkerboard behind the first block'])));
  const { attention } = blocksOf(manifest)[1];
  const { exactPath, otherPath } = attention.heads[0];
  const places = [...cells(exactPath), ...cells(otherPath)].map(([x, y]) => [Math.floor(x), Math.floor(y)]);
  // The class token has a line of its own above the patches.
  expect(places.filter(([, y]) => y > 0).every(([x, y]) => (x + y - 1) % 2 === 0)).toBe(true);
  expect(fewerTokens(manifest)).toEqual([{ block: 1, kept: 6 }]);
});

describe.each(Object.entries(shapes))('%s', (_name, shape) => {
  const manifest = parseManifest(JSON.stringify(makeManifest(shape)));
  const { columns, rows } = gridSize(manifest);

  it('has each token once, and within the picture', () => {
    for (const [layer, { attention, mlp }] of blocksOf(manifest).entries()) {
      const { depth, pool, tokens, keptTokens = [] } = manifest.architecture;
      const kept = keptTokens.findLast(({ block }) => block <= layer)?.tokens.length ?? tokens;
      const count = layer === depth - 1 && pool === 'class' ? 1 : kept;
      for (const { exactPath, otherPath } of [...attention.heads, ...(mlp ? [mlp.tokens] : [])]) {
        const corners = [...cells(exactPath), ...cells(otherPath)];
        expect(corners).toHaveLength(count);
        const places = new Set(corners.map(([x, y]) => `${Math.floor(x)} ${Math.floor(y)}`));
        expect(places.size).toBe(count);
        for (const [x, y] of corners) expect(x < columns && y < rows).toBe(true);
      }
    }
  });

  it('as if all were exact, is a network too', () => {
    const exact = parseManifest(JSON.stringify(allExact(manifest)));
    expect(() => compilePlan(exact)).not.toThrow();
    const { softmaxExact, softmaxRows, geluExact, geluTokens } = countSwitches(exact);
    expect([softmaxExact, geluExact]).toEqual([softmaxRows, geluTokens]);
  });
});
