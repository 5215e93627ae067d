/** Builds a plan's operations in order. Operations and layers are functions that add theirs. */
import { type Op, Value } from './op.ts';

/** Operations one after another, and branches side by side. */
export type Sequence = readonly (Op | { readonly branches: readonly Sequence[] })[];

/** Every operation in an order in which operands come first. */
export function* operationsOf(sequence: Sequence): Generator<Op> {
  for (const node of sequence) {
    if ('branches' in node) for (const branch of node.branches) yield* operationsOf(branch);
    else yield node;
  }
}

export class PlanBuilder {
  readonly sequence: (Op | { readonly branches: readonly Sequence[] })[] = [];
  #current = this.sequence;
  #values = 0;
  #operations = 0;
  /** Values that are opened once, however many products read them (open.ts). */
  readonly opened = new Set<Value>();
  /** Values that people and tests look at, by name. */
  readonly named = new Map<string, Value>();
  /** The step that the operations added next belong to. */
  step = '';

  /**
   * A new shared tensor.
   * @param stage of a preset value: number of offline stages that must have ended before the client knows its share.
   */
  value(rows: number, cols: number, fracBits: number, stage?: number): Value {
    return new Value(this.#values++, rows, cols, fracBits, stage !== undefined, stage ?? 0);
  }

  /** Adds an operation to the current step. */
  add<O extends Op>(op: Omit<O, 'step' | 'index'>): O {
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
}

/** @throws RangeError where the client knows its share of x online only. */
export function requirePreset(x: Value): void {
  if (!x.preset) throw new RangeError(`value ${x.id}: the client must know its share ahead; truncate first`);
}
