/**
 * How messages look on a wire.
 *
 * message = header, payload; cut into chunks of `chunkBytes` (both sides use the same), only the last of which is shorter.
 * header = u32 payload length, u32 number of the message in its direction, u32 checksum over both and the payload; all
 * little endian. A flight longer than the longest message is cut: every message of full length may be continued by the next.
 *
 * An abort is one chunk with bit 31 of the length set, numbered 2^32 − 1, whose payload is a code, a line feed and a
 * text; it may come between the chunks of another message, so that giving up need not wait.
 */
import { checksum, checksumStart, checksumWord } from './checksum.ts';
import { isProtocolErrorCode, ProtocolError } from './errors.ts';

export const headerBytes = 12;
/** A peer's text is shown to a person, so it has limits. */
export const maxAbortCharacters = 500;

const abortFlag = 0x80000000;
const abortNumber = 0xffffffff;

export interface Header {
  /** Of the payload, in bytes. */
  readonly length: number;
  readonly number: number;
  readonly checksum: number;
}

/** The checksum before any payload. */
export function headerChecksum(lengthWord: number, number: number): number {
  return checksumWord(checksumWord(checksumStart, lengthWord), number);
}

/**
 * The chunks of a message whose payload is `parts`, joined. Each chunk has a buffer of its own, so a wire can transfer it.
 * @param length the parts' lengths, summed; at least 1.
 */
export function encodeMessage(
  parts: readonly Uint8Array[],
  length: number,
  number: number,
  chunkBytes: number,
): Uint8Array[] {
  return encode(parts, length, length, number, chunkBytes);
}

/** A flight's parts as messages of at most `maxMessageBytes`, all but the last of exactly that. The parts are viewed, not copied. */
export function cutFlight(parts: readonly Uint8Array[], maxMessageBytes: number): Uint8Array[][] {
  const messages: Uint8Array[][] = [];
  let room = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; ) {
      if (room === 0) {
        messages.push([]);
        room = maxMessageBytes;
      }
      const taken = Math.min(room, part.length - at);
      messages.at(-1)!.push(part.subarray(at, at + taken));
      at += taken;
      room -= taken;
    }
  }
  return messages;
}

/** @throws ProtocolError `length` when the chunk is too short for a header. */
export function decodeHeader(chunk: Uint8Array): Header {
  if (chunk.length < headerBytes) {
    throw new ProtocolError('length', 'channel', `expected a header of ${headerBytes} bytes, got ${chunk.length}`);
  }
  const view = new DataView(chunk.buffer, chunk.byteOffset, headerBytes);
  return { length: view.getUint32(0, true), number: view.getUint32(4, true), checksum: view.getUint32(8, true) };
}

/** The chunk that tells the peer why this side gives up; `text` is cut to fit one chunk. */
export function encodeAbort(code: string, text: string, chunkBytes: number): Uint8Array {
  const whole = new TextEncoder().encode(`${code}\n${text}`.slice(0, maxAbortCharacters));
  const payload = whole.subarray(0, chunkBytes - headerBytes);
  return encode([payload], payload.length, (payload.length | abortFlag) >>> 0, abortNumber, chunkBytes)[0];
}

/** The peer's reason for giving up, if that is what the chunk is. */
export function decodeAbort(chunk: Uint8Array): ProtocolError | undefined {
  const length = chunk.length - headerBytes;
  // UTF-8 takes at most 3 bytes for each character of a JavaScript string.
  if (length < 0 || length > 3 * maxAbortCharacters) return undefined;
  const header = decodeHeader(chunk);
  if (header.length !== (length | abortFlag) >>> 0 || header.number !== abortNumber) return undefined;
  const payload = chunk.subarray(headerBytes);
  if (header.checksum !== checksum(headerChecksum(header.length, header.number), payload)) return undefined;
  const [code = '', ...lines] = new TextDecoder().decode(payload).slice(0, maxAbortCharacters).split('\n');
  return new ProtocolError(
    'peer-aborted',
    'channel',
    `the peer ended the session (${printable(code)}): ${printable(lines.join(' '))}`,
    isProtocolErrorCode(code) ? code : undefined,
  );
}

function encode(
  parts: readonly Uint8Array[],
  length: number,
  lengthWord: number,
  number: number,
  chunkBytes: number,
): Uint8Array[] {
  let hash = headerChecksum(lengthWord, number);
  const chunks: Uint8Array[] = [];
  let part = 0;
  let offset = 0;
  let left = headerBytes + length;
  while (left > 0) {
    const chunk = new Uint8Array(Math.min(chunkBytes, left));
    const begin = chunks.length === 0 ? headerBytes : 0;
    for (let at = begin; at < chunk.length; ) {
      const bytes = parts[part];
      const taken = Math.min(chunk.length - at, bytes.length - offset);
      chunk.set(bytes.subarray(offset, offset + taken), at);
      at += taken;
      offset += taken;
      if (offset === bytes.length) {
        part++;
        offset = 0;
      }
    }
    hash = checksum(hash, chunk.subarray(begin));
    chunks.push(chunk);
    left -= chunk.length;
  }
  const header = new DataView(chunks[0].buffer);
  header.setUint32(0, lengthWord, true);
  header.setUint32(4, number, true);
  header.setUint32(8, hash, true);
  return chunks;
}

/** Letters, numbers, punctuation, symbols and spaces; nothing that moves a cursor or changes a text's direction. */
function printable(text: string): string {
  return text.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]/gu, ' ').trim();
}
