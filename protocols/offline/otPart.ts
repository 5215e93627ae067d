/**
 * What the pieces of a stage of OT-based correlations have in common. Every piece follows one pattern, so that all pieces of a
 * stage share three flights: *open* client → owner, *choose* owner → client, *answer* client → owner. Each may be empty.
 */
import type { CotKernel } from '../kernels/cot.ts';
import type { CotPiece } from '../ot/cot.ts';

/** What a piece costs: COTs, and the bytes of its three messages. */
export interface PartCost {
  /** COTs with the client as sender. */
  readonly cots: number;
  /** COTs with the owner as sender, for products with a scalar of the client's. */
  readonly reverseCots: number;
  readonly openBytes: number;
  readonly chooseBytes: number;
  readonly answerBytes: number;
}

/** Where a piece's COTs lie, and tweaks that no other piece of the pairing uses. */
export interface PartContext {
  readonly kernel: CotKernel;
  /** Address of the first COT; three blocks beyond the last may be read. */
  readonly cots: number;
  /** Position of the first COT in its segment. */
  readonly low: number;
  /** Number of the segment. */
  readonly high: number;
  /** Number of the piece in its segment. */
  readonly column: number;
}

export interface ClientContext extends PartContext {
  /** Address of the client's Δ. */
  readonly delta: number;
  /** COTs with the owner as sender, and the message by which the owner gets the same. */
  drawReverse(count: number): { readonly piece: CotPiece; readonly message: Uint8Array };
}

export interface OwnerContext extends PartContext {
  /** Address of the owner's Δ, of the COTs in the other direction. */
  readonly reverseDelta: number;
  drawReverse(count: number, message: Uint8Array): CotPiece;
}

export interface ClientPart {
  readonly cost: PartCost;
  open?(context: ClientContext): Uint8Array;
  answer?(context: ClientContext, choose: Uint8Array): Uint8Array;
}

export interface OwnerPart {
  readonly cost: PartCost;
  /** The COTs are gone when this returns. */
  choose(context: OwnerContext, open: Uint8Array): Uint8Array | undefined;
  finish?(kernel: CotKernel, answer: Uint8Array): void;
}

export const noCost: PartCost = Object.freeze({
  cots: 0,
  reverseCots: 0,
  openBytes: 0,
  chooseBytes: 0,
  answerBytes: 0,
});
