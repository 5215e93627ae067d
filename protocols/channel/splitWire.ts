/**
 * One wire for several streams of messages, so that two protocols can run side by side without waiting for each other's messages.
 *
 * On the wire: every chunk is preceded by a word, "BGS" and the stream's number; each stream has its own messages, numbers and checksums
 * (framed.ts), so each one's transcript is deterministic, however the two interleave. The streams end together.
 */
import type { Wire } from './channel.ts';
import { ProtocolError } from './errors.ts';
import { QueueingWire } from './queueingWire.ts';

const tagBytes = 4;
const tagBase = 0x53474200; // "\0BGS" in little endian, the lowest byte for the stream

/** For a FramedChannel over a stream: with the tag, chunks fill a data channel's message. Both sides need the same. */
export const streamOptions = Object.freeze({ chunkBytes: 65_536 - tagBytes, taggingBytes: tagBytes });

class Stream extends QueueingWire {
  readonly maxChunkBytes: number;

  constructor(
    private readonly wire: Wire,
    private readonly tag: number,
    private readonly closeAll: () => void,
  ) {
    super();
    this.maxChunkBytes = wire.maxChunkBytes - tagBytes;
  }

  async send(chunk: Uint8Array): Promise<void> {
    if (this.isClosed) throw new ProtocolError('closed', 'stream', 'the wire is closed');
    if (chunk.length > this.maxChunkBytes)
      throw new RangeError(`chunk: expected at most ${this.maxChunkBytes} bytes, got ${chunk.length}`);
    const tagged = new Uint8Array(tagBytes + chunk.length);
    new DataView(tagged.buffer).setUint32(0, this.tag, true);
    tagged.set(chunk, tagBytes);
    await this.wire.send(tagged);
  }

  close(): void {
    if (!this.isClosed) this.closeAll();
  }

  arrive(chunk: Uint8Array): void {
    this.deliver(chunk);
  }

  finish(reason?: Error): void {
    this.end(reason);
  }
}

/**
 * @param count of streams, 1 to 256; the same on both sides.
 * @returns them, by number. Closing one closes the wire and with it all.
 */
export function splitWire(wire: Wire, count: number): Wire[] {
  const finish = (reason?: Error) => {
    for (const stream of streams) stream.finish(reason);
  };
  const closeAll = () => {
    finish();
    wire.close();
  };
  const streams = Array.from({ length: count }, (_, i) => new Stream(wire, tagBase + i, closeAll));
  let isFirst = true;
  wire.onClose = finish;
  wire.onChunk = (chunk) => {
    const tag = chunk.length > tagBytes ? new DataView(chunk.buffer, chunk.byteOffset).getUint32(0, true) : 0;
    const stream = streams[tag - tagBase];
    if (!stream) {
      finish(
        isFirst
          ? new ProtocolError('version', 'stream', 'the other side does not speak this version; reload both tabs')
          : new ProtocolError('length', 'stream', 'a chunk belongs to no stream'),
      );
      wire.close();
      return;
    }
    isFirst = false;
    stream.arrive(chunk.subarray(tagBytes));
  };
  return streams;
}
