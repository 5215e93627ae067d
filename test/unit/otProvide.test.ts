import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FramedChannel } from '../../protocols/channel/framed.ts';
import { memoryWirePair } from '../../protocols/channel/memory.ts';
import type {
  CorrelationKey,
  OtBasedSpec,
  OtReceiverShare,
  OtSenderShare,
  OwnerRequest,
  ProductShare,
  SquareSpec,
} from '../../protocols/offline/correlations.ts';
import { OtClient, OtOwner } from '../../protocols/offline/ot/provider.ts';
import { digitsOf } from '../../protocols/offline/ot/scale.ts';
import { specCost, stageCost } from '../../protocols/offline/ot/segments.ts';
import { cotParameters } from '../../protocols/ot/cotCosts.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { CorrelationStore } from '../../protocols/sharing/store.ts';
import { drawOperands, wrongPlaces } from '../ideal/ot.ts';
import { otPair, smallParameters } from '../ideal/otPair.ts';
import { keyOf } from '../support/keys.ts';

const seed = (fill: number) => new Uint8Array(32).fill(fill);
const between = (min: number, max: number) => fc.integer({ min, max });

/** Specs of any kind, small; ids are set later. */
const specs: fc.Arbitrary<OtBasedSpec> = fc.oneof(
  fc.record({
    kind: fc.constant('ot' as const),
    ringBits: between(1, 32),
    count: between(0, 60),
    choiceBits: between(1, 6),
    words: between(1, 20),
    key: fc.constant(keyOf('ot')),
  }),
  fc.record({
    kind: fc.constant('square' as const),
    ringBits: between(2, 32),
    count: between(0, 60),
    key: fc.constant(keyOf('square')),
  }),
  fc.record({
    kind: fc.constant('sumOfSquares' as const),
    ringBits: between(2, 32),
    rows: between(0, 7),
    cols: between(1, 9),
    key: fc.constant(keyOf('sum')),
  }),
  fc.record({
    kind: fc.constant('ringCot' as const),
    ringBits: between(14, 52),
    count: between(0, 60),
    factorBits: between(1, 14),
    key: fc.constant(keyOf('ringCot')),
  }),
  fc.record({
    kind: fc.constant('scale' as const),
    ringBits: between(1, 32),
    rows: between(0, 11),
    cols: between(1, 70),
    key: fc.constant(keyOf('scale')),
  }),
);

/** Runs a stage and compares shares with the ideal functionality, bytes and flights with the plan's. */
async function runStage(
  pair: Awaited<ReturnType<typeof otPair>>,
  stage: readonly OtBasedSpec[],
  parameters = smallParameters,
) {
  const { channels, client, owner, random } = pair;
  const operands = stage.map((spec) => drawOperands(spec, random));
  const cost = stageCost(stage, client.drawn, parameters);
  const before = { ...channels.client.channel.counters };
  const fractions: [CorrelationKey, number][] = [];
  const [given, taken] = await Promise.all([
    client.provide(
      operands.map((pair) => pair.client),
      (key, fraction) => fractions.push([key, fraction]),
    ),
    owner.provide(operands.map((pair) => pair.owner)),
  ]);
  operands.forEach((pair, i) => {
    expect(wrongPlaces(pair, given[i], taken[i])).toBe(0);
  });
  const { bytesSent, bytesReceived } = channels.client.channel.counters;
  expect({ sent: bytesSent - before.bytesSent, received: bytesReceived - before.bytesReceived }).toEqual({
    sent: cost.bytesClientToOwner,
    received: cost.bytesOwnerToClient,
  });
  return { given, taken, fractions, cost };
}

describe('provide', () => {
  const withChecks = [false, true].map((checks) => ({ ...smallParameters, checks }));

  it.each(withChecks)(
    'gives what the ideal functionality gives, at the planned cost (checks: $checks)',
    async (parameters) => {
      const pair = await otPair(seed(1), {}, parameters);
      await fc.assert(
        fc.asyncProperty(fc.array(specs, { maxLength: 6 }), async (stage) => {
          const { fractions } = await runStage(
            pair,
            stage.map((spec, i) => ({ ...spec, key: keyOf(`${spec.kind}${i}`) })),
            parameters,
          );
          const sum = fractions.reduce((total, [, fraction]) => total + fraction, 0);
          if (fractions.length > 0) expect(sum).toBeCloseTo(1);
        }),
        { numRuns: 40 },
      );
    },
  );

  it.each(withChecks)(
    'cuts stages into segments at the planned cost, whatever they are made of (checks: $checks)',
    async (set) => {
      // Each kind of spec is a segment or several, and they come in any order.
      const parameters = { ...set, segmentCots: 256 };
      const pair = await otPair(seed(11), {}, parameters);
      await fc.assert(
        fc.asyncProperty(fc.array(specs, { minLength: 2, maxLength: 8 }), async (stage) => {
          await runStage(pair, stage, parameters);
        }),
        { numRuns: 60 },
      );
    },
  );

  it.each(withChecks)(
    'cuts a large stage into segments, with the planned flights (checks: $checks)',
    async (parameters) => {
      const pair = await otPair(seed(2), {}, parameters);
      const stage: OtBasedSpec[] = [
        { kind: 'square', key: keyOf('a'), ringBits: 27, count: 25_003 },
        { kind: 'ot', key: keyOf('b'), ringBits: 12, count: 20_001, choiceBits: 5, words: 1 },
        { kind: 'ringCot', key: keyOf('c'), ringBits: 20, count: 40_001, factorBits: 10 },
        { kind: 'scale', key: keyOf('d'), ringBits: 24, rows: 33, cols: 65 },
      ];
      const flights = () => [
        pair.channels.client.channel.snapshot().total.flights,
        pair.channels.owner.channel.snapshot().total.flights,
      ];
      const before = flights();
      const { cost } = await runStage(pair, stage, parameters);
      // The first message goes in the direction of the set-up's last.
      expect(cost.flights).toBe(1 + 2 * 3);
      expect(flights()).toEqual(before.map((flight) => flight + cost.flights - 1));
    },
  );

  it('prices single specs, and stages add up', async () => {
    const square: SquareSpec = { kind: 'square', key: keyOf('a'), ringBits: 27, count: 16 };
    expect(specCost(square)).toEqual({
      cots: 16 * 26,
      bytesOwnerToClient: (16 * 26) / 8,
      bytesClientToOwner: (16 * 26 * 27) / 2 / 8,
      flights: 3,
    });
    expect(specCost({ kind: 'ot', key: keyOf('b'), ringBits: 5, count: 10, choiceBits: 4, words: 2 })).toEqual({
      cots: 40,
      bytesClientToOwner: 0,
      bytesOwnerToClient: 0,
      flights: 1,
    });
    const stage = stageCost([square, square], 0);
    expect(stage.bytesOwnerToClient).toBe(2 * specCost(square).bytesOwnerToClient);
    expect(stageCost([], 5)).toEqual({ cots: 0, bytesClientToOwner: 0, bytesOwnerToClient: 0, flights: 0 });
    expect(digitsOf(27, 256).map(({ offset, width, laneBits }) => [offset, width, laneBits])).toEqual([
      [0, 6, 32],
      [6, 6, 32],
      [12, 7, 16],
      [19, 6, 8],
      [25, 2, 8],
    ]);
    for (let bits = 1; bits <= 32; bits++) {
      for (const cols of [1, 64, 300]) {
        const digits = digitsOf(bits, cols);
        expect(digits.reduce((sum, { width }) => sum + width, 0)).toBe(bits);
        expect(digits.every(({ offset, laneBits }) => laneBits >= bits - offset)).toBe(true);
      }
    }
  });

  it('gives outputs that look random', async () => {
    const pair = await otPair(seed(3));
    const { given, taken } = await runStage(pair, [
      { kind: 'ot', key: keyOf('a'), ringBits: 32, count: 3000, choiceBits: 2, words: 2 },
      { kind: 'square', key: keyOf('b'), ringBits: 17, count: 3000 },
      { kind: 'scale', key: keyOf('c'), ringBits: 16, rows: 40, cols: 100 },
    ]);
    const arrays: [Uint32Array, number, number][] = [
      [(given[0] as OtSenderShare).messages, 0, 32],
      [(taken[0] as OtReceiverShare).choices, 0, 2],
      // Twice a product: the lowest bit is 0.
      [(given[1] as ProductShare).share, 1, 17],
      [(taken[1] as ProductShare).share, 1, 17],
      [(given[2] as ProductShare).share, 0, 16],
      [(taken[2] as ProductShare).share, 0, 16],
    ];
    for (const [words, from, to] of arrays) {
      for (let bit = from; bit < to; bit++) {
        const ones = words.reduce((sum, word) => sum + ((word >>> bit) & 1), 0);
        expect(Math.abs(ones - words.length / 2)).toBeLessThan(5 * Math.sqrt(words.length / 4));
      }
    }
    // The messages that the owner did not choose are other ones.
    const { messages } = given[0] as OtSenderShare;
    expect(new Set(messages).size).toBeGreaterThan(messages.length - 5);
  });

  it('sends what looks random, whatever the operands are', async () => {
    const pair = await otPair(seed(8));
    const square: SquareSpec = { kind: 'square', key: keyOf('a'), ringBits: 20, count: 1000 };
    const scale = { kind: 'scale', key: keyOf('b'), ringBits: 20, rows: 40, cols: 64 } as const;
    const { client, owner } = pair.channels;
    for (const value of [0, 0xffffffff]) {
      const words = (count: number) => new Uint32Array(count).fill(value);
      const before = {
        sent: client.recording.bytes('sent').length,
        received: client.recording.bytes('received').length,
      };
      await Promise.all([
        pair.client.provide([
          { spec: square, x: words(1000) },
          { spec: scale, s: words(40), x: words(2560) },
        ]),
        pair.owner.provide([
          { spec: square, xMask: words(1000) },
          { spec: scale, sMask: words(40), xMask: words(2560) },
        ]),
      ]);
      for (const direction of ['sent', 'received'] as const) {
        const bytes = client.recording.bytes(direction).subarray(before[direction]);
        expect(bytes.length).toBeGreaterThan(2000);
        for (let bit = 0; bit < 8; bit++) {
          const ones = bytes.reduce((sum, byte) => sum + ((byte >> bit) & 1), 0);
          expect(Math.abs(ones - bytes.length / 2)).toBeLessThan(5 * Math.sqrt(bytes.length / 4));
        }
      }
    }
    expect(owner.recording.bytes('sent')).toEqual(client.recording.bytes('received'));
  });

  it('refuses operands and specs that do not fit', async () => {
    const { client, owner } = await otPair(seed(4));
    const spec: SquareSpec = { kind: 'square', key: keyOf('blocks.0.gelu'), ringBits: 20, count: 4 };
    await expect(client.provide([{ spec, x: new Uint32Array(3) }])).rejects.toThrow(
      new RangeError('blocks.0.gelu (product): x: expected 4 words, got 3'),
    );
    await expect(owner.provide([{ spec } as unknown as OwnerRequest])).rejects.toThrow(TypeError);
    await expect(client.provide([{ spec: { ...spec, ringBits: 33 }, x: new Uint32Array(4) }])).rejects.toThrow(
      RangeError,
    );
    await expect(
      client.provide([{ spec: { kind: 'ot', key: keyOf('a'), ringBits: 8, count: 1, choiceBits: 11, words: 1 } }]),
    ).rejects.toThrow(RangeError);
    const matmul = { kind: 'matmul', key: keyOf('m'), ringBits: 20, batch: 1, rows: 1, inner: 1, cols: 1 } as const;
    await expect(client.provide([{ spec: matmul, x: new Uint32Array(1), y: new Uint32Array(1) }])).rejects.toThrow(
      RangeError,
    );
  });

  it('stops when its user cancels, and gives the peer a reason', async () => {
    const abort = new AbortController();
    const { client, owner, channels } = await otPair(seed(5), { client: { signal: abort.signal } });
    const spec: SquareSpec = { kind: 'square', key: keyOf('a'), ringBits: 27, count: 60_000 };
    const x = new Uint32Array(spec.count);
    const client_ = client
      .provide(
        [
          { spec, x },
          { spec: { ...spec, key: keyOf('b'), count: 8 }, x: x.subarray(0, 8) },
        ],
        () => abort.abort(),
      )
      .catch((error: Error) => channels.client.channel.close(error).then(() => Promise.reject(error)));
    const owner_ = owner.provide([
      { spec, xMask: x },
      { spec: { ...spec, key: keyOf('b'), count: 8 }, xMask: x.subarray(0, 8) },
    ]);
    abort.abort();
    await expect(client_).rejects.toMatchObject({ code: 'cancelled' });
    await expect(owner_).rejects.toMatchObject({ code: 'peer-aborted' });
  });

  it('never hands a correlation out twice: what it provides goes into a store that counts', async () => {
    const pair = await otPair(seed(6));
    const { given } = await runStage(pair, [
      { kind: 'ot', key: keyOf('a'), ringBits: 8, count: 4, choiceBits: 1, words: 1 },
    ]);
    const store = new CorrelationStore<unknown>();
    store.put(keyOf('a'), given[0]);
    store.take(keyOf('a'));
    expect(() => store.take(keyOf('a'))).toThrow(RangeError);
    expect(() => store.take({ ...keyOf('a'), part: 'b' })).toThrow(RangeError);
  });
});

describe('truncated and altered messages', () => {
  /** Runs set-up and a stage with the client's (or the owner's) chunk `number` changed. */
  async function run(side: 0 | 1, number: number, change: (chunk: Uint8Array) => Uint8Array) {
    const wires = memoryWirePair();
    const wire = wires[side];
    const send = wire.send.bind(wire);
    let chunks = 0;
    wire.send = (chunk) => send(chunks++ === number ? change(chunk.slice()) : chunk);
    const channels = wires.map((each) => new FramedChannel(each));
    const spec: SquareSpec = { kind: 'square', key: keyOf('a'), ringBits: 8, count: 20 };
    const operand = new Uint32Array(20);
    const options = { parameters: smallParameters };
    const party = async (channel: FramedChannel, work: () => Promise<unknown>) => {
      try {
        await work();
        await channel.close();
      } catch (error) {
        await channel.close(error as Error);
        throw error;
      }
    };
    return Promise.allSettled([
      party(channels[0], async () =>
        (await OtClient.setup(channels[0], new Prg(seed(7), 'c'), options)).provide([{ spec, x: operand }]),
      ),
      party(channels[1], async () =>
        (await OtOwner.setup(channels[1], new Prg(seed(7), 'o'), options)).provide([{ spec, xMask: operand }]),
      ),
    ]);
  }

  it.each([
    [0, 0],
    [0, 1],
    [0, 2],
    [0, 3],
    [1, 0],
    [1, 1],
    [1, 2],
  ] as const)('end the session on both sides with a ProtocolError (side %i, message %i)', async (side, number) => {
    const truncate = (chunk: Uint8Array) => chunk.subarray(0, -1);
    const alter = (chunk: Uint8Array) => chunk.map((byte, i) => (i === 20 ? byte ^ 1 : byte));
    for (const change of [truncate, alter]) {
      for (const result of await run(side, number, change)) {
        expect(result.status).toBe('rejected');
        expect((result as PromiseRejectedResult).reason).toMatchObject({ name: 'ProtocolError' });
      }
    }
  });
});

it('uses parameters for 128 bits unless told otherwise', () => {
  expect(cotParameters.main.logSecret).toBe(18);
  expect(cotParameters.bootstrap).toEqual({ logSecret: 16, treeDepth: 10, trees: 850 });
});
