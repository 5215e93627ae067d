import { describe, expect, test, vi } from 'vitest';
import { LinkProbe } from '../../client/src/pairing/linkProbe.ts';
import { selectedPath } from '../../client/src/pairing/selectedPath.ts';

/** Two probes over a line of a given speed, in a time of its own. */
function line({ oneWayMs, bytesPerMs, pauses = [0] }: { oneWayMs: number; bytesPerMs: number; pauses?: number[] }) {
  let nowMs = 0;
  const events: { atMs: number; run(): void }[] = [];
  const free = [0, 0];
  const probes: LinkProbe[] = [];
  const sender = (from: number) => (message: Uint8Array) => {
    free[from] = Math.max(free[from], nowMs) + message.length / bytesPerMs;
    const copy = message.slice();
    events.push({ atMs: free[from] + oneWayMs, run: () => probes[1 - from].receive(copy) });
  };
  probes.push(
    new LinkProbe(sender(0), true, () => nowMs, pauses),
    new LinkProbe(sender(1), false, () => nowMs, pauses),
  );
  const run = async () => {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve)); // what was awaited goes on
      const next = events.sort((a, b) => a.atMs - b.atMs).shift();
      if (!next) return;
      nowMs = next.atMs;
      next.run();
    }
  };
  return { first: probes[0], second: probes[1], run };
}

describe('whether the other tab is still there', () => {
  const timeoutMs = 60;

  test.each([
    ['an answer', (probe: LinkProbe) => probe.receive(Uint8Array.of(2, 0, 0, 0, 0)), 5, true],
    ['a message of the protocol, where the answer waits behind others', (probe: LinkProbe) => probe.heard(), 50, true],
    ['a message that was under way when the tab was closed', (probe: LinkProbe) => probe.heard(), 5, false],
    ['nothing', () => {}, 5, false],
  ])('%s', async (_, happens, afterMs, isAlive) => {
    vi.useFakeTimers();
    try {
      const probe = new LinkProbe(() => {}, true);
      const asked = probe.isAlive(timeoutMs);
      setTimeout(() => happens(probe), afterMs);
      await vi.advanceTimersByTimeAsync(timeoutMs);
      expect(await asked).toBe(isAlive);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('measuring a connection', () => {
  test('a ping takes the round trip', async () => {
    const { first, run } = line({ oneWayMs: 20, bytesPerMs: 1e6 });
    const ping = first.ping();
    await run();
    expect(await ping).toBeCloseTo(40, 1);
  });

  test.each([
    ['of a slow line', 100, 50],
    ['of a fast one', 40_000, 0.25],
  ])('the throughput %s is measured on both sides, one after the other', async (_, bytesPerMs, oneWayMs) => {
    const { first, second, run } = line({ oneWayMs, bytesPerMs });
    first.start();
    second.start();
    await run();
    for (const rate of [first.sentPerSecond, first.receivedPerSecond, second.sentPerSecond, second.receivedPerSecond]) {
      expect(rate! / (bytesPerMs * 1000)).toBeGreaterThan(0.9);
      expect(rate! / (bytesPerMs * 1000)).toBeLessThan(1.1);
    }
    expect(first.sentPerSecond).toBe(second.receivedPerSecond);
  });

  test('the best of several measurements counts, and is told', async () => {
    let nowMs = 0;
    const rates: number[] = [];
    const perChunkMs = [10, 2, 5]; // in each measurement
    let chunks = 0;
    const probe: LinkProbe = new LinkProbe(
      (message) => {
        if (message[0] === 3) rates.push(new DataView(message.buffer).getFloat64(1, true));
        const pong = message.slice(0, 5);
        pong[0] = 2;
        queueMicrotask(() => {
          if (message.length > 5) nowMs += perChunkMs[Math.min(2, Math.floor(chunks++ / 17))];
          probe.receive(pong);
        });
      },
      true,
      () => nowMs,
      [0, 1, 1],
    );
    probe.start();
    await expect.poll(() => chunks).toBeGreaterThan(45);
    expect(rates).toHaveLength(2);
    expect(rates[1]).toBeGreaterThan(rates[0]);
    expect(probe.sentPerSecond).toBe(rates[1]);
  });

  test('answers that come all at once, late, make no line fast', async () => {
    let nowMs = 0;
    const waiting: Uint8Array[] = [];
    const probe: LinkProbe = new LinkProbe(
      (message) => {
        const pong = message.slice(0, 5);
        pong[0] = 2;
        if (message.length === 5) queueMicrotask(() => probe.receive(pong));
        else waiting.push(pong);
      },
      true,
      () => nowMs,
      [0],
    );
    probe.start();
    await expect.poll(() => waiting.length).toBe(2);
    nowMs = 300; // the page was busy
    for (const pong of waiting) probe.receive(pong);
    await expect.poll(() => probe.sentPerSecond).toBeDefined();
    expect(probe.sentPerSecond).toBeCloseTo((2 * 65_536) / 0.3);
  });

  test('who does not answer is not there', async () => {
    expect(await new LinkProbe(() => {}, true).isAlive(20)).toBe(false);
    const gone = new LinkProbe(() => {
      throw new Error('closed');
    }, true);
    expect(await gone.isAlive(20)).toBe(false);
    const { first, run } = line({ oneWayMs: 1, bytesPerMs: 1000 });
    const isAlive = first.isAlive(2000);
    await run();
    expect(await isAlive).toBe(true);
  });

  test('messages of another form, answers that were not asked for and rates that are none are ignored', () => {
    const sent: Uint8Array[] = [];
    const probe = new LinkProbe((message) => sent.push(message), true);
    const rate = (value: number) => {
      const message = new Uint8Array(9);
      message[0] = 3;
      new DataView(message.buffer).setFloat64(1, value, true);
      return message;
    };
    for (const message of [[], [1], [2, 9, 9, 9, 9], [7, 0, 0, 0, 0], [3, 0, 0, 0, 0]]) {
      probe.receive(Uint8Array.from(message));
    }
    for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) probe.receive(rate(value));
    expect(sent).toEqual([]);
    expect(probe.receivedPerSecond).toBeUndefined();
    probe.receive(rate(5));
    expect(probe.receivedPerSecond).toBe(5);
  });
});

describe('direct or relayed', () => {
  const host = { type: 'local-candidate', id: 'H', candidateType: 'host' };
  const relay = { type: 'remote-candidate', id: 'R', candidateType: 'relay' };
  const direct = {
    type: 'candidate-pair',
    id: 'P1',
    state: 'succeeded',
    nominated: true,
    localCandidateId: 'H',
    remoteCandidateId: 'H',
  };
  const relayed = { ...direct, id: 'P2', remoteCandidateId: 'R' };
  const path = (...stats: { type: string; id?: string; [more: string]: unknown }[]) =>
    selectedPath(new Map(stats.map((stat, i) => [stat.id ?? `S${i}`, stat])));

  test('is what the transport’s selected pair says, whatever other pairs there are', () => {
    expect(path(host, relay, direct, relayed, { type: 'transport', selectedCandidatePairId: 'P2' })).toBe('relayed');
    expect(path(host, relay, relayed, direct, { type: 'transport', selectedCandidatePairId: 'P1' })).toBe('direct');
  });

  test('without a transport’s word (Firefox) it is the selected pair, then the nominated one', () => {
    expect(path(host, relay, direct, { ...relayed, selected: true })).toBe('relayed');
    expect(path(host, relay, direct)).toBe('direct');
  });

  test('is unknown before there is a pair', () => {
    expect(path(host, { ...direct, nominated: false })).toBeUndefined();
  });
});
