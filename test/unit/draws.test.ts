// Which inputs of linear layers are drawn (protocols/inference/draws.ts), and that nothing is lost by it.
import { describe, expect, it } from 'vitest';
import { stagesOf } from '../../protocols/inference/costs.ts';
import { chooseDraws } from '../../protocols/inference/draws.ts';
import { clientRounds, ownerRounds } from '../../protocols/inference/execute.ts';
import { besideColumns, takeColumns, takeRows } from '../../protocols/inference/moves.ts';
import { prepareClient, prepareOwner } from '../../protocols/inference/prepare.ts';
import { assignRings } from '../../protocols/inference/rings.ts';
import { operationsOf, PlanBuilder } from '../../protocols/layers/builder.ts';
import { type InputOp, input } from '../../protocols/layers/input.ts';
import { linear } from '../../protocols/layers/linear.ts';
import { add, local } from '../../protocols/layers/local.ts';
import type { EndingOp, OwnerWeights, Value } from '../../protocols/layers/op.ts';
import { protocolOf } from '../../protocols/layers/operations.ts';
import { square } from '../../protocols/layers/product.ts';
import { reveal } from '../../protocols/layers/reveal.ts';
import { truncate } from '../../protocols/layers/truncate.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { IdealDealer } from '../ideal/dealer.ts';
import { pump } from '../support/mini.ts';

const [rows, cols, outputs] = [64, 64, 16];

/** Input → `build` → reveal. */
function compiled(build: (plan: PlanBuilder, x: Value) => Value, isExact = false) {
  const plan = new PlanBuilder();
  const given: InputOp = input(plan, rows, cols, 12);
  const y = build(plan, given.output);
  const end: EndingOp = reveal(plan, y, 31 - y.fracBits);
  const { sequence } = plan;
  assignRings(sequence);
  const operations = [...operationsOf(sequence)];
  chooseDraws(operations, isExact ? y : given.output);
  return { sequence, operations, stages: stagesOf(operations), input: given, reveal: end };
}

/** A truncation's result, with a share that may be any. */
const fresh = (plan: PlanBuilder, x: Value) => truncate(plan, square(plan, x), 4, 8);
const multiply = (plan: PlanBuilder, x: Value, name = 'w') => linear(plan, x, name, outputs, 6);
const sum = (plan: PlanBuilder, x: Value, y: Value) => local(plan, [x, y], x.rows, x.cols, add);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
/** Of each linear layer, in order: whether all of its input is drawn, or how many columns. */
const drawnOf = (build: (plan: PlanBuilder, x: Value) => Value, isExact?: boolean) =>
  compiled(build, isExact)
    .operations.filter(({ kind }) => kind === 'linear')
    .map(({ drawnColumns = 0, inputs: [x] }) => (drawnColumns % x.cols === 0 ? drawnColumns > 0 : drawnColumns));

describe('inputs of linear layers are drawn', () => {
  it('where they are truncations of what the client does not know ahead', () => {
    expect(drawnOf((plan, x) => multiply(plan, fresh(plan, x)))).toEqual([true]);
  });

  it('also moved about, in parts of it, and together with others', () => {
    expect(
      drawnOf((plan, x) => {
        const y = fresh(plan, x);
        const parts = [range(0, 32), range(32, 64)].map((each) => multiply(plan, takeRows(plan, y, each)));
        return sum(plan, ...(parts as [Value, Value]));
      }),
    ).toEqual([true, true]);
    expect(drawnOf((plan, x) => multiply(plan, besideColumns(plan, [fresh(plan, x), fresh(plan, x)])))).toEqual([true]);
  });

  it('not where the share follows from others', () => {
    expect(drawnOf((plan, x) => multiply(plan, x))).toEqual([false]);
    expect(drawnOf((plan, x) => multiply(plan, truncate(plan, multiply(plan, x), 4, 8)))).toEqual([false, false]);
    expect(drawnOf((plan, x) => multiply(plan, sum(plan, fresh(plan, x), fresh(plan, x))))).toEqual([false]);
  });

  it('not where anything else reads them, in which fractions would be missing', () => {
    expect(
      drawnOf((plan, x) => {
        const y = fresh(plan, x);
        return sum(plan, multiply(plan, y), multiply(plan, truncate(plan, square(plan, y), 8, 8)));
      }),
    ).toEqual([false, true]);
    const twice = (second: readonly number[]) =>
      drawnOf((plan, x) => {
        const y = fresh(plan, x);
        const z = multiply(plan, takeRows(plan, y, range(0, 33)));
        return sum(plan, z, multiply(plan, takeRows(plan, y, second)));
      });
    expect(twice(range(31, 64))).toEqual([false, false]);
    expect(twice([...range(33, 64), 33, 34])).toEqual([true, false]);
  });

  it('as many columns as come before something of another kind', () => {
    const half = range(0, 32);
    const beside = (first: 'fresh' | 'other') =>
      drawnOf((plan, x) => {
        const [y, z] = [fresh(plan, x), fresh(plan, x)];
        const both = multiply(plan, besideColumns(plan, [takeRows(plan, y, half), takeRows(plan, z, half)]));
        const parts = [takeRows(plan, z, range(32, 64)), takeRows(plan, x, half)];
        const mixed = besideColumns(plan, first === 'fresh' ? parts : parts.reverse());
        return sum(plan, both, multiply(plan, mixed));
      });
    expect(beside('fresh')).toEqual([true, cols]);
    expect(beside('other')).toEqual([true, false]);
  });

  it('up to the first column that anything else reads', () => {
    // Of 8 columns alone an upload costs less.
    const drawn = drawnOf((plan, x) => {
      const y = fresh(plan, x);
      const z = multiply(plan, y);
      return sum(plan, z, multiply(plan, truncate(plan, square(plan, takeColumns(plan, y, 40, 8, y.fracBits)), 8, 8)));
    });
    expect(drawn).toEqual([40, false]);
  });

  it('not where the client learns the product', () => {
    expect(drawnOf((plan, x) => multiply(plan, fresh(plan, x)), true)).toEqual([false]);
  });

  it('not where an upload costs less than what it saves', () => {
    expect(drawnOf((plan, x) => linear(plan, takeRows(plan, fresh(plan, x), [0]), 'w', 1000, 6))).toEqual([false]);
  });
});

describe('the product of a drawn input', () => {
  it('is off by a truncation’s error and no more', async () => {
    const tensors: Record<string, Uint32Array> = {
      'w.weight': Uint32Array.from({ length: outputs * cols }, (_, i) => ((i * 7919) % 4095) - 2047),
      'w.bias': new Uint32Array(outputs),
    };
    const weights: OwnerWeights = { tensor: (name) => tensors[name] };
    const plan = compiled((each, x) => multiply(each, fresh(each, x)));
    const pixels = Int32Array.from({ length: rows * cols }, (_, i) => ((i * 104_729) % 8001) - 4000);
    const seed = new Uint8Array(32).fill(4);
    const dealer = new IdealDealer(seed, weights.tensor);
    const [client, owner] = await Promise.all([
      prepareClient(plan, dealer.client, new Prg(seed, 'client'), () => {}),
      prepareOwner(plan, weights, dealer.owner, new Prg(seed, 'owner'), () => {}),
    ]);
    const { client: learned } = pump(clientRounds(plan, client, pixels), ownerRounds(plan, owner));
    const w = (output: number, j: number) => tensors['w.weight'][output * cols + j] | 0;
    const errors: number[] = [];
    let [most, variance] = [0, 0];
    for (let row = 0; row < rows; row++) {
      for (let output = 0; output < outputs; output++) {
        let [exact, bound, squares] = [0, 0, 0];
        for (let j = 0; j < cols; j++) {
          exact += (w(output, j) * pixels[row * cols + j] ** 2) / 2 ** 16;
          bound += Math.abs(w(output, j));
          squares += w(output, j) ** 2;
        }
        const error = learned[row * outputs + output] - exact;
        expect(Math.abs(error)).toBeLessThan(bound + 2);
        errors.push(error);
        most = Math.max(most, Math.abs(error));
        variance += squares / 6 / (rows * outputs);
      }
    }
    // Two numbers uniform in [0, 1) are cut off; were the fraction lost, it would be three, and the mean half a unit off.
    const measured = errors.reduce((total, error) => total + error ** 2, 0) / errors.length;
    expect(measured / variance).toBeGreaterThan(0.85);
    expect(measured / variance).toBeLessThan(1.15);
    expect(most).toBeGreaterThan(0);
  });

  it('comes in the order in which the stages ask, whatever the plan’s is', async () => {
    const tensors: Record<string, Uint32Array> = {};
    for (const [name, inputs] of [
      ['a', cols],
      ['b', cols + outputs],
      ['c', cols],
    ] as const) {
      tensors[`${name}.weight`] = Uint32Array.from({ length: outputs * inputs }, (_, i) => i % 7);
      tensors[`${name}.bias`] = new Uint32Array(outputs);
    }
    const weights: OwnerWeights = { tensor: (name) => tensors[name] };
    const plan = compiled((each, x) => {
      const known = truncate(each, multiply(each, x, 'a'), 4, 8);
      const late = multiply(each, besideColumns(each, [fresh(each, x), known]), 'b'); // a stage behind `known`
      return sum(each, late, multiply(each, fresh(each, x), 'c'));
    });
    const drawn = plan.operations.filter(({ drawnColumns }) => drawnColumns !== undefined);
    expect(drawn.map((op) => protocolOf(op).stage(op))).toEqual([1, 0]);
    const seed = new Uint8Array(32).fill(5);
    const dealer = new IdealDealer(seed, weights.tensor); // which insists on it, as ring-LWE does
    const preparing = Promise.all([
      prepareClient(plan, dealer.client, new Prg(seed, 'client'), () => {}),
      prepareOwner(plan, weights, dealer.owner, new Prg(seed, 'owner'), () => {}),
    ]);
    await expect(preparing).resolves.toHaveLength(2);
  });
});
