/** Builds a plan's operations in order; layers are functions that add theirs. */
import { type ArgmaxOp, argmax } from './argmax.ts';
import { type ExpOp, exp } from './exp.ts';
import { type InputOp, input } from './input.ts';
import { type LinearOp, linear } from './linear.ts';
import { type LocalOp, local } from './local.ts';
import { type LayerProtocol, Value } from './op.ts';
import { type OpenOp, open } from './open.ts';
import {
  type MatmulOp,
  matmul,
  type ScaleOp,
  type SquareOp,
  type SumOfSquaresOp,
  scale,
  square,
  sumOfSquares,
} from './product.ts';
import { type RelativePositionOp, relativePosition } from './relativePosition.ts';
import { type RevealOp, reveal } from './reveal.ts';
import type { ExpLike, SplineLike } from './specs.ts';
import { type SplineOp, spline } from './spline.ts';
import { type TruncateOp, truncate } from './truncate.ts';

export type AnyOp =
  | InputOp
  | LinearOp
  | TruncateOp
  | OpenOp
  | MatmulOp
  | SquareOp
  | SumOfSquaresOp
  | ScaleOp
  | SplineOp
  | ExpOp
  | LocalOp
  | RelativePositionOp
  | RevealOp
  | ArgmaxOp;

const protocols = {
  input,
  linear,
  truncate,
  open,
  matmul,
  square,
  sumOfSquares,
  scale,
  spline,
  exp,
  local,
  relativePosition,
  reveal,
  argmax,
};

/** The protocol of an operation. */
export function protocolOf(op: AnyOp): LayerProtocol<AnyOp> {
  return protocols[op.kind] as unknown as LayerProtocol<AnyOp>;
}

/** Operations one after another, and branches side by side. */
export type Sequence = readonly (AnyOp | { readonly branches: readonly Sequence[] })[];

/** Every operation in an order in which operands come first. */
export function* operationsOf(sequence: Sequence): Generator<AnyOp> {
  for (const node of sequence) {
    if ('branches' in node) for (const branch of node.branches) yield* operationsOf(branch);
    else yield node;
  }
}

export class PlanBuilder {
  readonly sequence: (AnyOp | { readonly branches: readonly Sequence[] })[] = [];
  #current = this.sequence;
  #values = 0;
  #operations = 0;
  readonly #opened = new Set<Value>();
  /** Values that people and tests look at, by name. */
  readonly named = new Map<string, Value>();
  /** The step that the operations added next belong to. */
  step = '';

  #value(rows: number, cols: number, fracBits: number, preset: boolean, stage: number): Value {
    return new Value(this.#values++, rows, cols, fracBits, preset, stage);
  }
  #add<O extends AnyOp>(op: Omit<O, 'step' | 'index'>): O {
    const whole = { ...op, step: this.step, index: this.#operations++ } as O;
    this.#current.push(whole);
    return whole;
  }

  name(name: string, value: Value): Value {
    this.named.set(name, value);
    return value;
  }

  /** Adds each function's operations as a branch; the branches share their flights. */
  parallel(...branches: (() => void)[]): void {
    const outer = this.#current;
    const step = this.step;
    const sequences = branches.map((branch) => {
      const sequence: typeof outer = [];
      this.#current = sequence;
      this.step = step;
      branch();
      return sequence;
    });
    this.#current = outer;
    this.step = step;
    outer.push({ branches: sequences.filter((sequence) => sequence.length > 0) });
  }

  input(rows: number, cols: number): Value {
    const output = this.#value(rows, cols, 0, true, 0);
    this.#add<InputOp>({ kind: 'input', inputs: [], output });
    return output;
  }

  linear(x: Value, weights: string, outputs: number, weightFracBits: number): Value {
    this.#requirePreset(x);
    const output = this.#value(x.rows, outputs, x.fracBits + weightFracBits, true, x.stage + 1);
    this.#add<LinearOp>({ kind: 'linear', inputs: [x], output, weights: `${weights}.weight`, bias: `${weights}.bias` });
    return output;
  }

  truncate(x: Value, magnitudeBits: number, fracBits: number): Value {
    const output = this.#value(x.rows, x.cols, fracBits, true, x.preset ? x.stage : 0);
    this.#add<TruncateOp>({ kind: 'truncate', inputs: [x], output, dropBits: x.fracBits - fracBits, magnitudeBits });
    return output;
  }

  /** Opens a value, once. */
  #open(x: Value): void {
    this.#requirePreset(x);
    if (this.#opened.has(x)) return;
    this.#opened.add(x);
    this.#add<OpenOp>({ kind: 'open', inputs: [x] });
  }

  matmul(x: Value, y: Value, batch: number): Value {
    this.#open(x);
    this.#open(y);
    const output = this.#value(x.rows, y.cols, x.fracBits + y.fracBits, false, 0);
    this.#add<MatmulOp>({ kind: 'matmul', inputs: [x, y], output, batch });
    return output;
  }

  square(x: Value, fracBits = 2 * x.fracBits): Value {
    this.#open(x);
    const output = this.#value(x.rows, x.cols, fracBits, false, 0);
    this.#add<SquareOp>({ kind: 'square', inputs: [x], output });
    return output;
  }

  /** Mean square of each row; the division by a power of two is in the scale. */
  meanSquare(x: Value): Value {
    this.#open(x);
    const output = this.#value(x.rows, 1, 2 * x.fracBits + Math.log2(x.cols), false, 0);
    this.#add<SumOfSquaresOp>({ kind: 'sumOfSquares', inputs: [x], output });
    return output;
  }

  scale(s: Value, x: Value, fracBits = s.fracBits + x.fracBits): Value {
    this.#open(s);
    this.#open(x);
    const output = this.#value(x.rows, x.cols, fracBits, false, 0);
    this.#add<ScaleOp>({ kind: 'scale', inputs: [s, x], output });
    return output;
  }

  /** f(x) by a spline, truncated to `spec.out`. */
  spline(x: Value, fn: SplineOp['function'], spec: SplineLike, epsilon = 0): Value {
    const { out, ...rest } = spec;
    const output = this.#value(x.rows, x.cols, spec.coefficientFracBits + spec.basisFracBits, false, 0);
    this.#add<SplineOp>({ kind: 'spline', inputs: [x], output, function: fn, epsilon, ...rest });
    return this.truncate(output, out.magnitudeBits, out.fracBits);
  }

  /** exp(x), truncated to `spec.out`. */
  exp(x: Value, spec: ExpLike): Value {
    const { out, ...rest } = spec;
    const output = this.#value(x.rows, x.cols, spec.coefficientFracBits + spec.basisFracBits, false, 0);
    this.#add<ExpOp>({ kind: 'exp', inputs: [x], output, ...rest });
    return this.truncate(output, out.magnitudeBits, out.fracBits);
  }

  /** A public linear map of shares; the result has the fraction bits given (a division by 2^b is b more of them). */
  local(
    inputs: readonly Value[],
    rows: number,
    cols: number,
    map: LocalOp['map'],
    fracBits = inputs[0]!.fracBits,
  ): Value {
    const preset = inputs.every((input) => input.preset);
    const output = this.#value(
      rows,
      cols,
      fracBits,
      preset,
      preset ? Math.max(...inputs.map((input) => input.stage)) : 0,
    );
    this.#add<LocalOp>({ kind: 'local', inputs, output, map });
    return output;
  }

  /**
   * Adds the owner's table of relative positions (relativePosition.ts), at the fraction bits of x.
   * @param x (heads·side², side²).
   */
  addRelativePosition(x: Value, table: string, side: number): Value {
    const output = this.#value(x.rows, x.cols, x.fracBits, x.preset, x.stage);
    this.#add<RelativePositionOp>({ kind: 'relativePosition', inputs: [x], output, table, side });
    return output;
  }

  reveal(x: Value, magnitudeBits: number): RevealOp {
    return this.#add<RevealOp>({ kind: 'reveal', inputs: [x], magnitudeBits });
  }

  /** Reveals only which of a row's values is the largest. */
  argmax(x: Value, magnitudeBits: number): ArgmaxOp {
    return this.#add<ArgmaxOp>({ kind: 'argmax', inputs: [x], magnitudeBits });
  }

  /** Gives every value its ring, from the end backwards: a value needs what the most demanding of its consumers needs. */
  finish(): Sequence {
    const operations = [...operationsOf(this.sequence)];
    for (const op of operations.reverse()) naming(op, () => protocolOf(op).need(op));
    return this.sequence;
  }

  #requirePreset(x: Value): void {
    if (!x.preset) throw new RangeError(`value ${x.id}: the client must know its share ahead; truncate first`);
  }
}

/** Runs `what` of an operation; what it throws names the operation's step. */
export function naming<T>(op: AnyOp, what: () => T): T {
  try {
    return what();
  } catch (error) {
    throw new RangeError(`${op.step}: ${(error as Error).message}`, { cause: error });
  }
}
