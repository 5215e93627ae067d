/** Correlations by key, each taken once. A correlation used twice would reveal the difference of what it masked. */

/** Which operation of a plan a correlation is for; no two of a plan have the same `op` and `part`. */
export interface CorrelationKey {
  /** The operation's position in the plan. */
  readonly op: number;
  /** Which of the operation's correlations, where it has several. */
  readonly part: string;
  /** The step of the meters that the operation belongs to. */
  readonly step: string;
}

/** A correlation in words, for errors. */
export const keyText = ({ step, part }: CorrelationKey): string => `${step} (${part})`;

/** What a party holds and has not used yet. */
export class CorrelationStore<T> {
  /** By operation, then by part; `used` once taken. */
  readonly #entries = new Map<number, Map<string, T | typeof used>>();
  #size = 0;

  /** @throws RangeError when something was put under that key before. */
  put(key: CorrelationKey, correlation: T): void {
    let parts = this.#entries.get(key.op);
    if (!parts) this.#entries.set(key.op, (parts = new Map()));
    if (parts.has(key.part)) throw new RangeError(`correlation ${keyText(key)}: put twice`);
    parts.set(key.part, correlation);
    this.#size++;
  }

  /** @throws RangeError when it was taken before, or was never put. */
  take(key: CorrelationKey): T {
    const parts = this.#entries.get(key.op);
    const correlation = parts?.get(key.part);
    if (correlation === undefined) throw new RangeError(`correlation ${keyText(key)}: not prepared`);
    if (correlation === used) throw new RangeError(`correlation ${keyText(key)}: already used`);
    parts!.set(key.part, used);
    this.#size--;
    return correlation;
  }

  /** Correlations not taken yet. */
  get size(): number {
    return this.#size;
  }
}

const used = Symbol('used');
