/**
 * A shared bit for each element: whether a segment of it begins in an interval, by one lookup of bits (table.ts). It says which level of a
 * spline (spline.ts) serves the element.
 *
 * Segments begin where the client's share has them, at u_c + i·w: for a value within w above the interval's beginning or end, the bit is
 * either. Whoever uses it must be right for both. The reference takes the middle.
 * Nobody learns anything. Online and correlations: as table.ts, one column of one bit, no product.
 */
import type { PlanBuilder } from './builder.ts';
import type { Value } from './op.ts';
import type { DomainLike } from './specs.ts';
import { type Interval, middleStart, segments, type TableOp, tableProtocol } from './table.ts';

export interface WithinOp extends TableOp {
  readonly kind: 'within';
  /** Of beginnings of segments. */
  readonly interval: Interval;
}

/** @param all of the arguments are in it, as TableOp.extent. @returns bits, modulo 2. */
export function within(plan: PlanBuilder, x: Value, domain: DomainLike, interval: Interval, all?: Interval): Value {
  const { minimum, rangeBits, digitBits } = domain;
  const output = plan.value(x.rows, x.cols, 0);
  plan.add<WithinOp>({
    ...({ kind: 'within', inputs: [x], output, interval, inputScale: 1 } as const),
    ...{ minimum, rangeBits, digitBits },
    ...(all && { extent: all }),
  });
  return output;
}

const isWithin = ({ from, to }: Interval, start: number): boolean => start >= from && start <= to;

export const withinProtocol = tableProtocol(
  segments<WithinOp>({
    title: 'comparison',
    constants: 1,
    terms: () => 0,
    basisBits: () => 1,
    basis() {},
    columns:
      ({ interval }) =>
      (start, out) => {
        out[0] = isWithin(interval, start) ? 1 : 0;
      },
    evaluate: (op) => (x) => (isWithin(op.interval, middleStart(op, x)) ? 1 : 0),
  }),
);
