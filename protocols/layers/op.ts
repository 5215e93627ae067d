/**
 * The plan's vocabulary: values (shared tensors) and the operations on them. Each operation's protocol is one file beside this
 * one; a protocol knows the same operation in five forms: its cost, its preparation on both sides, its online rounds on
 * both sides, and the reference on plain integers.
 */
import type {
  ClientCorrelation,
  ClientRequest,
  CorrelationKey,
  CorrelationSpec,
  LinearSpec,
  OtReceiverShare,
  OtSenderShare,
  OwnerCorrelation,
  OwnerRequest,
  ProductShare,
  RingCotReceiverShare,
  RingCotSenderShare,
} from '../offline/correlations.ts';
import type { Prg } from '../sharing/prg.ts';
import { CorrelationStore } from '../sharing/store.ts';
import type { Rounds } from './rounds.ts';

/** A shared tensor (rows, cols), row-major: the integer v stands for v·2^-fracBits, shared modulo 2^ringBits. */
export class Value {
  /** Found by the plan from what consumes the value; 0 until then. */
  ringBits = 0;
  constructor(
    readonly id: number,
    readonly rows: number,
    readonly cols: number,
    readonly fracBits: number,
    /** Whether the client knows its share before the input exists. */
    readonly preset: boolean,
    /** Number of offline stages that must have ended before the client knows its share. */
    readonly stage: number,
  ) {}
  get size(): number {
    return this.rows * this.cols;
  }
  /** Notes that a consumer works modulo 2^bits. */
  need(bits: number): void {
    if (bits > 32)
      throw new RangeError(`value ${this.id} (${this.fracBits} fraction bits): needs a ring of ${bits} bits, limit 32`);
    this.ringBits = Math.max(this.ringBits, bits);
  }
}

export interface Op {
  readonly kind: string;
  /** Name of the step on the meters, such as `blocks.0.attn.scores`. */
  readonly step: string;
  /** Position in the plan; names the operation's correlations. */
  readonly index: number;
  readonly inputs: readonly Value[];
  readonly output?: Value;
  /**
   * Of how many of its input's columns, the first ones, the client's share is drawn by who makes the operation's correlation. Chosen once all
   * rings are known (inference/draws.ts).
   */
  drawnColumns?: number;
}

/** An operation that a plan may end with. */
export interface EndingOp extends Op {
  readonly inputs: readonly [Value];
}

/** Online bytes of an operation: the owner's message, then the client's answer. */
export interface OnlineCost {
  readonly ownerToClient: number;
  readonly clientToOwner: number;
  /** Where an operation takes several rounds: each round's part of the above, in order. */
  readonly rounds?: readonly { readonly ownerToClient: number; readonly clientToOwner: number }[];
}

/** What one party holds for one inference. */
export abstract class PartyState<C> {
  readonly correlations = new CorrelationStore<C>();
  readonly #shares: (Uint32Array | undefined)[] = [];
  constructor(readonly random: Prg) {}

  share(value: Value): Uint32Array {
    const share = this.#shares[value.id];
    if (!share) throw new RangeError(`value ${value.id}: not computed yet`);
    return share;
  }
  has(value: Value): boolean {
    return this.#shares[value.id] !== undefined;
  }
  set(value: Value, share: Uint32Array): void {
    if (share.length !== value.size)
      throw new RangeError(`value ${value.id}: expected ${value.size} elements, got ${share.length}`);
    this.#shares[value.id] = share;
  }
  /** The party's share of a product's cross terms. */
  product(op: Op): Uint32Array {
    return (this.correlations.take(correlationKey(op)) as ProductShare).share;
  }
}

/**
 * Where an operation's protocol keeps something of one inference from its preparation to its online rounds, or for who asked for the
 * inference. An operation's file has one for each such thing.
 */
export class Slot<T> {
  readonly #held = new WeakMap<object, Map<number, T>>();
  /** @param what it holds, for errors. */
  constructor(readonly what: string) {}

  put(state: PartyState<unknown>, op: Op, value: T): void {
    const held = this.#held.get(state) ?? new Map<number, T>();
    this.#held.set(state, held.set(op.index, value));
  }
  /** @throws RangeError when there is nothing yet. */
  get(state: PartyState<unknown>, op: Op): T {
    const value = this.#held.get(state)?.get(op.index);
    if (value === undefined) throw new RangeError(`operation ${op.index} (${op.step}): ${this.what} not prepared`);
    return value;
  }
}

export class ClientState extends PartyState<ClientCorrelation> {
  /** e = x_o − ρ of the values that the owner opened, by value. */
  readonly openings = new Map<number, Uint32Array>();
  /** What its share of a drawn value is above `share`, in units of 2^-32, by value. */
  readonly fractions = new Map<number, Uint32Array>();
  opening(value: Value): Uint32Array {
    const opening = this.openings.get(value.id);
    if (!opening) throw new RangeError(`value ${value.id}: not opened`);
    return opening;
  }
  ot(op: Op, part = 'ot'): OtSenderShare {
    return this.correlations.take(correlationKey(op, part)) as OtSenderShare;
  }
  ringCot(op: Op, part = 'bits'): RingCotSenderShare {
    return this.correlations.take(correlationKey(op, part)) as RingCotSenderShare;
  }
}

export class OwnerState extends PartyState<OwnerCorrelation> {
  /** ρ of the values to be opened, by value. */
  readonly masks = new Map<number, Uint32Array>();
  constructor(
    random: Prg,
    readonly weights: OwnerWeights,
  ) {
    super(random);
  }
  /** ρ of a value, drawn when first asked for. */
  mask(value: Value): Uint32Array {
    let mask = this.masks.get(value.id);
    if (!mask) {
      mask = this.random.words(value.size);
      this.masks.set(value.id, mask);
    }
    return mask;
  }
  ot(op: Op, part = 'ot'): OtReceiverShare {
    return this.correlations.take(correlationKey(op, part)) as OtReceiverShare;
  }
  ringCot(op: Op, part = 'bits'): RingCotReceiverShare {
    return this.correlations.take(correlationKey(op, part)) as RingCotReceiverShare;
  }
}

/** The owner's integer tensors: weights (outputs, inputs) and biases as words modulo 2^32. */
export interface OwnerWeights {
  /** @throws RangeError when the model has no tensor of that name. */
  tensor(name: string): Uint32Array;
}

/** Plain integers in place of shares: the reference's state. */
export class ReferenceState {
  readonly #values: (Int32Array | undefined)[] = [];
  /** Values outside the range that the plan's rings allow for: where a secure run would go wrong. */
  readonly violations: RangeViolation[] = [];
  constructor(readonly weights: OwnerWeights) {}
  value(value: Value): Int32Array {
    const integers = this.#values[value.id];
    if (!integers) throw new RangeError(`value ${value.id}: not computed yet`);
    return integers;
  }
  set(value: Value, integers: Int32Array): void {
    if (integers.length !== value.size)
      throw new RangeError(`value ${value.id}: expected ${value.size} elements, got ${integers.length}`);
    this.#values[value.id] = integers;
  }
  /** Notes the largest magnitude outside [low, high). */
  check(op: Op, integers: Int32Array, low: number, high: number): void {
    let worst = 0;
    for (let i = 0; i < integers.length; i++) {
      const x = integers[i];
      if ((x < low || x >= high) && Math.abs(x) > Math.abs(worst)) worst = x;
    }
    if (worst !== 0) this.violations.push({ step: op.step, kind: op.kind, value: worst, low, high });
  }
}

export interface RangeViolation {
  readonly step: string;
  readonly kind: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** One of the owner's tensors that an operation reads. */
export interface TensorNeed {
  readonly name: string;
  readonly shape: readonly number[];
  /** Every entry is smaller in magnitude. */
  readonly limit?: number;
}

/**
 * An operation's protocol; both roles beside each other. `layerProtocol` fills in what an operation does not need: then it is one that
 * sends nothing, consumes no correlation, and whose client's share is known online only.
 */
export interface LayerProtocol<O extends Op> {
  /** The field's name for it, as the meters show it. */
  readonly title: string;
  /** Whether the meters name it; not what is only a part of another operation. */
  readonly isShown: boolean;
  /**
   * What becomes of the output's ring: `needed` by its consumers, and no more; `free` to be wider, where that makes a consumer cheaper
   * (inference/rings.ts tries); or the ring of the inputs, and so wider when they are.
   */
  readonly outputRing: 'needed' | 'free' | 'ofInputs';
  /** Notes on the inputs how many bits this operation needs, given the output's ring. */
  need(op: O): void;
  /** @throws RangeError when the operation's parameters do not fit its rings. */
  cost(op: O): OnlineCost;
  /** How many offline stages must end before the operation's correlations can be made. */
  stage(op: O): number;
  correlations(op: O): readonly CorrelationSpec[];
  /** The owner's tensors that it reads. */
  tensors(op: O): readonly TensorNeed[];
  /** Computes the client's preset share of the output, where there is one and its inputs' are known. */
  presetClient(op: O, client: ClientState): void;
  clientRequests(op: O, client: ClientState): readonly ClientRequest[];
  ownerRequests(op: O, owner: OwnerState): readonly OwnerRequest[];
  /** Whether the client's preset share of the output may be any number. */
  isFresh(op: O): boolean;
  /** Which element of the inputs, one after another, each element of the output is, where the operation does no more than that. */
  moved(op: O): Uint32Array | undefined;
  /** The operation's correlation, were the share of its only input's first columns drawn, which is possible where it is fresh, and read nowhere else. */
  drawn(op: O, columns: number): LinearSpec | undefined;
  /** What becomes of the client's part of a correlation: it goes into the store, if nothing else is said. */
  arrived(op: O, client: ClientState, key: CorrelationKey, correlation: ClientCorrelation): void;
  client(op: O, client: ClientState): Rounds<void>;
  owner(op: O, owner: OwnerState): Rounds<void>;
  reference(op: O, reference: ReferenceState): void;
  /** Of an operation that ends a plan. */
  readonly ending?: Ending<O>;
}

/** What the client gets from a plan that ends with this operation. */
export interface Ending<O extends Op> {
  /** The signed integers that the client learned. */
  learned(op: O, client: ClientState): Int32Array;
  /** How many bits that is at most, however a client deviates. */
  bits(op: O): number;
}

export const noCost: OnlineCost = { ownerToClient: 0, clientToOwner: 0 };

const defaults = {
  isShown: true,
  outputRing: 'needed',
  need: () => {},
  cost: () => noCost,
  stage: () => 0,
  correlations: () => [],
  tensors: () => [],
  presetClient: () => {},
  clientRequests: () => [],
  ownerRequests: () => [],
  isFresh: () => false,
  moved: () => undefined,
  drawn: () => undefined,
  arrived: (_op, client, key, correlation) => client.correlations.put(key, correlation),
} satisfies Partial<LayerProtocol<Op>>;

/** A protocol from what is its own. @throws RangeError when its title could not stand in a step's list of titles. */
export function layerProtocol<O extends Op>(
  own: Partial<LayerProtocol<O>> & Pick<LayerProtocol<O>, 'title' | 'client' | 'owner' | 'reference'>,
): LayerProtocol<O> {
  if (/[,;]/.test(own.title))
    throw new RangeError(`title: expected one without a comma or semicolon, got ${own.title}`);
  return { ...defaults, ...own };
}

/** The stage of correlations that are made from the client's shares of the inputs. */
export const stageOfInputs = (op: Op): number => Math.max(...op.inputs.map((input) => input.stage));

/** A side of a protocol that waits for nothing; deferred until its turn, as the others are. */
// biome-ignore lint/correctness/useYield: no round is needed, the form is shared with the other protocols.
export function* locally(compute: () => void): Rounds<void> {
  compute();
}

/** @param part which of the operation's correlations, where it has several. */
export const correlationKey = ({ index, step }: Op, part = 'product'): CorrelationKey => ({ op: index, part, step });
