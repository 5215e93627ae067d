/** A token bucket: `burst` requests at once, refilled at `perSecond`. */
export class RateLimit {
  #tokens: number;
  #updatedMs: number;

  constructor(
    private readonly burst: number,
    private readonly perSecond: number,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.#tokens = burst;
    this.#updatedMs = nowMs();
  }

  /** Takes a token; false when there is none. */
  take(): boolean {
    this.#refill();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  get full(): boolean {
    this.#refill();
    return this.#tokens >= this.burst;
  }

  /** Until there are so many tokens. */
  msUntil(tokens: number): number {
    this.#refill();
    return Math.max(0, ((tokens - this.#tokens) / this.perSecond) * 1000);
  }

  #refill(): void {
    const now = this.nowMs();
    this.#tokens = Math.min(this.burst, this.#tokens + ((now - this.#updatedMs) / 1000) * this.perSecond);
    this.#updatedMs = now;
  }
}

/**
 * One bucket for each key (an address). Keys that were not used for as long as a bucket takes to fill are forgotten, the
 * oldest first, a few at each use: memory stays bounded, and no use looks at all of them.
 */
export class KeyedRateLimit {
  /** By the time of their last use. */
  readonly #buckets = new Map<string, RateLimit>();

  constructor(
    private readonly burst: number,
    private readonly perSecond: number,
    private readonly nowMs?: () => number,
  ) {}

  get size(): number {
    return this.#buckets.size;
  }

  take(key: string): boolean {
    const bucket = this.#buckets.get(key) ?? new RateLimit(this.burst, this.perSecond, this.nowMs);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    const taken = bucket.take();
    const oldest = this.#buckets.entries();
    for (let i = 0; i < 2; i++) {
      const { value } = oldest.next();
      if (value?.[1].full) this.#buckets.delete(value[0]);
    }
    return taken;
  }
}
