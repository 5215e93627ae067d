/** The kinds of correlations, one line each: by which protocols they can be had. Which of two is taken: division.ts. */
import type { CorrelationSpec, OleSpec, OtBasedSpec, RlweSpec } from './correlations.ts';
import { gilboaSquare, gilboaSumOfSquares } from './ot/gilboa.ts';
import type { OtKind } from './ot/kind.ts';
import { randomOt } from './ot/randomOt.ts';
import { ringCot } from './ot/ringCot.ts';
import { otScale } from './ot/scale.ts';
import { linear, matmul } from './rlwe/blocks.ts';
import type { RlweKind } from './rlwe/kind.ts';
import { ole } from './rlwe/ole.ts';
import { rlweScale, rlweSumOfSquares } from './rlwe/rows.ts';

interface CorrelationKind {
  readonly ot?: OtKind;
  readonly rlwe?: RlweKind;
}

const kinds: Readonly<Record<CorrelationSpec['kind'], CorrelationKind>> = {
  linear: { rlwe: linear },
  matmul: { rlwe: matmul },
  square: { ot: gilboaSquare },
  sumOfSquares: { ot: gilboaSumOfSquares, rlwe: rlweSumOfSquares },
  scale: { ot: otScale, rlwe: rlweScale },
  ringCot: { ot: ringCot },
  ole: { rlwe: ole },
  ot: { ot: randomOt },
};

/** Whether oblivious transfers provide a spec's kind. */
export const isOtBased = (spec: CorrelationSpec): spec is OtBasedSpec => kinds[spec.kind].ot !== undefined;

/** Whether ring-LWE provides a spec's kind. */
export const isRlweSpec = (spec: CorrelationSpec): spec is RlweSpec => kinds[spec.kind].rlwe !== undefined;

/** Whether its results from ring-LWE are exact only with their carries (rlwe/carry.ts). */
export const takesCarries = (spec: CorrelationSpec): spec is OleSpec => kinds[spec.kind].rlwe?.takesCarries === true;

/** @throws RangeError for a kind that oblivious transfers do not provide. */
export const otKind = ({ kind }: CorrelationSpec): OtKind =>
  kinds[kind].ot ?? refuse(`expected a kind that OTs provide, got ${kind}`);

/** @throws RangeError for a kind that ring-LWE does not provide. */
export const rlweKind = ({ kind }: CorrelationSpec): RlweKind =>
  kinds[kind].rlwe ?? refuse(`expected a kind that ring-LWE provides, got ${kind}`);

/** Words (of 32 bits) that each party holds of a correlation, from when it is made until it is consumed. */
export function correlationWords(spec: CorrelationSpec): { readonly client: number; readonly owner: number } {
  if (isOtBased(spec)) return otKind(spec).keptWords(spec);
  const words = rlweKind(spec).results(spec);
  return { client: words, owner: words };
}

function refuse(message: string): never {
  throw new RangeError(message);
}
