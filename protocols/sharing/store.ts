/** Correlations by id, each taken once: a correlation used twice would reveal the difference of what it masked. */
export class CorrelationStore<T> {
  readonly #held = new Map<string, T>();
  readonly #taken = new Set<string>();

  /** @throws RangeError when `id` was put before. */
  put(id: string, correlation: T): void {
    if (this.#held.has(id) || this.#taken.has(id)) throw new RangeError(`correlation ${id}: put twice`);
    this.#held.set(id, correlation);
  }

  /** @throws RangeError when `id` was taken before, or was never put. */
  take(id: string): T {
    const correlation = this.#held.get(id);
    if (correlation === undefined) {
      throw new RangeError(`correlation ${id}: ${this.#taken.has(id) ? 'already used' : 'not prepared'}`);
    }
    this.#held.delete(id);
    this.#taken.add(id);
    return correlation;
  }

  get size(): number {
    return this.#held.size;
  }
}
