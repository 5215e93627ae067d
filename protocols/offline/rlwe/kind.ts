/**
 * What the protocol of a correlation from ring-LWE consists of: where its numbers stand in polynomials (layout.ts); the rest is the same for
 * all (provider.ts). A kind is one such object, and one line in offline/kinds.ts.
 */
import type { ClientRequestOf, LinearSpec, OwnerRequestOf, RlweSpec } from '../correlations.ts';
import type { Layout } from './layout.ts';

/** The owner's integer weights, row-major (outputs, inputs), by name. */
export type WeightSource = (name: string) => ArrayLike<number>;

/** What the owner multiplies by: a linear layer's weights, or the masks that it was asked with. */
export type OwnerInput<S extends RlweSpec> = S extends LinearSpec
  ? { readonly weights: ArrayLike<number> }
  : OwnerRequestOf<S>;

export type LayoutOf<S extends RlweSpec = RlweSpec> = Layout<ClientRequestOf<S>, OwnerInput<S>>;

export interface RlweKind<
  S extends RlweSpec = RlweSpec,
  C = ClientRequestOf<S>,
  O = OwnerRequestOf<S>,
  Input = OwnerInput<S>,
> {
  /** Whether its results must be exact, and so are cut and put right (carry.ts). */
  readonly takesCarries?: boolean;
  /** Each must be in [1, 65536]. */
  sizes(spec: S): Readonly<Record<string, number>>;
  /** How many numbers it has, each of which either party has a share of. */
  results(spec: S): number;
  /** @throws RangeError when no parameters keep the error within ±1. */
  layout(spec: S): Layout<C, Input>;
  /** @throws TypeError, RangeError when an operand does not fit. */
  checkClient(request: C): void;
  /** @throws TypeError, RangeError when an operand or a weight does not fit. */
  ownerInput(request: O, weights: WeightSource): Input;
}
