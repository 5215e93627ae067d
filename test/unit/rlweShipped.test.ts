import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { RlweSpec } from '../../protocols/offline/correlations.ts';
import { isRlweSpec, takesCarries } from '../../protocols/offline/kinds.ts';
import { rlweLayout } from '../../protocols/offline/rlwe/costs.ts';
import { tail } from '../../protocols/rlwe/noise.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { modelFolder, modelNames, readModel } from '../../scripts/lib/models.ts';
import { deviationOf, drawRlweOperands, type Operands, unroundedErrors } from '../ideal/rlwe.ts';
import { keyOf } from '../support/keys.ts';

const seed = new Uint8Array(32).fill(8);
const tiny = fileURLToPath(new URL('../vectors/tiny/', import.meta.url));
const folders = [tiny, ...(await Promise.all((await modelNames()).map(modelFolder)))];

it.each(folders)(
  '%s: every layer’s error stays below its bound, with its own weights',
  async (folder) => {
    const { plan, weights } = await readModel(folder);
    const shapes = new Set<string>();
    const specs = plan.stages
      .flat()
      .filter(isRlweSpec)
      // What is exact is not rounded: test/unit/ole.test.ts measures its error.
      .filter((spec) => !takesCarries(spec))
      .filter((spec) => {
        // Layers differ in their weights; the other correlations of one shape do not differ.
        const shape = JSON.stringify({ ...spec, key: keyOf('') });
        return shapes.size < shapes.add(shape).size;
      });
    expect(specs.length).toBeGreaterThan(0);
    const operands = specs.map((spec: RlweSpec): Operands => {
      const drawn = drawRlweOperands(spec, new Prg(seed, spec.key.step));
      return spec.kind === 'linear' ? { ...drawn, weights: Int16Array.from(weights.tensor(spec.weights)) } : drawn;
    });
    const errors = await unroundedErrors(seed, operands);
    specs.forEach((spec, i) => {
      const { errorBound } = rlweLayout(spec);
      const largest = errors[i].reduce((most, error) => Math.max(most, Math.abs(error)), 0);
      expect(largest, spec.key.step).toBeLessThan(errorBound);
      expect(errorBound, spec.key.step).toBeLessThan(1);
      // The analysis agrees with the measurement within the sampling error; real weights are smaller than it assumes.
      const slack = 1 + 5 / Math.sqrt(2 * errors[i].length);
      expect(deviationOf(errors[i]) * tail, spec.key.step).toBeLessThan(slack * errorBound);
    });
  },
  300_000,
);
