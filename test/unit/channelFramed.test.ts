import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Wire } from '../../protocols/channel/channel.ts';
import { ProtocolError } from '../../protocols/channel/errors.ts';
import { decodeAbort, encodeAbort, encodeMessage } from '../../protocols/channel/frame.ts';
import { FramedChannel, type FramedChannelOptions } from '../../protocols/channel/framed.ts';
import { memoryWirePair } from '../../protocols/channel/memory.ts';
import { expectSame } from '../support/expectSame.ts';
import { memoryInUse } from '../support/memory.ts';

const bytes = (length: number, seed = 0) => Uint8Array.from({ length }, (_, i) => Math.imul(i + 1, 167) + seed);

function channelPair(options: FramedChannelOptions = {}) {
  const [a, b] = memoryWirePair();
  return [new FramedChannel(a, options), new FramedChannel(b, options)] as const;
}

/** A channel whose peer is a bare wire, to send it anything. */
function channelAndWire(options: FramedChannelOptions = {}): [FramedChannel, Wire, Uint8Array[]] {
  const [a, b] = memoryWirePair();
  const sentByChannel: Uint8Array[] = [];
  b.onChunk = (chunk) => sentByChannel.push(chunk);
  return [new FramedChannel(a, options), b, sentByChannel];
}

/** What was posted has arrived. */
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

const message = (payload: Uint8Array, number: number, chunkBytes = 65536) =>
  encodeMessage([payload], payload.length, number, chunkBytes);

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ProtocolError);
  return (error as ProtocolError).code;
}

describe('messages', () => {
  it('arrive intact, whatever is sent and received in whatever pieces', async () => {
    // Flights: who sends, and how long the pieces are; the other receives them in pieces of its own.
    const lengths = fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 6 });
    const flights = fc.array(
      fc.record({ fromFirst: fc.boolean(), sent: lengths, cuts: fc.array(fc.nat(), { maxLength: 5 }) }),
      {
        maxLength: 8,
      },
    );
    await fc.assert(
      fc.asyncProperty(flights, fc.constantFrom(16, 20, 64, 65536), async (flights, chunkBytes) => {
        const pair = channelPair({ chunkBytes });
        const run = async (me: 0 | 1) => {
          for (const [index, { fromFirst, sent, cuts }] of flights.entries()) {
            const total = sent.reduce((sum, length) => sum + length, 0);
            const whole = bytes(total, index);
            if (fromFirst === (me === 0)) {
              let at = 0;
              for (const length of sent) {
                pair[me].send(whole.slice(at, at + length));
                at += length;
              }
              await pair[me].flush();
            } else {
              const ends = [...cuts.map((cut) => cut % (total + 1)), total].sort((x, y) => x - y);
              let at = 0;
              for (const end of ends) {
                const part = await pair[me].receive(end - at);
                expectSame(part, whole.subarray(at, end));
                expect(part.byteOffset).toBe(0);
                at = end;
              }
            }
          }
        };
        await Promise.all([run(0), run(1)]);
        const [first, second] = [pair[0].counters, pair[1].counters];
        expect(first.bytesSent).toBe(second.bytesReceived);
        expect(second.bytesSent).toBe(first.bytesReceived);
        expect(first.messagesSent).toBe(second.messagesReceived);
        expect(first.framingBytesSent).toBe(12 * first.messagesSent);
        await Promise.all([pair[0].close(), pair[1].close()]);
      }),
    );
  });

  it('of many chunks arrive intact over 64 KiB chunks', async () => {
    const [a, b] = channelPair();
    const sent = bytes(1_000_003);
    a.send(sent.subarray(0, 7));
    a.send(sent.subarray(7));
    const [received] = await Promise.all([b.receive(sent.length), a.flush()]);
    expectSame(received, sent);
  });

  it('travel when their sender waits, and not before', async () => {
    const [channel, wire, sent] = channelAndWire();
    channel.send(bytes(3));
    channel.send(bytes(4));
    await Promise.resolve();
    expect(sent).toHaveLength(0);
    const answer = channel.receive(2);
    await wire.send(message(bytes(2), 0)[0]);
    await answer;
    expect(sent.map((chunk) => chunk.length)).toEqual([12 + 7]);
  });

  it('are not flushed while part of the message before is unread', async () => {
    const [channel, wire, sent] = channelAndWire();
    await wire.send(message(bytes(4), 0)[0]);
    await channel.receive(2);
    channel.send(bytes(5));
    await channel.receive(2);
    expect(sent).toHaveLength(0);
    await channel.flush();
    expect(sent).toHaveLength(1);
  });

  it('leave nothing behind: a long session holds no more than a short one', async () => {
    const [a, b] = channelPair();
    const exchange = async (times: number) => {
      for (let i = 0; i < times; i++) {
        a.send(bytes(1));
        const answer = a.receive(1);
        await b.receive(1);
        b.send(bytes(1));
        await Promise.all([b.flush(), answer]);
      }
      return (await memoryInUse()).heapMiB;
    };
    const before = await exchange(2000);
    expect((await exchange(10_000)) - before).toBeLessThan(0.5);
  });

  it('sent before a peer closed can still be received', async () => {
    const [a, b] = channelPair();
    a.send(bytes(10));
    await a.close();
    await nextTurn();
    expectSame(await b.receive(4), bytes(10).subarray(0, 4));
    expectSame(await b.receive(6), bytes(10).subarray(4));
    expect(await codeOf(b.receive(1))).toBe('closed');
  });
});

describe('a peer that breaks the protocol', () => {
  const cases: [string, string, (chunks: Uint8Array[]) => Uint8Array[]][] = [
    ['a byte altered', 'checksum', ([first, ...rest]) => [flip(first, 30), ...rest]],
    [
      'the last byte altered',
      'checksum',
      (chunks) => [...chunks.slice(0, -1), flip(chunks.at(-1)!, chunks.at(-1)!.length - 1)],
    ],
    ['the number altered', 'checksum', ([first, ...rest]) => [flip(first, 4), ...rest]],
    ['the checksum altered', 'checksum', ([first, ...rest]) => [flip(first, 8), ...rest]],
    ['the length altered', 'length', ([first, ...rest]) => [flip(first, 0), ...rest]],
    ['the first chunk cut short', 'length', ([first, ...rest]) => [first.slice(0, 50), ...rest]],
    ['the last chunk cut short', 'length', (chunks) => [...chunks.slice(0, -1), chunks.at(-1)!.slice(0, -1)]],
    ['a header cut short', 'length', ([first]) => [first.slice(0, 11)]],
    ['an empty chunk', 'length', () => [new Uint8Array(0)]],
    ['a chunk lost', 'length', (chunks) => [chunks[0], chunks[2]]],
    ['chunks exchanged', 'checksum', (chunks) => [chunks[0], chunks[2], chunks[1], chunks[3]]],
    ['a message repeated', 'checksum', (chunks) => [...chunks, ...chunks]],
  ];

  function flip(chunk: Uint8Array, at: number): Uint8Array {
    const altered = chunk.slice();
    altered[at] ^= 1;
    return altered;
  }

  // 12 + 280 bytes: chunks of 64, 64, 64, 64, 36. With `a chunk lost` only the sizes tell, since three whole ones follow.
  it.each(cases)('%s: %s', async (name, code, alter) => {
    const [channel, wire, sent] = channelAndWire({ chunkBytes: 64 });
    const chunks = message(bytes(name === 'chunks exchanged' ? 244 : 280), 0, 64);
    const toSend = name === 'a chunk lost' ? [...alter(chunks), chunks[3], chunks[4]] : alter(chunks);
    const waiting = channel.receive(name === 'a message repeated' ? 281 : 244);
    const got = codeOf(waiting);
    for (const chunk of toSend) await wire.send(chunk).catch(() => {});
    expect(await got).toBe(name === 'a message repeated' ? 'length' : code);
    // The peer is told, once, and the session is over.
    const aborts = sent.map(decodeAbort).filter((abort) => abort?.code === 'peer-aborted');
    expect(aborts.map((abort) => abort!.peerCode)).toEqual([code]);
    expect(() => channel.send(bytes(1))).toThrow(ProtocolError);
  });

  it('messages in the wrong order', async () => {
    const [channel, wire] = channelAndWire();
    await wire.send(message(bytes(4), 1)[0]);
    expect(await codeOf(channel.receive(4))).toBe('checksum');
  });

  it('a message repeated', async () => {
    const [channel, wire] = channelAndWire();
    await wire.send(message(bytes(4), 0)[0]);
    await channel.receive(4);
    await wire.send(message(bytes(4), 0)[0]);
    expect(await codeOf(channel.receive(4))).toBe('checksum');
  });

  it('any one bit altered anywhere is noticed', async () => {
    const whole = message(bytes(41), 0)[0];
    for (let bit = 0; bit < 8 * whole.length; bit++) {
      const [channel, wire] = channelAndWire();
      const altered = whole.slice();
      altered[bit >> 3] ^= 1 << (bit & 7);
      await wire.send(altered);
      expect(['length', 'checksum']).toContain(await codeOf(channel.receive(41)));
    }
  });

  it('too short a message', async () => {
    const [a, b] = channelPair();
    a.send(bytes(9));
    await a.flush();
    expect(await codeOf(b.receive(10))).toBe('length');
    expect(await codeOf(a.receive(1))).toBe('peer-aborted');
  });

  it('too long a message, noticed when this side sends again, or closes', async () => {
    for (const end of ['send', 'close'] as const) {
      const [a, b] = channelPair();
      a.send(bytes(10));
      await a.flush();
      await b.receive(9);
      if (end === 'send') b.send(bytes(1));
      expect(await codeOf(end === 'send' ? b.flush() : b.close())).toBe('length');
      expect(await codeOf(a.receive(1))).toBe('peer-aborted');
    }
  });

  it('a length beyond the limit: refused by its header', async () => {
    for (const length of [0, 32 * 2 ** 20 + 1, 0x7fffffff]) {
      const [channel, wire] = channelAndWire();
      const chunk = new Uint8Array(65536);
      new DataView(chunk.buffer).setUint32(0, length, true);
      await wire.send(chunk);
      expect(await codeOf(channel.receive(1))).toBe('length');
    }
  });

  it('a length that is never filled allocates nothing', async () => {
    const [channel, wire] = channelAndWire();
    const chunk = new Uint8Array(65536);
    new DataView(chunk.buffer).setUint32(0, 32 * 2 ** 20, true);
    const before = process.memoryUsage().arrayBuffers;
    await wire.send(chunk);
    await Promise.resolve();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24);
    const code = codeOf(channel.receive(1));
    wire.close();
    expect(await code).toBe('closed');
  });

  it('that runs too far ahead', async () => {
    const [channel, wire] = channelAndWire({ maxMessageBytes: 100, maxUnreadBytes: 150 });
    await wire.send(message(bytes(100), 0)[0]);
    await wire.send(message(bytes(100), 1)[0]);
    expect(await codeOf(channel.receive(100))).toBe('length');
  });

  it('that runs further ahead than it may from now on', async () => {
    const [channel, wire] = channelAndWire({ maxMessageBytes: 100, maxUnreadBytes: 1000 });
    channel.aheadBytes = 2000;
    expect(channel.aheadBytes).toBe(1000);
    channel.aheadBytes = 60;
    await wire.send(message(bytes(60), 0)[0]);
    expectSame(await channel.receive(60), bytes(60));
    channel.aheadBytes = 59;
    await wire.send(message(bytes(60), 1)[0]);
    expect(await codeOf(channel.receive(60))).toBe('length');
  });

  it('that sends very many tiny messages: they count with what each takes', async () => {
    const [channel, wire] = channelAndWire({ maxMessageBytes: 10_000, maxUnreadBytes: 20_000 });
    // 78 of them wait in 257 bytes each; one that is read makes room.
    for (let number = 0; number < 78; number++) await wire.send(message(bytes(1), number)[0]);
    for (let number = 78; number < 90; number++) {
      expectSame(await channel.receive(1), bytes(1));
      await wire.send(message(bytes(1), number)[0]);
    }
    await wire.send(message(bytes(1), 90)[0]);
    expect(await codeOf(channel.receive(1))).toBe('length');
  });
});

describe('the end of a session', () => {
  it('passes a ProtocolError on, once, with its code and text', async () => {
    const [a, b] = channelPair();
    const waiting = b.receive(5);
    await a.close(new ProtocolError('plan', 'handshake', 'the plans differ'));
    await expect(waiting).rejects.toThrow('channel: the peer ended the session (plan): handshake: the plans differ');
    expect(await codeOf(b.receive(5))).toBe('peer-aborted');
    expect(await codeOf(a.receive(5))).toBe('plan');
  });

  it('tells the peer only the name of another error', async () => {
    const [a, b] = channelPair();
    await a.close(new RangeError('x: expected 5, got 1234567'));
    const error = await b.receive(5).catch((reason: Error) => reason);
    expect(String(error)).toContain('RangeError');
    expect(String(error)).not.toContain('1234567');
  });

  it('reaches a peer in the middle of a long message', async () => {
    const [a, b] = memoryWirePair();
    // A wire that stalls after two chunks.
    let sentChunks = 0;
    const stalling: Wire = {
      maxChunkBytes: 64,
      get onChunk() {
        return a.onChunk;
      },
      set onChunk(reader) {
        a.onChunk = reader;
      },
      get onClose() {
        return a.onClose;
      },
      set onClose(reader) {
        a.onClose = reader;
      },
      send: (chunk) => (++sentChunks === 2 ? a.send(chunk).then(() => new Promise(() => {})) : a.send(chunk)),
      close: () => a.close(),
    };
    const sender = new FramedChannel(stalling, { chunkBytes: 64 });
    const receiver = new FramedChannel(b, { chunkBytes: 64 });
    sender.send(bytes(1000));
    void sender.flush().catch(() => {});
    const waiting = codeOf(receiver.receive(1000));
    await expect.poll(() => sentChunks).toBe(2);
    await sender.close(new ProtocolError('cancelled', 'session', 'the user gave up'));
    expect(await waiting).toBe('peer-aborted');
  });

  it('limits and cleans what a peer says', () => {
    const long = encodeAbort('plan', 'é'.repeat(5000), 65536);
    expect(long.length).toBeLessThanOrEqual(12 + 1500);
    expect(decodeAbort(long)!.message.length).toBeLessThan(560);
    const nasty = decodeAbort(encodeAbort('plan', 'a\u0000b\u001b[31mc\u202ed\ne', 65536))!;
    expect(nasty.message).toBe('channel: the peer ended the session (plan): a b [31mc d e');
    expect(decodeAbort(encodeAbort('plan', 'text', 16))!.message).toContain('(plan)');
  });

  it('wakes a receiver when the connection goes, also in the middle of a message', async () => {
    const [channel, wire] = channelAndWire();
    const first = channel.receive(1).catch((error: Error) => error);
    wire.close();
    expect(await first).toMatchObject({ code: 'closed' });

    const [other, otherWire] = channelAndWire({ chunkBytes: 64 });
    const second = other.receive(200).catch((error: Error) => error);
    await otherWire.send(message(bytes(200), 0, 64)[0]);
    otherWire.close();
    expect(await second).toMatchObject({ code: 'closed', message: expect.stringContaining('in the middle') });
  });

  it('is the same when closed twice, and nothing works afterwards', async () => {
    const [a, b] = channelPair();
    const waiting = codeOf(b.receive(1));
    await a.close();
    await a.close();
    await a.close(new Error('late'));
    expect(await waiting).toBe('closed');
    expect(await codeOf(a.receive(1))).toBe('closed');
    expect(await codeOf(a.flush())).toBe('closed');
    expect(() => a.send(bytes(1))).toThrow(ProtocolError);
  });
});

describe('flights longer than a message', () => {
  it('arrive intact, in pieces of any length, and each message counts', async () => {
    const options = { chunkBytes: 16, maxMessageBytes: 40, maxUnreadBytes: 20_000 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 8 }),
        fc.nat(),
        async (cuts, seed) => {
          const [a, b] = channelPair(options);
          const total = cuts.reduce((sum, length) => sum + length, 0);
          const whole = bytes(total, seed);
          a.send(whole.subarray(0, total >> 1));
          a.send(whole.subarray(total >> 1));
          const sent = a.flush();
          let at = 0;
          for (const cut of cuts) {
            const length = Math.min(cut, total - at);
            expectSame(await b.receive(length), whole.subarray(at, at + length));
            at += length;
          }
          await sent;
          expect(a.counters.messagesSent).toBe(Math.ceil(total / 40));
          expect(b.counters.messagesReceived).toBe(a.counters.messagesSent);
          expect(b.counters.framingBytesReceived).toBe(a.counters.framingBytesSent);
          // And the other way round.
          b.send(bytes(41));
          expectSame((await Promise.all([a.receive(41), b.flush()]))[0], bytes(41));
        },
      ),
    );
  });

  it('end where a message is not full', async () => {
    const [channel, wire] = channelAndWire({ maxMessageBytes: 100, maxUnreadBytes: 2000 });
    await wire.send(message(bytes(100), 0)[0]);
    await wire.send(message(bytes(99), 1)[0]);
    await wire.send(message(bytes(10), 2)[0]);
    expect(await codeOf(channel.receive(200))).toBe('length');
  });
});

describe("a caller's mistakes", () => {
  it('are TypeErrors and RangeErrors', async () => {
    const [a] = channelPair({ maxMessageBytes: 60, maxUnreadBytes: 100 });
    await expect(a.receive(-1)).rejects.toThrow(RangeError);
    await expect(a.receive(1.5)).rejects.toThrow(RangeError);
    await expect(a.receive(101)).rejects.toThrow(RangeError);
    expect(() => a.send('text' as unknown as Uint8Array)).toThrow(TypeError);
    a.send(bytes(60));
    expect(() => a.send(bytes(41))).toThrow(RangeError);
    const pending = a.receive(1).catch(() => {});
    await expect(a.receive(1)).rejects.toThrow(/pending/);
    await a.close();
    await pending;
    const [wire] = memoryWirePair();
    for (const chunkBytes of [12, 18, 2 ** 21])
      expect(() => new FramedChannel(wire, { chunkBytes })).toThrow(RangeError);
    expect(() => new FramedChannel(wire, { maxMessageBytes: 2 ** 30 })).toThrow(RangeError);
  });
});

describe('a peer that is silent', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('ends the session, and is told why', async () => {
    const [channel, , sent] = channelAndWire({ idleMs: 40 });
    expect(await codeOf(channel.receive(1))).toBe('silent');
    expect(decodeAbort(sent.at(-1)!)?.message).toContain('(silent): channel: the other side was silent');
  });

  it('ends it where it reads nothing, too', async () => {
    const [wire] = memoryWirePair();
    let isClosed = false;
    const stuck: Wire = Object.assign(wire, {
      send: () => new Promise<void>(() => {}),
      close: () => void (isClosed = true),
    });
    const channel = new FramedChannel(stuck, { idleMs: 40 });
    channel.send(bytes(1));
    expect(await codeOf(channel.flush())).toBe('silent');
    await expect.poll(() => isClosed, { timeout: 5000 }).toBe(true);
  });

  it('is not one that is slow: every chunk counts', async () => {
    vi.useFakeTimers();
    const [channel, wire] = channelAndWire({ chunkBytes: 64, idleMs: 400 });
    const received = channel.receive(500);
    for (const chunk of message(bytes(500), 0, 64)) {
      await vi.advanceTimersByTimeAsync(399);
      await wire.send(chunk);
    }
    expectSame(await received, bytes(500));
    const silent = codeOf(channel.receive(1));
    await vi.advanceTimersByTimeAsync(401);
    expect(await silent).toBe('silent');
  });
});
