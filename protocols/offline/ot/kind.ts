/**
 * What the protocol of a correlation from oblivious transfer consists of. A kind is one file with one such object, and one line in
 * offline/kinds.ts.
 *
 * A spec is made of *units* (OTs, products, rows). A stage is cut into pieces of some units each, and every piece follows one pattern, so that
 * all pieces share three flights: *open* client → owner, *choose* owner → client, *answer* client → owner. Each may be empty.
 */
import type { CotKernel } from '../../kernels/cot.ts';
import type { PieceTweaks } from '../../kernels/tweaks.ts';
import type { CotPiece } from '../../ot/cotParty.ts';
import type {
  ClientCorrelation,
  ClientRequestOf,
  OtBasedSpec,
  OwnerCorrelation,
  OwnerRequestOf,
} from '../correlations.ts';
import type { OtWork } from './times.ts';

/** What a piece costs: COTs, and the bytes of its three messages. */
export interface PieceCost {
  /** COTs with the client as sender. */
  readonly cots: number;
  /** COTs with the owner as sender, for products with a scalar of the client's. */
  readonly reverseCots: number;
  readonly openBytes: number;
  readonly chooseBytes: number;
  readonly answerBytes: number;
}

/** Where a piece's COTs lie, and tweaks that no other piece of the pairing has. */
export interface PieceContext {
  readonly kernel: CotKernel;
  /** Address of the first COT; three blocks beyond the last may be read. */
  readonly cots: number;
  readonly tweaks: PieceTweaks;
  /** Of the COTs in the other direction. */
  readonly reverseTweaks: PieceTweaks;
}

export interface ClientContext extends PieceContext {
  /** Address of the client's Δ. */
  readonly delta: number;
  /** COTs with the owner as sender, and the message by which the owner gets the same. */
  drawReverse(count: number): { readonly piece: CotPiece; readonly message: Uint8Array };
}

export interface OwnerContext extends PieceContext {
  /** Address of the owner's Δ, of the COTs in the other direction. */
  readonly reverseDelta: number;
  drawReverse(count: number, message: Uint8Array): CotPiece;
}

export interface ClientPiece {
  open?(context: ClientContext): Uint8Array;
  answer?(context: ClientContext, choose: Uint8Array): Uint8Array;
}

export interface OwnerPiece {
  /** The COTs are gone when this returns. */
  choose(context: OwnerContext, open: Uint8Array): Uint8Array | undefined;
  finish?(kernel: CotKernel, answer: Uint8Array): void;
}

/** One party's half of a spec: its correlation, which the pieces fill in. */
export interface ClientHalf {
  readonly correlation: ClientCorrelation;
  piece(from: number, count: number): ClientPiece;
}

export interface OwnerHalf {
  readonly correlation: OwnerCorrelation;
  piece(from: number, count: number): OwnerPiece;
}

/** How many units a spec is made of, how many COTs each takes, and how many of them (a multiple of `pieceUnit`) are done at once. */
export interface Units {
  readonly size: number;
  readonly cotsPerUnit: number;
  readonly pieceUnits: number;
}

/** Sizes of pieces are multiples of this, so that cutting moves no byte boundary. */
export const pieceUnit = 8;

export interface OtKind<S extends OtBasedSpec = OtBasedSpec, C = ClientRequestOf<S>, O = OwnerRequestOf<S>> {
  /** 32 where nothing else is said. */
  readonly mostRingBits?: number;
  /** @throws RangeError when a size is out of range; `ringBits` is in [1, mostRingBits]. */
  check(spec: S): void;
  units(spec: S): Units;
  /** Of `count` units; additive over pieces. */
  cost(spec: S, count: number): PieceCost;
  /** What each party does for a spec, the drawing of its COTs included. */
  work(spec: S): { readonly client: OtWork; readonly owner: OtWork };
  /** 32-bit words that each party keeps until the correlation is consumed. */
  keptWords(spec: S): { readonly client: number; readonly owner: number };
  /** @throws TypeError, RangeError when an operand does not fit. */
  client(request: C): ClientHalf;
  owner(request: O): OwnerHalf;
}

export const noCost: PieceCost = Object.freeze({
  cots: 0,
  reverseCots: 0,
  openBytes: 0,
  chooseBytes: 0,
  answerBytes: 0,
});
