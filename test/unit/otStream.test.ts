// Oblivious transfers on a stream of their own beside ring-LWE: in one thread, and in a Worker.
import { Worker } from 'node:worker_threads';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { afterAll, describe, expect, it } from 'vitest';
import type { Channel, Wire } from '../../protocols/channel/channel.ts';
import { ProtocolError } from '../../protocols/channel/errors.ts';
import { memoryWirePair } from '../../protocols/channel/memory.ts';
import { type MessagePortLike, relay } from '../../protocols/channel/messagePort.ts';
import { splitWire } from '../../protocols/channel/splitWire.ts';
import { ClientSession } from '../../protocols/inference/clientSession.ts';
import { inputOf } from '../../protocols/inference/image.ts';
import { twoParty } from '../../protocols/inference/offline.ts';
import { OwnerSession } from '../../protocols/inference/ownerSession.ts';
import { prepareClient, prepareOwner } from '../../protocols/inference/prepare.ts';
import { evaluateReference } from '../../protocols/inference/reference.ts';
import type { SessionEvent } from '../../protocols/inference/session.ts';
import { openStreams, sessionWires, streamChannel } from '../../protocols/inference/sessionStreams.ts';
import { preparationCost, setupCost } from '../../protocols/offline/division.ts';
import type { Endpoint } from '../../protocols/offline/endpoint.ts';
import { type OtStream, otStream } from '../../protocols/offline/ot/stream.ts';
import { OtWorker } from '../../protocols/offline/ot/worker.ts';
import { otStep, rlweStep } from '../../protocols/offline/twoParty.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { startOtThread } from '../../scripts/lib/otThread.ts';
import { modelOf, picture } from '../support/pairing.ts';
import { RecordingChannel } from '../support/recordingChannel.ts';

const model = modelOf();
const { imageSize } = model.manifest.architecture;
const { stages } = model.plan;

const workers: Worker[] = [];
/** How many of the Workers' kernels have been destroyed, and their keys with them. */
let destroyed = 0;
afterAll(() => Promise.all(workers.map((worker) => worker.terminate())));

/** The stream in a thread of its own. */
function inThread(wire: Wire): OtStream {
  const url = (path: string) => JSON.stringify(new URL(`../../protocols/${path}`, import.meta.url).href);
  const { port1, port2 } = new MessageChannel();
  const control = new MessageChannel();
  relay(port1 as unknown as MessagePortLike, wire);
  const worker = new Worker(
    `const { workerData, parentPort } = require('node:worker_threads');
       (async () => {
         (await import('tsx/esm/api')).register();
         const { CotKernel } = await import(${url('kernels/cot.ts')});
         const { destroy } = CotKernel.prototype;
         CotKernel.prototype.destroy = function () {
           destroy.call(this);
           parentPort.postMessage('destroyed');
         };
         (await import(${url('offline/ot/worker.ts')})).serveOtStream(workerData);
       })();`,
    { eval: true, workerData: control.port2, transferList: [control.port2 as never] },
  );
  worker.on('message', () => destroyed++);
  workers.push(worker);
  return new OtWorker(control.port1 as unknown as Endpoint, port2 as unknown as MessagePortLike);
}

interface Streams {
  readonly channel: Channel;
  readonly ot: OtStream;
}

function threaded(wire: Wire): Streams {
  const { session, ot } = sessionWires(wire);
  return { channel: streamChannel(session), ot: inThread(ot) };
}

/** As `npm run classify` does it. */
const started = (wire: Wire): Streams => startOtThread().open(wire);

async function openPair([a, b]: readonly [Streams, Streams], signal?: AbortSignal) {
  const events: Record<'client' | 'owner', SessionEvent[]> = { client: [], owner: [] };
  const [client, owner] = await Promise.all([
    ClientSession.open(a.channel, {
      ot: a.ot,
      onEvent: (event) => events.client.push(event),
      ...(signal && { signal }),
    }),
    OwnerSession.open(b.channel, model, { ot: b.ot, onEvent: (event) => events.owner.push(event) }),
  ]);
  return { client, owner, served: owner.serve(), events };
}

describe('a session with a stream for oblivious transfers', () => {
  it.each([
    ['in one thread', openStreams, openStreams],
    ['in a Worker on both sides', threaded, threaded],
    ['in a Worker on one side', threaded, openStreams],
    ['in the threads that the commands start', started, started],
  ] as const)('classifies as the reference does, at the planned cost, %s', async (_name, first, second) => {
    const [a, b] = memoryWirePair();
    const { client, owner, served, events } = await openPair([first(a), second(b)]);
    let drawn = 0;
    for (const seed of [3, 4]) {
      const pixels = picture(imageSize, seed);
      const result = await client.classify(pixels);
      const reference = evaluateReference(model.plan, model.weights, inputOf(pixels, model.manifest.architecture));
      expect(result.integerLogits).toHaveLength(reference.logits.length);
      result.integerLogits.forEach((logit, i) => {
        expect(Math.abs(logit - reference.logits[i]) * 2 ** -model.plan.logitFracBits).toBeLessThan(0.1);
      });
      const { cots, flights, ...bytes } = preparationCost(stages, drawn);
      drawn += cots;
      const { phases, layers } = client.report();
      expect(phases.offline).toMatchObject({ ...bytes, flights: flights.ot + flights.rlwe });
      const offline = layers.filter(({ phase }) => phase === 'offline');
      expect(offline.map(({ name }) => name).sort()).toEqual([rlweStep, otStep].sort());
      expect(offline.find(({ name }) => name === otStep)).toMatchObject({ flights: flights.ot });
      expect(offline.find(({ name }) => name === rlweStep)).toMatchObject({ flights: flights.rlwe });
    }
    await client.close();
    await served;
    const [ours, theirs] = [client.report(), owner.report()];
    const handshake = ours.layers.find(({ name }) => name === 'handshake')!;
    const keys = setupCost(stages.flat());
    expect(ours.phases.setup.bytesClientToOwner - handshake.bytesClientToOwner).toBe(keys.bytesClientToOwner);
    expect(ours.phases.setup.bytesOwnerToClient - handshake.bytesOwnerToClient).toBe(keys.bytesOwnerToClient);
    for (const phase of ['setup', 'offline', 'online'] as const) {
      const counted = ({ phases }: typeof ours) => ({ ...phases[phase], elapsedMs: 0 });
      expect(counted(ours)).toEqual(counted(theirs));
    }
    // What the events say of a phase's time is the clock's, of which the two streams' steps share some.
    for (const [list, { phases, layers }] of [
      [events.client, ours],
      [events.owner, theirs],
    ] as const) {
      const meters = list.flatMap((event) => (event.type === 'meters' && event.phase === 'offline' ? [event] : []));
      const last = meters.at(-1)!;
      expect(last.elapsedMs).toBeCloseTo(phases.offline.elapsedMs, 0);
      for (const step of last.steps) expect(step.elapsedMs).toBeLessThanOrEqual(last.elapsedMs + 1);
      expect(last.steps.map(({ name }) => name).sort()).toEqual(
        layers.flatMap(({ name, phase }) => (phase === 'offline' ? [name] : [])).sort(),
      );
    }
    for (const list of Object.values(events)) {
      const fractions = list.flatMap((event) =>
        event.type === 'progress' && event.phase === 'offline' ? [event.fraction] : [],
      );
      expect(fractions.length).toBeGreaterThan(2 * stages.flat().length - 1);
      expect(Math.max(...fractions)).toBeCloseTo(1);
    }
  });

  it('sends the same on each stream, however the two interleave', async () => {
    const run = async (delayed: boolean) => {
      const digests: string[] = [];
      const party = async (wire: Wire, name: 'client' | 'owner') => {
        const { session, ot } = sessionWires(wire);
        const channels = [session, ot].map((each) => new RecordingChannel(streamChannel(delayed ? slow(each) : each)));
        const stream = otStream(channels[1]);
        const random = (label: string) => new Prg(new Uint8Array(32).fill(9), `${name} ${label}`);
        if (name === 'client') {
          const provider = await twoParty.client(channels[0], model.plan, random('offline'), { ot: stream });
          await prepareClient(model.plan, provider, random('shares'), () => {});
        } else {
          const { plan, weights } = model;
          const provider = await twoParty.owner(channels[0], plan, weights, random('offline'), { ot: stream });
          await prepareOwner(plan, weights, provider, random('shares'), () => {});
        }
        for (const direction of ['sent', 'received'] as const)
          for (const channel of channels)
            digests.push(`${name} ${direction} ${bytesToHex(sha256(channel.bytes(direction)))}`);
      };
      const [a, b] = memoryWirePair();
      await Promise.all([party(a, 'client'), party(b, 'owner')]);
      return digests.sort();
    };
    const digests = await run(false);
    expect(new Set(digests).size).toBe(8);
    expect(await run(true)).toEqual(digests);
  });

  it('ends on both sides, and in their Workers, when one gives up in the middle', async () => {
    const [a, b] = memoryWirePair();
    const controller = new AbortController();
    destroyed = 0;
    const { client, served, events } = await openPair([threaded(a), threaded(b)], controller.signal);
    const aborting = setInterval(() => {
      if (events.client.some((event) => event.type === 'progress' && event.phase === 'offline')) controller.abort();
    }, 1);
    const ends = await Promise.allSettled([client.prepare(), served]);
    clearInterval(aborting);
    expect(ends[0]).toMatchObject({ status: 'rejected', reason: { code: 'cancelled' } });
    expect(ends[1]).toMatchObject({ status: 'rejected', reason: { code: 'peer-aborted' } });
    await expect.poll(() => destroyed, { timeout: 10_000 }).toBe(2);
  });

  it.each([
    ['altered', 'checksum', (chunk: Uint8Array) => chunk.map((byte, i) => (i === chunk.length - 1 ? byte ^ 1 : byte))],
    ['truncated', 'length', (chunk: Uint8Array) => chunk.subarray(0, -3)],
  ])('notices an %s message on the stream, whoever sent it', async (_name, code, alter) => {
    for (const sender of [0, 1] as const) {
      const wires = memoryWirePair();
      const send = wires[sender].send.bind(wires[sender]);
      let chunks = 0;
      // Chunks of the second stream carry its number.
      wires[sender].send = (chunk) => send(chunk[0] === 1 && ++chunks === 3 ? alter(chunk) : chunk);
      const { client, served } = await openPair([openStreams(wires[0]), openStreams(wires[1])]);
      const ends = await Promise.allSettled([client.prepare(), served]);
      const [noticing, told] = [ends[1 - sender], ends[sender]];
      expect(noticing).toMatchObject({ status: 'rejected', reason: { name: 'ProtocolError', code } });
      expect(told).toMatchObject({ status: 'rejected', reason: { name: 'ProtocolError', code: 'peer-aborted' } });
    }
  });

  it('ends when the Worker dies', async () => {
    const [a, b] = memoryWirePair();
    const { session } = sessionWires(a);
    const dead = new OtWorker(new MessageChannel().port1 as unknown as Endpoint, {} as MessagePortLike);
    dead.fail(new Error('could not run'));
    const { client, served } = await openPair([{ channel: streamChannel(session), ot: dead }, openStreams(b)]);
    const ends = await Promise.allSettled([client.prepare(), served]);
    expect(ends[0]).toMatchObject({ status: 'rejected', reason: { message: 'could not run' } });
    expect(ends[1]).toMatchObject({ status: 'rejected', reason: { code: 'peer-aborted' } });
  });
});

describe('streams of a wire', () => {
  it('carry chunks to the stream of the same number, and end together', async () => {
    const [a, b] = memoryWirePair().map((wire) => splitWire(wire, 3));
    const got: string[] = [];
    const ended: number[] = [];
    b.forEach((stream, i) => {
      stream.onChunk = (chunk) => got.push(`${i}: ${[...chunk].join(' ')}`);
      stream.onClose = () => ended.push(i);
    });
    await expect(a[0].send(new Uint8Array(2 ** 20))).rejects.toThrow(RangeError);
    await a[2].send(Uint8Array.of(7));
    await a[0].send(Uint8Array.of(1, 2));
    await a[2].send(Uint8Array.of(8));
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(got).toEqual(['2: 7', '0: 1 2', '2: 8']);
    a[1].close();
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(ended).toEqual([0, 1, 2]);
    for (const stream of [...a, ...b]) await expect(stream.send(Uint8Array.of(1))).rejects.toThrow(ProtocolError);
  });

  it('count all that the wire carries as payload or framing, on both sides', async () => {
    const wires = memoryWirePair();
    let carried = 0;
    const send = wires[0].send.bind(wires[0]);
    wires[0].send = (chunk) => {
      carried += chunk.length;
      return send(chunk);
    };
    const [near, far] = wires.map((wire) => splitWire(wire, 2).map((stream) => streamChannel(stream)));
    for (const [i, length] of [1, 65_520, 65_521, 300_000].entries()) {
      near[i % 2].send(new Uint8Array(length));
      await near[i % 2].flush();
      await far[i % 2].receive(length);
    }
    const sum = (channels: Channel[], count: (counters: Channel['counters']) => number) =>
      channels.reduce((total, { counters }) => total + count(counters), 0);
    expect(sum(near, ({ bytesSent, framingBytesSent }) => bytesSent + framingBytesSent)).toBe(carried);
    expect(sum(far, ({ bytesReceived, framingBytesReceived }) => bytesReceived + framingBytesReceived)).toBe(carried);
  });

  it('end on a chunk of no stream: of another version when it is the first', async () => {
    for (const before of [0, 1]) {
      const [a, b] = memoryWirePair();
      const [stream] = splitWire(b, 1);
      const reasons: unknown[] = [];
      stream.onClose = (reason) => reasons.push(reason);
      stream.onChunk = () => {};
      if (before > 0) await splitWire(a, 1)[0].send(Uint8Array.of(1));
      await a.send(new Uint8Array(20));
      await new Promise((resolve) => setTimeout(resolve, 0));
      expect(reasons).toMatchObject([{ code: before > 0 ? 'length' : 'version' }]);
    }
  });
});

/** Holds every chunk back for a while, and longer the fewer bytes it has. */
function slow(wire: Wire): Wire {
  const send = wire.send.bind(wire);
  let sent = Promise.resolve();
  wire.send = (chunk) => {
    sent = sent
      .then(() => new Promise<void>((resolve) => setTimeout(resolve, chunk.length < 5000 ? 3 : 0)))
      .then(() => send(chunk));
    return sent;
  };
  return wire;
}
