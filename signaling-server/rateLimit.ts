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

  #refill(): void {
    const now = this.nowMs();
    this.#tokens = Math.min(this.burst, this.#tokens + ((now - this.#updatedMs) / 1000) * this.perSecond);
    this.#updatedMs = now;
  }
}

/** One bucket for each key (an address); full buckets are forgotten, so that memory stays bounded. */
export class KeyedRateLimit {
  readonly #buckets = new Map<string, RateLimit>();

  constructor(
    private readonly burst: number,
    private readonly perSecond: number,
    private readonly nowMs?: () => number,
  ) {}

  take(key: string): boolean {
    if (this.#buckets.size > 1000) for (const [k, bucket] of this.#buckets) if (bucket.full) this.#buckets.delete(k);
    let bucket = this.#buckets.get(key);
    if (!bucket) this.#buckets.set(key, (bucket = new RateLimit(this.burst, this.perSecond, this.nowMs)));
    return bucket.take();
  }
}
