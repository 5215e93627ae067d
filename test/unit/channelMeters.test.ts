import { sha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FramedChannel } from '../../protocols/channel/framed.ts';
import { memoryWirePair } from '../../protocols/channel/memory.ts';
import { MeteredChannel } from '../../protocols/channel/metered.ts';
import { expectSame } from '../support/expectSame.ts';
import { RecordingChannel } from '../support/recordingChannel.ts';

function meteredPair(clock?: () => number) {
  return memoryWirePair().map((wire) => new MeteredChannel(new FramedChannel(wire), clock)) as [
    MeteredChannel,
    MeteredChannel,
  ];
}

describe('meter', () => {
  it('counts bytes by step, and a flight for the step that begins it', async () => {
    const [client, owner] = meteredPair();
    const asOwner = async () => {
      owner.enterStep('matmul', 'online');
      owner.send(new Uint8Array(100));
      owner.enterStep('truncate', 'online');
      owner.send(new Uint8Array(5));
      expect((await owner.receive(40)).length).toBe(40);
      owner.enterStep('reveal', 'online');
      owner.send(new Uint8Array(7));
      await owner.flush();
    };
    const asClient = async () => {
      client.enterStep('matmul', 'online');
      await client.receive(100);
      client.enterStep('truncate', 'online');
      await client.receive(5);
      client.send(new Uint8Array(40));
      client.enterStep('reveal', 'online');
      await client.receive(7);
    };
    await Promise.all([asOwner(), asClient()]);
    const figures = (channel: MeteredChannel) =>
      channel
        .snapshot()
        .steps.filter(({ phase }) => phase === 'online')
        .map(({ name, bytesSent, bytesReceived, flights }) => [name, bytesSent, bytesReceived, flights]);
    expect(figures(owner)).toEqual([
      ['matmul', 100, 0, 1],
      ['truncate', 5, 40, 1],
      ['reveal', 7, 0, 1],
    ]);
    expect(figures(client)).toEqual([
      ['matmul', 0, 100, 1],
      ['truncate', 40, 5, 1],
      ['reveal', 0, 7, 1],
    ]);
    expect(owner.snapshot().phases.online).toMatchObject({ bytesSent: 112, bytesReceived: 40, flights: 3 });
    expect(owner.snapshot().phases.offline).toEqual({ bytesSent: 0, bytesReceived: 0, flights: 0, elapsedMs: 0 });
  });

  it('agrees with the counters and with the peer for any turns', async () => {
    const names = fc.constantFrom('a', 'b', 'c');
    const turns = fc.array(
      fc.record({
        clientSends: fc.boolean(),
        parts: fc.array(fc.tuple(names, fc.integer({ min: 0, max: 50 })), { maxLength: 4 }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(turns, async (turns) => {
        const pair = meteredPair();
        const run = async (me: 0 | 1) => {
          for (const { clientSends, parts } of turns) {
            for (const [name, length] of parts) {
              pair[me].enterStep(name, 'offline');
              if (clientSends === (me === 0)) pair[me].send(new Uint8Array(length));
              else await pair[me].receive(length);
            }
            await pair[me].flush();
          }
        };
        await Promise.all([run(0), run(1)]);
        const [client, owner] = pair.map((channel) => channel.snapshot());
        for (const [index, { total }] of [client, owner].entries()) {
          const { counters } = pair[index];
          expect([total.bytesSent, total.bytesReceived]).toEqual([counters.bytesSent, counters.bytesReceived]);
        }
        // What a turn moves is one flight with the turns of the same direction before it.
        const directions = turns
          .filter(({ parts }) => parts.some(([, length]) => length > 0))
          .map(({ clientSends }) => clientSends);
        const changes = directions.filter((direction, i) => direction !== directions[i - 1]).length;
        expect([client.total.flights, owner.total.flights]).toEqual([changes, changes]);
        const byStep = (
          steps: typeof client extends undefined ? never : NonNullable<typeof client>['steps'],
          flip: boolean,
        ) =>
          Object.fromEntries(
            steps
              .filter(({ bytesSent, bytesReceived }) => bytesSent + bytesReceived > 0)
              .map((step) => [
                step.name,
                [flip ? step.bytesReceived : step.bytesSent, flip ? step.bytesSent : step.bytesReceived, step.flights],
              ]),
          );
        expect(byStep(client.steps, false)).toEqual(byStep(owner.steps, true));
      }),
    );
  });

  it('gives time to the step that is entered, and tells listeners', () => {
    let nowMs = 0;
    const [meter] = meteredPair(() => nowMs);
    let changes = 0;
    const stop = meter.onChange(() => changes++);
    nowMs = 5;
    meter.enterStep('a', 'offline');
    nowMs = 12;
    meter.enterStep('a', 'online');
    nowMs = 13;
    meter.enterStep('a', 'offline');
    nowMs = 20;
    expect(meter.snapshot().steps.map(({ name, phase, elapsedMs }) => [name, phase, elapsedMs])).toEqual([
      ['connect', 'setup', 5],
      ['a', 'offline', 14],
      ['a', 'online', 1],
    ]);
    expect(meter.snapshot().total.elapsedMs).toBe(20);
    expect(changes).toBe(3);
    stop();
    meter.enterStep('b', 'online');
    expect(changes).toBe(3);
  });
});

describe('recording', () => {
  async function record(payload: number[], step = 'step') {
    const [a, b] = memoryWirePair().map((wire) => new RecordingChannel(new FramedChannel(wire))) as [
      RecordingChannel,
      RecordingChannel,
    ];
    const meter = new MeteredChannel(a);
    const echo = (async () => {
      b.send(await b.receive(payload.length));
      await b.flush();
    })();
    meter.enterStep(step, 'online');
    meter.send(Uint8Array.from(payload));
    const answer = await meter.receive(payload.length);
    answer.fill(0); // belongs to the caller; the record keeps its own
    await echo;
    return [a, b] as const;
  }

  it('keeps both directions with their steps, through a meter', async () => {
    const [a, b] = await record([1, 2, 3]);
    expect(a.entries.map(({ direction, step, phase, bytes }) => [direction, step, phase, [...bytes]])).toEqual([
      ['sent', 'step', 'online', [1, 2, 3]],
      ['received', 'step', 'online', [1, 2, 3]],
    ]);
    expectSame(sha256(a.bytes('sent')), sha256(b.bytes('received')));
  });

  it('has a digest that changes with any byte, step or order, and only then', async () => {
    const digest = async (payload: number[], step?: string) => (await record(payload, step))[0].digest();
    const reference = await digest([1, 2, 3]);
    expect(reference).toMatch(/^[0-9a-f]{64}$/);
    expect(await digest([1, 2, 3])).toBe(reference);
    expect(await digest([1, 2, 4])).not.toBe(reference);
    expect(await digest([1, 3, 2])).not.toBe(reference);
    expect(await digest([1, 2])).not.toBe(reference);
    expect(await digest([1, 2, 3], 'other')).not.toBe(reference);
  });
});
