/**
 * The byte channel between the two parties, as the protocols see it.
 *
 * A *message* is everything sent between two waits: `send` only buffers, and `receive` (or `flush`) puts the buffer on
 * the wire as one message. What can travel together does, and a flight is counted when the direction changes.
 */
export interface Channel {
  /** Where the channel can tell: how long the peer may be silent while something is waited for (framed.ts). */
  idleMs?: number;
  /** Where the channel can tell: how many bytes the peer may be ahead of what was received here (framed.ts). */
  aheadBytes?: number;
  /** Buffers `bytes`; they travel with the next `flush` or `receive`. The caller must not change them afterwards. */
  send(bytes: Uint8Array): void;

  /**
   * Flushes, then resolves with the next `length` bytes from the peer.
   * @throws ProtocolError `length` when the peer's message ends before `length` bytes, `checksum` when it was altered,
   *   `peer-aborted` when the peer gave up (its code and message are passed on), `closed` when the connection is gone.
   */
  receive(length: number): Promise<Uint8Array>;

  /** Puts what is buffered on the wire; resolves when the wire has room for more (back-pressure). */
  flush(): Promise<void>;

  /** Ends the session; with `reason`, tells the peer why (code and message only; neither may contain a secret). */
  close(reason?: Error): Promise<void>;

  /** Payload and framing bytes so far, as this side counts them. */
  readonly counters: Readonly<ChannelCounters>;
}

export interface ChannelCounters {
  bytesSent: number;
  bytesReceived: number;
  framingBytesSent: number;
  framingBytesReceived: number;
  messagesSent: number;
  messagesReceived: number;
}

/**
 * What carries chunks: a data channel, a message port, a pair in memory. Ordered and reliable; chunks of at most
 * `maxChunkBytes` arrive whole, as they were sent.
 */
export interface Wire {
  readonly maxChunkBytes: number;
  /** Resolves when the wire has room for another chunk. */
  send(chunk: Uint8Array): Promise<void>;
  /** Set by the reader; chunks that arrive before are kept by the wire. */
  onChunk: ((chunk: Uint8Array) => void) | undefined;
  onClose: ((reason?: Error) => void) | undefined;
  close(): void;
}
