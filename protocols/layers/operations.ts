/** The registry: every kind of operation and its protocol. A new operation is its file and one line here. */
import { expProtocol } from './exp.ts';
import { fieldSquareProtocol } from './fieldSquare.ts';
import { harmonicsProtocol } from './harmonics.ts';
import { inputProtocol } from './input.ts';
import { linearProtocol } from './linear.ts';
import { localProtocol } from './local.ts';
import type { Ending, EndingOp, LayerProtocol, Op } from './op.ts';
import { openProtocol } from './open.ts';
import { prependProtocol } from './prepend.ts';
import { matmulProtocol, scaleProtocol, squareProtocol, sumOfSquaresProtocol } from './product.ts';
import { relativePositionProtocol } from './relativePosition.ts';
import { revealProtocol } from './reveal.ts';
import { scalarSelectProtocol, selectProtocol } from './select.ts';
import { scalarSplineProtocol, splineProtocol } from './spline.ts';
import { truncateProtocol } from './truncate.ts';
import { winnersProtocol } from './winners.ts';
import { withinProtocol } from './within.ts';

const protocols: Readonly<Record<string, LayerProtocol<never>>> = {
  input: inputProtocol,
  linear: linearProtocol,
  truncate: truncateProtocol,
  open: openProtocol,
  matmul: matmulProtocol,
  square: squareProtocol,
  fieldSquare: fieldSquareProtocol,
  sumOfSquares: sumOfSquaresProtocol,
  scale: scaleProtocol,
  spline: splineProtocol,
  scalarSpline: scalarSplineProtocol,
  within: withinProtocol,
  select: selectProtocol,
  scalarSelect: scalarSelectProtocol,
  exp: expProtocol,
  harmonics: harmonicsProtocol,
  local: localProtocol,
  prepend: prependProtocol,
  relativePosition: relativePositionProtocol,
  reveal: revealProtocol,
  winners: winnersProtocol,
};

/**
 * The protocol of an operation.
 * @throws RangeError when the registry has none of that kind.
 */
export function protocolOf<O extends Op>(op: O): LayerProtocol<O> {
  const protocol = protocols[op.kind];
  if (!protocol) throw new RangeError(`${op.step}: no protocol of the kind ${op.kind}`);
  // The kind names the operation's type.
  return protocol as unknown as LayerProtocol<O>;
}

/** @throws RangeError when a plan cannot end with the operation. */
export function endingOf<O extends EndingOp>(op: O): Ending<O> {
  const { ending } = protocolOf(op);
  if (!ending) throw new RangeError(`${op.step}: a plan cannot end with ${op.kind}`);
  return ending;
}
