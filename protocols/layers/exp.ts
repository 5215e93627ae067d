/**
 * exp by table lookup (table.ts). One column and no polynomial: exp(u_c + i·w + l) = exp(u_c + i·w)·exp(l), the first factor from the
 * client's table, the second known to the owner. So segments may be wide (m = 2 or 3): width costs dynamic range, not accuracy.
 */
import type { PlanBuilder } from './builder.ts';
import type { Value } from './op.ts';
import type { ExpLike } from './specs.ts';
import { segments, segmentWidth, type TableOp, tableProtocol } from './table.ts';
import { truncate } from './truncate.ts';

export interface ExpOp extends TableOp {
  readonly kind: 'exp';
  readonly coefficientFracBits: number;
  readonly basisFracBits: number;
}

/** exp(x·inputScale), truncated to `spec.out`. */
export function exp(plan: PlanBuilder, x: Value, spec: ExpLike): Value {
  return truncate(plan, untruncatedExp(plan, x, spec), spec.out.magnitudeBits, spec.out.fracBits);
}

/** The same with all the fraction bits of the table and the basis. */
export function untruncatedExp(plan: PlanBuilder, x: Value, spec: ExpLike): Value {
  const { out: _out, inputScale = 1, ...rest } = spec;
  const output = plan.value(x.rows, x.cols, spec.coefficientFracBits + spec.basisFracBits);
  plan.add<ExpOp>({ kind: 'exp', inputs: [x], output, inputScale, ...rest });
  return output;
}

export const expProtocol = tableProtocol(
  segments<ExpOp>({
    title: 'exp',
    constants: 0,
    terms: () => 1,
    // exp(t·w·s) < 2^(w·s·log2 e).
    basisBits: (op) => op.basisFracBits + Math.ceil(segmentWidth(op) * op.inputScale * Math.LOG2E),
    basis(op, t, out, at) {
      out[at] = Math.round(Math.exp(t * segmentWidth(op) * op.inputScale) * 2 ** op.basisFracBits);
    },
    columns({ inputScale, coefficientFracBits }) {
      const unit = 2 ** coefficientFracBits;
      return (start, out) => {
        out[0] = Math.exp(start * inputScale) * unit;
      };
    },
    evaluate:
      ({ inputScale }) =>
      (x) =>
        Math.exp(x * inputScale),
  }),
);
