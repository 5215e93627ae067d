/** Puts a peer's chunks together into messages and checks them; nothing of a message is handed out before it is whole. */
import { checksum } from './checksum.ts';
import { ProtocolError } from './errors.ts';
import { decodeHeader, type Header, headerBytes, headerChecksum } from './frame.ts';

export interface ReceiveLimits {
  readonly chunkBytes: number;
  readonly maxMessageBytes: number;
  /** Payloads, and `messageOverheadBytes` for each message that waits. May be changed at any time. */
  maxUnreadBytes: number;
}

/** What a waiting message holds beside its payload, roughly: without it, very many tiny ones would hardly count. */
const messageOverheadBytes = 256;

export class ReceiveBuffer {
  /** Bytes that arrived in whole messages and were not taken. */
  unreadBytes = 0;
  private nextNumber = 0;
  private arriving: { header: Header; pieces: Uint8Array[]; bytes: number; hash: number } | undefined;
  private readonly messages: { pieces: Uint8Array[]; bytes: number }[] = [];
  /** What is being read, a message and those that continue it; and how far its first piece is. */
  private open: { pieces: Uint8Array[]; offset: number; bytes: number } | undefined;
  /** Whether the message opened last is a full one: then the flight may go on in the next. */
  isContinued = false;

  constructor(private readonly limits: ReceiveLimits) {}

  /** Whether a message is incomplete. */
  get isArriving(): boolean {
    return this.arriving !== undefined;
  }

  /** Bytes left in the message that is being read; 0 when none is. */
  get openBytes(): number {
    return this.open?.bytes ?? 0;
  }

  /**
   * Takes the next chunk. The size of every chunk follows from its message's header, so that one that is cut short or
   * lost is noticed when it arrives, not by waiting for ever for the rest.
   * @throws ProtocolError `length` or `checksum`.
   */
  accept(chunk: Uint8Array): void {
    const isFirst = this.arriving === undefined;
    const arriving = (this.arriving ??= this.begin(chunk));
    const begin = isFirst ? headerBytes : 0;
    const expected = Math.min(this.limits.chunkBytes, begin + arriving.header.length - arriving.bytes);
    if (chunk.length !== expected) {
      throw new ProtocolError('length', 'channel', `expected a chunk of ${expected} bytes, got ${chunk.length}`);
    }
    const piece = chunk.subarray(begin);
    arriving.hash = checksum(arriving.hash, piece);
    arriving.pieces.push(piece);
    arriving.bytes += piece.length;
    if (arriving.bytes < arriving.header.length) return;
    if (arriving.hash !== arriving.header.checksum) {
      throw new ProtocolError('checksum', 'channel', 'a message was altered on the way');
    }
    this.messages.push(arriving);
    this.unreadBytes += arriving.bytes;
    this.arriving = undefined;
  }

  /**
   * Opens the next whole message, behind what is left of the one that it continues.
   * @returns its length; undefined when there is none.
   */
  openNext(): number | undefined {
    const message = this.messages.shift();
    if (!message) return undefined;
    this.isContinued = message.bytes === this.limits.maxMessageBytes;
    if (this.open) {
      this.open.pieces.push(...message.pieces);
      this.open.bytes += message.bytes;
    } else this.open = { ...message, offset: 0 };
    return message.bytes;
  }

  /** Takes `length` bytes, at most `openBytes`, from the open message. */
  take(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    const open = this.open!;
    for (let at = 0; at < length; ) {
      const piece = open.pieces[0];
      const taken = Math.min(length - at, piece.length - open.offset);
      bytes.set(piece.subarray(open.offset, open.offset + taken), at);
      at += taken;
      open.offset += taken;
      if (open.offset === piece.length) {
        open.pieces.shift();
        open.offset = 0;
      }
    }
    open.bytes -= length;
    this.unreadBytes -= length;
    if (open.bytes === 0) this.open = undefined;
    return bytes;
  }

  /** Lets everything go. */
  clear(): void {
    this.arriving = undefined;
    this.open = undefined;
    this.messages.length = 0;
    this.unreadBytes = 0;
  }

  private begin(chunk: Uint8Array) {
    const { maxMessageBytes, maxUnreadBytes } = this.limits;
    const header = decodeHeader(chunk);
    if (header.length === 0 || header.length > maxMessageBytes) {
      throw new ProtocolError(
        'length',
        'channel',
        `expected a message of 1 to ${maxMessageBytes} bytes, got ${header.length}`,
      );
    }
    if (this.unreadBytes + this.messages.length * messageOverheadBytes + header.length > maxUnreadBytes) {
      throw new ProtocolError('length', 'channel', `the peer is more than ${maxUnreadBytes} bytes ahead`);
    }
    if (header.number !== this.nextNumber) {
      throw new ProtocolError('checksum', 'channel', `expected message ${this.nextNumber}, got ${header.number}`);
    }
    this.nextNumber = (this.nextNumber + 1) >>> 0;
    // Pieces are kept as they come; a header alone makes nobody allocate.
    return { header, pieces: [], bytes: 0, hash: headerChecksum(header.length, header.number) };
  }
}
