/**
 * The correlations that a plan consumes, and who may provide them.
 *
 * Every spec is public and deterministic in the plan; both parties ask for the same specs in the same order. Operands
 * with the suffix `Client` are the client's preset shares, those with `Mask` the owner's random masks ρ. All arithmetic but that of
 * `ole` is modulo 2^ringBits; results are additive shares: client's + owner's = the stated value. Arrays are row-major.
 *
 * Words may carry garbage above `ringBits`: providers reduce where it matters, consumers mask where it matters.
 */
import type { CircleNumbers } from '../sharing/circle.ts';
import { type CorrelationKey, keyText } from '../sharing/store.ts';

export { type CorrelationKey, keyText } from '../sharing/store.ts';

/** W·x for each of `tokens` rows: x (tokens, inputs) is the client's, W (outputs, inputs) the owner's integers. */
export interface LinearSpec {
  readonly kind: 'linear';
  readonly key: CorrelationKey;
  readonly ringBits: number;
  readonly tokens: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Name of the owner's weight tensor; |weight| < 2^weightBits. */
  readonly weights: string;
  readonly weightBits: number;
  /**
   * Of how many of the inputs, the first ones, x is what `draw` gave the client (none, where it is left out): nothing is sent for them, and the
   * product is that with x's fractions too, rounded (off by less than 2).
   */
  readonly drawnInputs?: number;
}

/** Cross terms of X·Y for `batch` pairs X (rows, inner), Y (inner, cols): Xclient·Ymask + Xmask·Yclient. */
export interface MatmulSpec {
  readonly kind: 'matmul';
  readonly key: CorrelationKey;
  readonly ringBits: number;
  readonly batch: number;
  readonly rows: number;
  readonly inner: number;
  readonly cols: number;
}

/** 2·x·ρ element by element. */
export interface SquareSpec {
  readonly kind: 'square';
  readonly key: CorrelationKey;
  readonly ringBits: number;
  readonly count: number;
}

/** 2·Σ_j x_ij·ρ_ij for each row i. */
export interface SumOfSquaresSpec {
  readonly kind: 'sumOfSquares';
  readonly key: CorrelationKey;
  readonly ringBits: number;
  readonly rows: number;
  readonly cols: number;
}

/** s_i·ρx_ij + ρs_i·x_ij. */
export interface ScaleSpec {
  readonly kind: 'scale';
  readonly key: CorrelationKey;
  readonly ringBits: number;
  readonly rows: number;
  readonly cols: number;
}

/**
 * Correlated OTs over the ring with random choices, factorBits (at most ringBits) of them for each of `count` factors c_i of the client's. The
 * parties make shares of c_i·y_i out of them once the owner knows y_i: y_i XOR its choices x_i is all that it must send.
 * The ring may have up to 52 bits; factors and keys are then two words each (sharing/wide.ts).
 */
export interface RingCotSpec {
  readonly kind: 'ringCot';
  readonly key: CorrelationKey;
  readonly ringBits: number;
  readonly count: number;
  readonly factorBits: number;
}

/**
 * Inner products over a prime field, oblivious linear evaluation (OLE) of vectors: Σ_j u_ji·ρ_ji modulo the prime for each of rows·cols elements i
 * and j < terms; u (terms, rows·cols) the client's, ρ the owner's. Words are elements of the field, of sharing/field.ts.
 */
export interface OleSpec {
  readonly kind: 'ole';
  readonly key: CorrelationKey;
  /** Bits of an element of the field. */
  readonly ringBits: number;
  readonly modulus: number;
  readonly terms: number;
  readonly rows: number;
  readonly cols: number;
}

/** `count` random 1-of-2^choiceBits OTs of messages of `words` ring elements; the client is the sender. */
export interface OtSpec {
  readonly kind: 'ot';
  readonly key: CorrelationKey;
  /** Bits of each element of a message. */
  readonly ringBits: number;
  readonly count: number;
  readonly choiceBits: number;
  readonly words: number;
}

export type CorrelationSpec =
  | LinearSpec
  | MatmulSpec
  | SquareSpec
  | SumOfSquaresSpec
  | ScaleSpec
  | RingCotSpec
  | OleSpec
  | OtSpec;
export type ProductSpec = Exclude<CorrelationSpec, OtSpec | RingCotSpec | OleSpec>;

/** What the client puts in and gets out. */
export type ClientRequest =
  | { readonly spec: LinearSpec; readonly x: Uint32Array }
  | { readonly spec: MatmulSpec; readonly x: Uint32Array; readonly y: Uint32Array }
  | { readonly spec: SquareSpec; readonly x: Uint32Array }
  | { readonly spec: SumOfSquaresSpec; readonly x: Uint32Array }
  | { readonly spec: ScaleSpec; readonly s: Uint32Array; readonly x: Uint32Array }
  | { readonly spec: RingCotSpec; readonly c: Uint32Array }
  | { readonly spec: OleSpec; readonly u: Uint32Array }
  | { readonly spec: OtSpec };

export type OwnerRequest =
  | { readonly spec: LinearSpec }
  | { readonly spec: MatmulSpec; readonly xMask: Uint32Array; readonly yMask: Uint32Array }
  | { readonly spec: SquareSpec; readonly xMask: Uint32Array }
  | { readonly spec: SumOfSquaresSpec; readonly xMask: Uint32Array }
  | { readonly spec: ScaleSpec; readonly sMask: Uint32Array; readonly xMask: Uint32Array }
  | { readonly spec: RingCotSpec }
  | { readonly spec: OleSpec; readonly mask: Uint32Array }
  | { readonly spec: OtSpec };

/** The requests for some kinds of specs. */
export type ClientRequestOf<S extends CorrelationSpec> = Extract<ClientRequest, { readonly spec: S }>;
export type OwnerRequestOf<S extends CorrelationSpec> = Extract<OwnerRequest, { readonly spec: S }>;

/** What oblivious transfers provide, and what ring-LWE does; either does some kinds. */
export type OtBasedSpec = OtSpec | SquareSpec | SumOfSquaresSpec | ScaleSpec | RingCotSpec;
export type RlweSpec = LinearSpec | MatmulSpec | SumOfSquaresSpec | ScaleSpec | OleSpec;

/** A party's share of a product's value. */
export interface ProductShare {
  readonly share: Uint32Array;
}

/** Sender's side of random OTs: all messages, (count, 2^choiceBits, words). */
export interface OtSenderShare {
  readonly messages: Uint32Array;
}

/** Receiver's side of random OTs: (count) random choices and (count, words) the messages chosen. */
export interface OtReceiverShare {
  readonly choices: Uint32Array;
  readonly messages: Uint32Array;
}

/** Keys h of correlated OTs over the ring, (count, factorBits). */
export interface RingCotSenderShare {
  readonly keys: Uint32Array;
}

/** (count) random choices, bit b of word i for bit b of factor i, and (count, factorBits) h_ib + x_ib·c_i mod 2^(ringBits − b). */
export interface RingCotReceiverShare {
  readonly choices: Uint32Array;
  readonly keys: Uint32Array;
}

export type ClientCorrelation = ProductShare | OtSenderShare | RingCotSenderShare;
export type OwnerCorrelation = ProductShare | OtReceiverShare | RingCotReceiverShare;

/** Where a session's correlations come from: the two parties themselves, or (in tests) an ideal dealer. */
export type CorrelationSource = 'two-party' | 'dealer';

/** One party's side of whoever makes correlations. */
export interface Provider<Request, Correlation> {
  readonly source: CorrelationSource;
  /**
   * Provides one stage: everything in `requests` is independent, so that its messages may share flights. Results are in the order of the
   * requests. Called several times per inference, on both sides with the same specs.
   */
  provide(requests: readonly Request[], progress: ProgressListener): Promise<Correlation[]>;
  /** Overwrites keys and gives memory back; nothing can be provided any more. */
  destroy(): void;
}

export type ClientProvider = Provider<ClientRequest, ClientCorrelation>;

/** The client's side of a whole offline phase: it also draws operands that may be any, uniform and with fractions. */
export interface DrawingProvider extends ClientProvider {
  /** The x of drawn specs, in the order in which they will be asked for, once each; zeros where it is not drawn. Nothing is sent. */
  draw(specs: readonly LinearSpec[]): Promise<CircleNumbers[]>;
}

export type OwnerProvider = Provider<OwnerRequest, OwnerCorrelation>;

/** Called as a correlation is finished: whose it is, and the share of the stage's work that it stood for (0…1). */
export type ProgressListener = (key: CorrelationKey, fraction: number) => void;

/** Checks an operand. @throws TypeError, RangeError naming the correlation, the operand, what was expected and what was there. */
export function requireWords(spec: CorrelationSpec, name: string, words: unknown, length: number): void {
  if (!(words instanceof Uint32Array))
    throw new TypeError(`${keyText(spec.key)}: ${name}: expected a Uint32Array, got ${typeof words}`);
  if (words.length !== length)
    throw new RangeError(`${keyText(spec.key)}: ${name}: expected ${length} words, got ${words.length}`);
}
