/** Hands out memory that a scope takes back; see `Arena.scope`. */
export interface ArenaScope {
  /** Like `Arena.allocate`. */
  allocate(bytes: number): number;
  /** Takes over what was allocated elsewhere in this arena. @returns the same address. */
  adopt<A extends number>(address: A): A;
}

/**
 * Hands out pieces of one WASM memory, first fit, and takes them back. Some pieces live long (packed weights), most for
 * one call (operands and results), so a bump pointer alone would not do.
 */
export class Arena {
  readonly memory: WebAssembly.Memory;
  /** Free pieces in address order, never adjacent. */
  private free: { start: number; end: number }[] = [];
  private readonly used = new Map<number, number>();
  private end: number;

  /** @param reservedBytes addresses below this belong to the module itself (its static data). */
  constructor(reservedBytes = 4096) {
    this.memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
    this.end = align(reservedBytes);
  }

  /** Bytes handed out and not yet taken back. */
  get usedBytes(): number {
    let sum = 0;
    for (const bytes of this.used.values()) sum += bytes;
    return sum;
  }

  /**
   * The address of `bytes` bytes, 64-byte aligned, with undefined content. Views made before may be detached.
   * @throws RangeError when the memory cannot grow (4 GiB at most).
   */
  allocate(bytes: number): number {
    const size = Math.max(align(bytes), 64);
    for (let i = 0; i < this.free.length; i++) {
      const piece = this.free[i];
      if (piece.end - piece.start < size) continue;
      const { start } = piece;
      piece.start += size;
      if (piece.start === piece.end) this.free.splice(i, 1);
      this.used.set(start, size);
      return start;
    }
    const last = this.free.at(-1);
    const start = last?.end === this.end ? last.start : this.end;
    const missing = start + size - this.memory.buffer.byteLength;
    if (start + size > 2 ** 32)
      throw new RangeError(`kernel memory: expected at most 4 GiB, got ${start + size} bytes`);
    // Throws RangeError by itself when the engine refuses.
    if (missing > 0) this.memory.grow(Math.ceil(missing / 65536));
    if (start !== this.end) this.free.pop();
    this.end = start + size;
    this.used.set(start, size);
    return start;
  }

  /** @throws RangeError for an address that is not in use (a double release). */
  release(start: number): void {
    const size = this.used.get(start);
    if (size === undefined) throw new RangeError(`release: expected an address in use, got ${start}`);
    this.used.delete(start);
    let at = this.free.findIndex((piece) => piece.start > start);
    if (at < 0) at = this.free.length;
    const before = this.free[at - 1];
    const after = this.free[at];
    const touchesAfter = after?.start === start + size;
    if (before?.end === start) {
      before.end = touchesAfter ? after.end : start + size;
      if (touchesAfter) this.free.splice(at, 1);
    } else if (touchesAfter) {
      after.start = start;
    } else {
      this.free.splice(at, 0, { start, end: start + size });
    }
  }

  /**
   * Runs `work` and releases what its scope handed out, also when it throws. `work` does not wait: a promise's memory
   * would be gone. What lies there is not overwritten: whoever puts a secret there clears it.
   * @returns what `work` returns.
   */
  scope<T>(work: (scope: ArenaScope) => T extends PromiseLike<unknown> ? never : T): T {
    const addresses: number[] = [];
    const adopt = <A extends number>(address: A): A => {
      addresses.push(address);
      return address;
    };
    try {
      return work({ allocate: (bytes) => adopt(this.allocate(bytes)), adopt });
    } finally {
      for (const address of addresses) this.release(address);
    }
  }

  /** Overwrites the whole memory with zeros. */
  clear(): void {
    new Uint8Array(this.memory.buffer).fill(0);
  }

  /** A view of `length` words; valid until the next `allocate`. */
  words(start: number, length: number): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.memory.buffer as ArrayBuffer, start, length);
  }
}

function align(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}
