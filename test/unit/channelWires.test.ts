import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { MessageChannel, Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Wire } from '../../protocols/channel/channel.ts';
import {
  type DataChannelLike,
  dataChannelWire,
  maxBufferedBytes,
  probesAfterMs,
  probeText,
} from '../../protocols/channel/dataChannel.ts';
import { ProtocolError } from '../../protocols/channel/errors.ts';
import { FramedChannel } from '../../protocols/channel/framed.ts';
import { memoryWirePair } from '../../protocols/channel/memory.ts';
import { type MessagePortLike, messagePortWire, relay } from '../../protocols/channel/messagePort.ts';
import { maxQueuedBytes } from '../../protocols/channel/queueingWire.ts';
import { shapeWire } from '../../scripts/lib/shapedWire.ts';
import { SocketWire } from '../../scripts/lib/socketWire.ts';
import { expectSame } from '../support/expectSame.ts';

const bytes = (length: number, seed = 0) => Uint8Array.from({ length }, (_, i) => Math.imul(i + 1, 167) + seed);

function portPair(): [MessagePortLike, MessagePortLike] {
  const { port1, port2 } = new MessageChannel();
  return [port1 as unknown as MessagePortLike, port2 as unknown as MessagePortLike];
}

/** Two ends of a data channel as the standard describes them; a turn of the event loop carries up to 48 KiB. */
class FakeDataChannel implements DataChannelLike {
  binaryType = 'blob';
  bufferedAmountLowThreshold = 0;
  bufferedAmount = 0;
  readyState = 'connecting';
  highestBufferedAmount = 0;
  peer: FakeDataChannel | undefined;
  private readonly queue: (Uint8Array | string)[] = [];
  private readonly listeners: { type: string; listener: (event: { data?: unknown }) => void }[] = [];

  static pair(): [FakeDataChannel, FakeDataChannel] {
    const [a, b] = [new FakeDataChannel(), new FakeDataChannel()];
    a.peer = b;
    b.peer = a;
    return [a, b];
  }

  addEventListener(type: string, listener: (event: { data?: unknown }) => void): void {
    this.listeners.push({ type, listener });
  }

  emit(type: string, data?: unknown): void {
    for (const entry of this.listeners) if (entry.type === type) entry.listener({ data });
  }

  open(): void {
    this.readyState = 'open';
    this.emit('open');
  }

  send(data: Uint8Array<ArrayBuffer> | string): void {
    if (this.readyState !== 'open') throw new Error('InvalidStateError');
    if (data.length > 262_144) throw new Error('OperationError');
    this.bufferedAmount += data.length;
    this.highestBufferedAmount = Math.max(this.highestBufferedAmount, this.bufferedAmount);
    this.queue.push(data.slice()); // a text of so many bytes
    if (this.queue.length === 1) setImmediate(() => this.drain());
  }

  close(): void {
    if (this.readyState === 'closed') return;
    this.readyState = 'closing';
    if (this.queue.length === 0) setImmediate(() => this.finish());
  }

  private finish(): void {
    for (const end of [this, this.peer!]) {
      if (end.readyState === 'closed') continue;
      end.readyState = 'closed';
      end.emit('close');
    }
  }

  private sentOfFirst = 0;

  private drain(): void {
    for (let left = 49_152; left > 0 && this.queue.length > 0; ) {
      const first = this.queue[0];
      const moved = Math.min(left, first.length - this.sentOfFirst);
      const before = this.bufferedAmount;
      this.sentOfFirst += moved;
      this.bufferedAmount -= moved;
      left -= moved;
      if (this.sentOfFirst === first.length) {
        this.sentOfFirst = 0;
        this.queue.shift();
        if (this.peer!.readyState !== 'closed')
          this.peer!.emit('message', typeof first === 'string' ? first : first.buffer);
      }
      if (before > this.bufferedAmountLowThreshold && this.bufferedAmount <= this.bufferedAmountLowThreshold)
        this.emit('bufferedamountlow');
    }
    if (this.queue.length > 0) setImmediate(() => this.drain());
    else if (this.readyState === 'closing') this.finish();
  }
}

function dataWirePair(): [Wire, Wire] {
  const [a, b] = FakeDataChannel.pair();
  const wires: [Wire, Wire] = [dataChannelWire(a), dataChannelWire(b)];
  a.open();
  b.open();
  return wires;
}

/** Both ends of one loopback connection. */
async function sockets(): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[far]] = await Promise.all([once(server, 'connection'), once(near, 'connect')]);
  server.close();
  return [near, far as Socket];
}

const kinds: [string, () => [Wire, Wire] | Promise<[Wire, Wire]>][] = [
  ['memory', memoryWirePair],
  ['message port', () => portPair().map(messagePortWire) as [Wire, Wire]],
  ['data channel', dataWirePair],
  ['socket', async () => (await sockets()).map((socket): Wire => new SocketWire(socket)) as [Wire, Wire]],
  [
    'shaped memory',
    () => memoryWirePair().map((wire) => shapeWire(wire, { rttMs: 0.2, mbps: 10_000 })) as [Wire, Wire],
  ],
  [
    'data channel relayed through a page',
    () => {
      const [near, far] = portPair();
      const [a, b] = dataWirePair();
      relay(far, a);
      return [messagePortWire(near), b];
    },
  ],
];

describe.each(kinds)('%s wire', (_, makePair) => {
  it('carries messages of any size both ways at once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 65_000, max: 400_000 })), {
          minLength: 1,
          maxLength: 4,
        }),
        async (lengths) => {
          const [a, b] = (await makePair()).map((wire) => new FramedChannel(wire)) as [FramedChannel, FramedChannel];
          const exchange = async (channel: FramedChannel, mine: number, theirs: number) => {
            for (const length of lengths) {
              channel.send(bytes(length, mine));
              expectSame(await channel.receive(length), bytes(length, theirs));
            }
          };
          await Promise.all([exchange(a, 1, 2), exchange(b, 2, 1)]);
          await a.close();
        },
      ),
      { numRuns: 8 },
    );
  });

  it('keeps what arrives before there is a reader', async () => {
    const [a, b] = await makePair();
    await a.send(bytes(100));
    await a.send(bytes(50, 3));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const got: Uint8Array[] = [];
    b.onChunk = (chunk) => got.push(chunk);
    await expect.poll(() => got.map((chunk) => chunk.length)).toEqual([100, 50]);
    expectSame(got[1], bytes(50, 3));
    a.close();
  });

  it('delivers what was sent, then says that it is closed, to both ends', async () => {
    const [a, b] = await makePair();
    const events: unknown[] = [];
    b.onChunk = (chunk) => events.push(chunk.length);
    const bothClosed = Promise.all([
      new Promise((resolve) => {
        a.onClose = () => resolve(undefined);
      }),
      new Promise((resolve) => {
        b.onClose = () => resolve(events.push('closed'));
      }),
    ]);
    await a.send(bytes(40_000));
    await a.send(bytes(7));
    a.close();
    await bothClosed;
    expect(events).toEqual([40_000, 7, 'closed']);
    await expect(a.send(bytes(1))).rejects.toThrow(ProtocolError);
    await expect(b.send(bytes(1))).rejects.toThrow(ProtocolError);
    a.close();
  });

  it('refuses chunks beyond its limit', async () => {
    const [a] = await makePair();
    await expect(a.send(new Uint8Array(a.maxChunkBytes + 1))).rejects.toThrow(RangeError);
    a.close();
  });
});

describe('data channel wire', () => {
  it('never lets bufferedAmount exceed 128 KiB, nor the queue run dry', async () => {
    const [a, b] = FakeDataChannel.pair();
    const sender = new FramedChannel(dataChannelWire(a));
    const receiver = new FramedChannel(dataChannelWire(b));
    expect(a.binaryType).toBe('arraybuffer');
    sender.send(bytes(3_000_000));
    const [received] = await Promise.all([
      receiver.receive(3_000_000),
      sender.flush(),
      Promise.resolve().then(() => [a.open(), b.open()]),
    ]);
    expectSame(received, bytes(3_000_000));
    expect(a.highestBufferedAmount).toBeLessThanOrEqual(maxBufferedBytes);
    expect(a.highestBufferedAmount).toBeGreaterThan(65_536);
  });

  it('stops a sender that waits when the connection goes', async () => {
    const [a] = FakeDataChannel.pair();
    const channel = new FramedChannel(dataChannelWire(a));
    channel.send(bytes(10));
    const waiting = channel.flush();
    a.readyState = 'closed';
    a.emit('close');
    await expect(waiting).rejects.toMatchObject({ code: 'closed' });
  });

  it('ends a peer that sends without end before anybody reads', async () => {
    const [a] = FakeDataChannel.pair();
    const wire = dataChannelWire(a);
    a.open();
    const chunk = new ArrayBuffer(2 ** 20);
    for (let sent = 0; sent <= maxQueuedBytes; sent += chunk.byteLength) a.emit('message', chunk);
    expect(a.readyState).toBe('closing');
    a.emit('message', chunk);
    let read = 0;
    wire.onChunk = () => read++;
    const reason = await new Promise((resolve) => {
      wire.onClose = resolve;
    });
    expect(read).toBe(0);
    expect(reason).toMatchObject({ code: 'length' });
  });

  describe('where nothing follows a chunk', () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
    afterEach(() => void vi.useRealTimers());

    const connected = () => {
      const [a, b] = FakeDataChannel.pair();
      const wires = [dataChannelWire(a), dataChannelWire(b)];
      a.open();
      b.open();
      const seen: number[] = [];
      b.addEventListener(
        'message',
        ({ data }) => void seen.push(data === probeText ? 0 : (data as ArrayBuffer).byteLength),
      );
      const delivered: number[] = [];
      wires[1].onChunk = (chunk) => void delivered.push(chunk.length);
      const turn = () => new Promise(setImmediate);
      const pass = async (milliseconds: number) => {
        for (let ms = 0; ms < milliseconds; ms++) {
          vi.advanceTimersByTime(1);
          await turn();
        }
      };
      return { a, wire: wires[0], seen, delivered, turn, pass };
    };

    it('three probes do, once, which nobody is told of', async () => {
      const { wire, seen, delivered, turn, pass } = connected();
      await wire.send(bytes(100));
      vi.advanceTimersByTime(probesAfterMs[0] - 1);
      await turn();
      expect(seen).toEqual([100]);
      await pass(1000);
      expect(seen).toEqual([100, 0, 0, 0]);
      await wire.send(bytes(7));
      await pass(1000);
      expect(seen).toEqual([100, 0, 0, 0, 7, 0, 0, 0]);
      expect(delivered).toEqual([100, 7]);
    });

    it('none does while others do, or much waits to be sent, or after the end', async () => {
      const { a, wire, seen, turn, pass } = connected();
      for (let i = 0; i < 10; i++) {
        await wire.send(bytes(100));
        vi.advanceTimersByTime(probesAfterMs[0] - 1);
        await turn();
      }
      a.bufferedAmount += 50_000;
      await pass(500);
      expect(seen.filter((length) => length === 0)).toEqual([]);
      a.bufferedAmount -= 50_000;
      wire.close();
      await pass(500);
      expect(seen.filter((length) => length === 0)).toEqual([]);
      expect(vi.getTimerCount()).toBe(0);
    });
  });

  it('ends on an error of the connection, and on text', async () => {
    for (const [event, data, code] of [
      ['error', undefined, 'closed'],
      ['message', 'hello', 'length'],
    ] as const) {
      const [a] = FakeDataChannel.pair();
      const channel = new FramedChannel(dataChannelWire(a));
      a.open();
      const waiting = channel.receive(1);
      a.emit(event, data);
      await expect(waiting).rejects.toMatchObject({ code });
    }
  });

  it('ends when what is gone throws though its state is still open: a chunk, or a probe, of which nobody else hears', async () => {
    const gone = () => {
      throw new Error('DataChannel is closed');
    };
    for (const isProbe of [false, true]) {
      const [a] = FakeDataChannel.pair();
      const wire = dataChannelWire(a);
      a.open();
      const ended = new Promise<unknown>((resolve) => {
        wire.onClose = resolve;
      });
      if (isProbe) await wire.send(bytes(1));
      a.send = gone;
      if (!isProbe) await expect(wire.send(bytes(1))).rejects.toMatchObject({ code: 'closed' });
      expect(await ended).toMatchObject({ code: 'closed' });
    }
  });
});

describe('socket wire', () => {
  it('waits for a full socket as often as it must, and leaves no listeners behind', async () => {
    const [near, far] = await sockets();
    const [a, b] = [new SocketWire(near), new SocketWire(far)];
    let received = 0;
    b.onChunk = (chunk) => {
      received += chunk.length;
    };
    const before = near.listenerCount('close');
    for (let i = 0; i < 100; i++) await a.send(bytes(65_536));
    expect(near.listenerCount('close')).toBe(before);
    await expect.poll(() => received).toBe(6_553_600);
    a.close();
  });
});

describe('message port wire', () => {
  it('connects threads', async () => {
    const url = (path: string) => JSON.stringify(new URL(`../../protocols/channel/${path}`, import.meta.url).href);
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(
      `const { workerData } = require('node:worker_threads');
       (async () => {
         (await import('tsx/esm/api')).register();
         const { messagePortWire } = await import(${url('messagePort.ts')});
         const { FramedChannel } = await import(${url('framed.ts')});
         const channel = new FramedChannel(messagePortWire(workerData));
         channel.send((await channel.receive(5_000_000)).map((byte) => byte ^ 255));
         await channel.close();
       })();`,
      { eval: true, workerData: port2, transferList: [port2] },
    );
    const channel = new FramedChannel(messagePortWire(port1 as unknown as MessagePortLike));
    channel.send(bytes(5_000_000));
    const received = await channel.receive(5_000_000);
    expectSame(
      received,
      bytes(5_000_000).map((byte) => byte ^ 255),
    );
    await expect(channel.receive(1)).rejects.toMatchObject({ code: 'closed' });
    await worker.terminate();
  });

  it('waits for a reader that is slow to confirm', async () => {
    const [near, far] = portPair();
    const wire = messagePortWire(near);
    let done = 0;
    const sending = (async () => {
      for (let i = 0; i < 20; i++) {
        await wire.send(bytes(10));
        done++;
      }
    })();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(done).toBeLessThan(17);
    messagePortWire(far);
    await sending;
    expect(done).toBe(20);
    wire.close();
  });

  it('ends on a message that is neither bytes nor its own', async () => {
    const [near, far] = portPair();
    const channel = new FramedChannel(messagePortWire(near));
    const waiting = channel.receive(1);
    far.postMessage({ hello: 1 }, []);
    await expect(waiting).rejects.toMatchObject({ code: 'length' });
  });
});

/** Time that passes only when everybody waits for it: the simulation's own figures, whatever the machine does. */
class VirtualClock {
  private timeMs = 1000;
  private readonly sleepers: { timeMs: number; wake: () => void }[] = [];

  now(): number {
    return this.timeMs;
  }

  async sleepUntil(timeMs: number): Promise<void> {
    if (timeMs > this.timeMs) await new Promise<void>((wake) => this.sleepers.push({ timeMs, wake }));
  }

  /** How much of this clock's time `work` takes. */
  async timeOf(work: Promise<unknown>): Promise<number> {
    const start = this.timeMs;
    let done = false;
    const finished = work.then(() => {
      done = true;
    });
    while (!done) {
      await new Promise((resolve) => setImmediate(resolve));
      if (done) break;
      this.sleepers.sort((a, b) => a.timeMs - b.timeMs);
      const next = this.sleepers.shift();
      if (!next) continue;
      this.timeMs = next.timeMs;
      next.wake();
    }
    await finished;
    return this.timeMs - start;
  }
}

describe('shaped wire', () => {
  function shapedPair(rttMs: number, mbps: number) {
    const clock = new VirtualClock();
    const [a, b] = memoryWirePair().map((wire) => new FramedChannel(shapeWire(wire, { rttMs, mbps }, clock)));
    return { clock, a: a, b: b };
  }

  it('takes the round-trip time for an exchange', async () => {
    const { clock, a, b } = shapedPair(20, Infinity);
    const ask = async () => {
      for (let i = 0; i < 3; i++) {
        a.send(bytes(1));
        await a.receive(1);
      }
    };
    const answer = async () => {
      for (let i = 0; i < 3; i++) b.send(await b.receive(1));
      await b.flush();
    };
    expect(await clock.timeOf(Promise.all([ask(), answer()]))).toBeCloseTo(60, 6);
  });

  it('takes the bandwidth for a long message, and half the round trip', async () => {
    const { clock, a, b } = shapedPair(8, 100);
    a.send(new Uint8Array(1_250_000 - 12)); // 10 Mbit with the header
    expect(await clock.timeOf(Promise.all([a.flush(), b.receive(1_250_000 - 12)]))).toBeCloseTo(104, 6);
  });

  it('lets the sender be at most 128 KiB ahead of the link', async () => {
    const { clock, a } = shapedPair(0, 100);
    a.send(new Uint8Array(1_250_000 - 12));
    expect(await clock.timeOf(a.flush())).toBeCloseTo(100 - (131_072 * 8) / 100_000, 6);
  });

  it('waits in real time, too', async () => {
    const [a, b] = memoryWirePair().map((wire) => new FramedChannel(shapeWire(wire, { rttMs: 20, mbps: 1000 })));
    const start = performance.now();
    a.send(bytes(1));
    await Promise.all([a.flush(), b.receive(1)]);
    expect(performance.now() - start).toBeGreaterThanOrEqual(10);
  });

  it('refuses a shape that is none', () => {
    const [wire] = memoryWirePair();
    expect(() => shapeWire(wire, { rttMs: -1, mbps: 1 })).toThrow(RangeError);
    expect(() => shapeWire(wire, { rttMs: 1, mbps: 0 })).toThrow(RangeError);
    expect(() => shapeWire(wire, { rttMs: Number.NaN, mbps: 1 })).toThrow(RangeError);
  });
});
