import { headerBytes } from '../../../protocols/channel/frame.ts';
import type { Wire } from '../../../protocols/index.ts';

/** Of what passes, as many of the latest bytes as a small picture shows, this often. */
export const passingBytes = 64 * 64;
const passingPauseMs = 250;

/**
 * Looks at what really crosses the wire: the payload of the first message after `arm`, which online is the masked image;
 * and, now and then, the latest bytes of all that passes.
 * Both sides tap the same bytes, the client as it sends them, the owner as they arrive.
 */
export class WireTap implements Wire {
  readonly #inner: Wire;
  readonly #direction: 'sent' | 'received';
  readonly #onBytes: (bytes: Uint8Array) => void;
  readonly #onPassing: (bytes: Uint8Array) => void;
  #passing = new Uint8Array(passingBytes);
  #shownMs = 0;
  #wanted = 0;
  #taken: Uint8Array[] = [];
  #takenBytes = 0;

  constructor(
    inner: Wire,
    direction: 'sent' | 'received',
    onBytes: (bytes: Uint8Array) => void,
    onPassing: (bytes: Uint8Array) => void = () => {},
  ) {
    this.#onPassing = onPassing;
    this.#inner = inner;
    this.#direction = direction;
    this.#onBytes = onBytes;
  }

  /** Reports the next `payloadBytes`. */
  arm(payloadBytes: number): void {
    this.#wanted = headerBytes + payloadBytes;
    this.#taken = [];
    this.#takenBytes = 0;
  }

  get maxChunkBytes(): number {
    return this.#inner.maxChunkBytes;
  }

  send(chunk: Uint8Array): Promise<void> {
    if (this.#direction === 'sent') this.#take(chunk);
    return this.#inner.send(chunk);
  }

  get onChunk() {
    return this.#inner.onChunk;
  }

  set onChunk(reader) {
    this.#inner.onChunk =
      reader &&
      ((chunk) => {
        if (this.#direction === 'received') this.#take(chunk);
        reader(chunk);
      });
  }

  get onClose() {
    return this.#inner.onClose;
  }

  set onClose(reader) {
    this.#inner.onClose = reader;
  }

  close(): void {
    this.#inner.close();
  }

  #pass(chunk: Uint8Array): void {
    const latest = chunk.subarray(Math.max(0, chunk.length - passingBytes));
    this.#passing.copyWithin(0, latest.length);
    this.#passing.set(latest, passingBytes - latest.length);
    const now = performance.now();
    if (now - this.#shownMs < passingPauseMs) return;
    this.#shownMs = now;
    this.#onPassing(this.#passing.slice());
  }

  #take(chunk: Uint8Array): void {
    this.#pass(chunk);
    if (this.#wanted === 0) return;
    this.#taken.push(chunk.slice());
    this.#takenBytes += chunk.length;
    if (this.#takenBytes < this.#wanted) return;
    const bytes = new Uint8Array(this.#takenBytes);
    let offset = 0;
    for (const piece of this.#taken) {
      bytes.set(piece, offset);
      offset += piece.length;
    }
    this.#onBytes(bytes.slice(headerBytes, this.#wanted));
    this.#wanted = 0;
    this.#taken = [];
  }
}
