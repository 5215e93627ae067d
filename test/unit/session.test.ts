import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Wire } from '../../protocols/channel/channel.ts';
import { ProtocolError } from '../../protocols/channel/errors.ts';
import { FramedChannel } from '../../protocols/channel/framed.ts';
import { memoryWirePair } from '../../protocols/channel/memory.ts';
import { ClientSession } from '../../protocols/inference/clientSession.ts';
import { protocolVersion } from '../../protocols/inference/handshake.ts';
import { inputOf } from '../../protocols/inference/image.ts';
import {
  aheadOf,
  type Budget,
  defaultBudget,
  demandOf,
  handshakeAheadBytes,
} from '../../protocols/inference/limits.ts';
import { loadOwnerModel } from '../../protocols/inference/model.ts';
import { twoParty } from '../../protocols/inference/offline.ts';
import { type OwnerOptions, OwnerSession } from '../../protocols/inference/ownerSession.ts';
import { compilePlan } from '../../protocols/inference/plan.ts';
import { prepareClient, prepareOwner } from '../../protocols/inference/prepare.ts';
import { evaluateReference } from '../../protocols/inference/reference.ts';
import type { SessionEvent } from '../../protocols/inference/session.ts';
import type {
  ClientRequest,
  DrawingProvider,
  OwnerProvider,
  ProgressListener,
} from '../../protocols/offline/correlations.ts';
import { preparationCost, rlweResultCount, setupCost } from '../../protocols/offline/division.ts';
import { correlationWords } from '../../protocols/offline/kinds.ts';
import { maxResults } from '../../protocols/rlwe/noise.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { readModel } from '../../scripts/lib/models.ts';
import { IdealDealer, idealOffline } from '../ideal/dealer.ts';
import { makeManifest } from '../support/manifest.ts';
import { channels, modelOf, pair, picture } from '../support/pairing.ts';

describe('session', () => {
  const model = modelOf();
  const { imageSize } = model.manifest.architecture;

  it('classifies as the reference does, twice on one pairing', async () => {
    const { client, owner, served } = await pair(model);
    for (const seed of [5, 6]) {
      const pixels = picture(imageSize, seed);
      const result = await client.classify(pixels);
      const reference = evaluateReference(model.plan, model.weights, inputOf(pixels, model.manifest.architecture));
      expect(reference.violations).toEqual([]);
      expect(result.integerLogits).toHaveLength(reference.logits.length);
      result.integerLogits.forEach((logit, i) => {
        expect(Math.abs(logit - reference.logits[i]) * 2 ** -model.plan.logitFracBits).toBeLessThan(0.1);
      });
      expect(result.probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1);
    }
    await client.close();
    await served;
    expect(owner.served).toBe(2);
  });

  it('classifies without a dealer, and says what that cost', async () => {
    const { client, owner, served } = await pair(model, undefined, channels(), twoParty);
    const { stages } = model.plan;
    let drawn = 0;
    for (const seed of [7, 8]) {
      const pixels = picture(imageSize, seed);
      const result = await client.classify(pixels);
      const reference = evaluateReference(model.plan, model.weights, inputOf(pixels, model.manifest.architecture));
      expect(result.integerLogits).toHaveLength(reference.logits.length);
      result.integerLogits.forEach((logit, i) => {
        expect(Math.abs(logit - reference.logits[i]) * 2 ** -model.plan.logitFracBits).toBeLessThan(0.1);
      });
      const { cots, flights: _flights, ...predicted } = preparationCost(stages, drawn);
      expect(client.report().phases.offline).toMatchObject(predicted);
      drawn += cots;
    }
    const { phases, layers } = client.report();
    const handshake = layers.find(({ name }) => name === 'handshake')!;
    const keys = setupCost(stages.flat());
    expect(phases.setup.bytesClientToOwner - handshake.bytesClientToOwner).toBe(keys.bytesClientToOwner);
    expect(phases.setup.bytesOwnerToClient - handshake.bytesOwnerToClient).toBe(keys.bytesOwnerToClient);
    await client.close();
    await served;
    const [ours, theirs] = [client.report(), owner.report()];
    expect(ours.correlations).toBe('two-party');
    for (const phase of ['setup', 'offline', 'online'] as const) {
      const { elapsedMs: _ours, ...counted } = ours.phases[phase];
      const { elapsedMs: _theirs, ...countedThere } = theirs.phases[phase];
      expect(counted).toEqual(countedThere);
      expect(counted.bytesClientToOwner).toBeGreaterThan(0);
    }
  });

  it('classifies images of 16-pixel patches, whose 768 values per token take fewer bits on the wire', async () => {
    const large = modelOf(makeManifest({ imageSize: 64, patchSize: 16, depth: 1 }));
    const { architecture } = large.manifest;
    const { output } = large.plan.input;
    expect([output.rows, output.cols]).toEqual([16, 768]);
    expect(output.ringBits).toBeLessThan(32);
    const { client, served } = await pair(large, undefined, channels(), twoParty);
    const pixels = picture(architecture.imageSize);
    const result = await client.classify(pixels);
    await client.close();
    await served;
    const reference = evaluateReference(large.plan, large.weights, inputOf(pixels, architecture));
    expect(reference.violations).toEqual([]);
    expect(result.integerLogits).toHaveLength(reference.logits.length);
    result.integerLogits.forEach((logit, i) => {
      expect(Math.abs(logit - reference.logits[i]) * 2 ** -large.plan.logitFracBits).toBeLessThan(0.1);
    });
    const input = client.report().layers.find(({ name }) => name === 'input')!;
    expect(input.bytesClientToOwner).toBe((64 * 64 * 3 * output.ringBits) / 8);
  });

  it('reveals only the label where the owner wants that', async () => {
    const labelOnly = modelOf(model.manifest, 'label');
    const { client, served } = await pair(labelOnly);
    for (const seed of [1, 2, 3, 4]) {
      const pixels = picture(imageSize, seed);
      const result = await client.classify(pixels);
      const { logits } = evaluateReference(model.plan, model.weights, inputOf(pixels, model.manifest.architecture));
      expect(result).toMatchObject({ logits: [], integerLogits: [], probabilities: [] });
      expect(logits[result.labelIndex] * 2 ** -model.plan.logitFracBits).toBeGreaterThan(
        Math.max(...logits) * 2 ** -model.plan.logitFracBits - 0.1,
      );
    }
    const measured = client.report().layers.find(({ name, phase }) => name === 'head' && phase === 'online')!;
    expect(labelOnly.plan.steps.find(({ name }) => name === 'head')).toMatchObject({
      flights: measured.flights,
      bytesClientToOwner: measured.bytesClientToOwner,
      bytesOwnerToClient: measured.bytesOwnerToClient,
    });
    await client.close();
    await served;
  });

  it('measures on both sides, step by step, the bytes and flights that the plan predicts', async () => {
    const { client, owner, served } = await pair(model);
    await client.prepare();
    await client.classify(picture(imageSize));
    await client.close();
    await served;
    for (const session of [client, owner]) {
      const measured = new Map(
        session
          .report()
          .layers.filter(({ phase }) => phase === 'online')
          .map((layer) => [layer.name, layer]),
      );
      expect([...measured.keys()].filter((name) => !model.plan.steps.some((step) => step.name === name))).toEqual([]);
      for (const { name, bytesClientToOwner, bytesOwnerToClient, flights } of model.plan.steps) {
        const layer = measured.get(name) ?? { bytesClientToOwner: 0, bytesOwnerToClient: 0, flights: 0 };
        expect({
          name,
          toOwner: layer.bytesClientToOwner,
          toClient: layer.bytesOwnerToClient,
          flights: layer.flights,
        }).toEqual({
          name,
          toOwner: bytesClientToOwner,
          toClient: bytesOwnerToClient,
          flights,
        });
      }
    }
  });

  it('reports states, progress and meters to both', async () => {
    const events: Record<'client' | 'owner', SessionEvent[]> = { client: [], owner: [] };
    const { client, served } = await pair(model, (party, event) => events[party].push(event));
    await client.classify(picture(imageSize));
    await client.close();
    await served;
    for (const list of Object.values(events)) {
      expect(list.flatMap((event) => (event.type === 'state' ? [event.state] : []))).toEqual([
        'connected',
        'preparing',
        'ready',
        'classifying',
        'done',
        'closed',
      ]);
      const online = list.flatMap((event) =>
        event.type === 'progress' && event.phase === 'online' ? [event.fraction] : [],
      );
      expect(online).toEqual([...online].sort((x, y) => x - y));
      expect(online.at(-1)).toBe(1);
      expect(list.some((event) => event.type === 'meters' && event.steps.some(({ phase }) => phase === 'online'))).toBe(
        true,
      );
    }
  });

  it('ends on both sides when the client gives up in the middle', async () => {
    const [a, b] = channels();
    const controller = new AbortController();
    const offline = idealOffline();
    const [client, owner] = await Promise.all([
      ClientSession.open(a, {
        signal: controller.signal,
        offline,
        onEvent: (event) => {
          if (event.type === 'progress' && event.phase === 'online' && event.fraction > 0.3) controller.abort();
        },
      }),
      OwnerSession.open(b, model, { offline, onEvent: () => {} }),
    ]);
    const served = owner.serve();
    const [clientEnd, ownerEnd] = await Promise.allSettled([client.classify(picture(imageSize)), served]);
    expect(clientEnd).toMatchObject({ status: 'rejected', reason: { code: 'cancelled' } });
    expect(ownerEnd).toMatchObject({ status: 'rejected', reason: { code: 'peer-aborted' } });
  });

  it.each([
    ['altered', 'checksum', (chunk: Uint8Array) => chunk.map((byte, i) => (i === chunk.length - 1 ? byte ^ 1 : byte))],
    ['truncated', 'length', (chunk: Uint8Array) => chunk.subarray(0, -3)],
  ])('notices an %s message on both sides, whoever sent it', async (_name, code, alter) => {
    for (const sender of ['client', 'owner'] as const) {
      const [a, b] = memoryWirePair();
      const wire = sender === 'client' ? a : b;
      const send = wire.send.bind(wire);
      const offline = idealOffline();
      let chunks = 0;
      wire.send = (chunk) => send(++chunks === 12 ? alter(chunk) : chunk);
      const [client, owner] = await Promise.all([
        ClientSession.open(new FramedChannel(a), { offline, onEvent: () => {} }),
        OwnerSession.open(new FramedChannel(b), model, { offline, onEvent: () => {} }),
      ]);
      const [clientEnd, ownerEnd] = await Promise.allSettled([client.classify(picture(imageSize)), owner.serve()]);
      const [noticing, told] = sender === 'client' ? [ownerEnd, clientEnd] : [clientEnd, ownerEnd];
      expect(noticing).toMatchObject({ status: 'rejected', reason: { name: 'ProtocolError', code } });
      expect(told).toMatchObject({ status: 'rejected', reason: { name: 'ProtocolError', code: 'peer-aborted' } });
    }
  });

  it('ends with a clear error when the peer is gone', async () => {
    const [a, b] = memoryWirePair();
    const offline = idealOffline();
    const [client, owner] = await Promise.all([
      ClientSession.open(new FramedChannel(a), { offline, onEvent: () => {} }),
      OwnerSession.open(new FramedChannel(b), model, {
        offline,
        onEvent: (event) => event.type === 'progress' && event.phase === 'online' && event.fraction > 0.2 && b.close(),
      }),
    ]);
    const ends = await Promise.allSettled([client.classify(picture(imageSize)), owner.serve()]);
    for (const end of ends) expect(end).toMatchObject({ status: 'rejected', reason: { code: 'closed' } });
  });

  it('refuses a manifest that is malformed, oversized or compiles to another plan, and tells the owner', async () => {
    const other = makeManifest({ softmax: 0.5 });
    const withoutPositions = makeManifest({ positional: false });
    for (const [tampered, code] of [
      [{ ...model, manifestJson: '{"format":"blindsight-manifest/1"}' }, 'manifest'],
      [{ ...model, manifestJson: ' '.repeat(2 ** 20 + 1) }, 'manifest'],
      [{ ...model, manifestJson: JSON.stringify(other) }, 'plan'],
      [{ ...model, manifestJson: JSON.stringify(withoutPositions) }, 'plan'],
    ] as const) {
      const [a, b] = channels();
      const owner = OwnerSession.open(b, tampered, { onEvent: () => {} }).then((session) => session.serve());
      const [clientEnd, ownerEnd] = await Promise.allSettled([ClientSession.open(a, { onEvent: () => {} }), owner]);
      expect(clientEnd).toMatchObject({ status: 'rejected', reason: { code } });
      expect(ownerEnd).toMatchObject({ status: 'rejected', reason: { code: 'peer-aborted' } });
    }
  });

  it('refuses a manifest whose plan would send too much, in all or in one flight, naming size and limit', async () => {
    for (const [shape, size] of [
      // What is sent is 1.9 GiB, in rings of a few bits; what is held of it, words.
      [
        {
          imageSize: 16,
          dim: 16,
          depth: 20,
          heads: 8,
          mlpDim: 112,
          gelu: 1,
          softmax: 1,
          positional: false,
          squareUnits: 0,
        },
        /one offline stage would hold 14\d{8} words \(54\d\d MiB\), at most 536870912 words \(2048 MiB\) are accepted/,
      ],
      // 64 tokens · 4,096 hidden units · 1,024 segments · 5 columns · 28 bits: 4.5 GiB a layer.
      [{ imageSize: 16, mlpDim: 4096, gelu: 1 }, /one classification would send 9\d{3} MiB, at most 2048 MiB/],
      // The same of 256 units.
      [{ imageSize: 16, mlpDim: 256, gelu: 1 }, /one flight would send 2[89]\d MiB, at most 256 MiB/],
    ] as const) {
      const manifest = makeManifest(shape);
      for (const { mlp, attn } of manifest.fixedPoint.blocks) {
        if (!mlp) throw new Error('expected MLPs');
        Object.assign(mlp.gelu!, { digitBits: 10, degree: 4 });
        if (shape.squareUnits !== 0) continue;
        const narrow = { coefficientFracBits: 1, basisFracBits: 4, out: { fracBits: 1, magnitudeBits: 0 } };
        Object.assign(mlp.gelu!, narrow);
        Object.assign(attn.exp, { digitBits: 10, ...narrow });
        Object.assign(mlp, { fc2WeightFracBits: 20 });
      }
      const manifestJson = JSON.stringify(manifest);
      const [a, b] = channels();
      const owner = OwnerSession.open(b, { ...model, manifestJson }, { onEvent: () => {} }).then((s) => s.serve());
      const [clientEnd, ownerEnd] = await Promise.allSettled([ClientSession.open(a, { onEvent: () => {} }), owner]);
      expect(clientEnd).toMatchObject({
        status: 'rejected',
        reason: { code: 'manifest', message: expect.stringMatching(size) },
      });
      expect(ownerEnd).toMatchObject({ status: 'rejected', reason: { code: 'peer-aborted' } });
      // Its owner learns the same before a room is open.
      const empty = createHash('sha256').digest('hex');
      const files = {
        manifest: JSON.stringify({ ...manifest, files: { weightsSha256: empty, onnxSha256: empty } }),
        weightsIndex: '{"tensors":[]}',
        weights: new ArrayBuffer(0),
      };
      expect(() => loadOwnerModel(files)).toThrow(size);
    }
  });

  it('counts the words of every correlation, at both parties', async () => {
    const dealer = new IdealDealer(new Uint8Array(32), (name) => model.weights.tensor(name));
    const held = (given: object) => Object.values(given).reduce((sum, { length }: Uint32Array) => sum + length, 0);
    let compared = 0;
    const counting = <P extends DrawingProvider | OwnerProvider>(provider: P, party: 'client' | 'owner') => ({
      ...provider,
      async provide(requests: never[], progress: ProgressListener) {
        const given = await provider.provide(requests, progress);
        for (const [i, { spec }] of (requests as ClientRequest[]).entries()) {
          expect(held(given[i]), `${spec.kind} ${party}`).toBe(correlationWords(spec)[party]);
          compared++;
        }
        return given;
      },
    });
    const random = (party: string) => new Prg(new Uint8Array(32), party);
    await Promise.all([
      prepareClient(model.plan, counting(dealer.client, 'client') as DrawingProvider, random('client'), () => {}),
      prepareOwner(
        model.plan,
        model.weights,
        counting(dealer.owner, 'owner') as OwnerProvider,
        random('owner'),
        () => {},
      ),
    ]);
    expect(compared).toBe(2 * model.plan.stages.flat().length);
  });

  it('takes a tenth of the budget with the models that are shipped, and what a phone allows is a setting', async () => {
    const { plan } = await readModel(fileURLToPath(new URL('../../model-artifacts/zoo/imagenette', import.meta.url)));
    const demand = demandOf(plan);
    for (const key of Object.keys(demand) as (keyof Budget)[])
      expect(10 * demand[key], key).toBeLessThan(defaultBudget[key]);
    const offline = idealOffline();
    const [a, b] = channels();
    const owner = OwnerSession.open(b, model, { offline, onEvent: () => {} }).then((session) => session.serve());
    const budget = { ...defaultBudget, sessionWords: 1000 };
    const [clientEnd] = await Promise.allSettled([
      ClientSession.open(a, { offline, onEvent: () => {}, budget }),
      owner,
    ]);
    expect(clientEnd).toMatchObject({
      reason: { message: expect.stringMatching(/hold \d+ words .* at most 1000 words/) },
    });
  });

  describe('the other side falls silent', () => {
    // From some moment on nothing that the client sends arrives; the connection stays.
    const mutedAt = async (moment: (event: SessionEvent) => boolean, atOnce: boolean, isAsked: boolean) => {
      const [a, b] = memoryWirePair();
      let isMuted = atOnce;
      let reached = 'nothing';
      const muted: Wire = {
        maxChunkBytes: a.maxChunkBytes,
        send: async (chunk) => void (isMuted || (await a.send(chunk))),
        close: () => {},
        get onChunk() {
          return a.onChunk;
        },
        set onChunk(listener) {
          a.onChunk = listener;
        },
        get onClose() {
          return a.onClose;
        },
        set onClose(listener) {
          a.onClose = listener;
        },
      };
      // The limit that counts there is short, the other one longer than the test: which of them ended it is told apart.
      const idle = isAsked ? { protocolMs: 60_000, requestMs: 2000 } : { protocolMs: 4000, requestMs: 60_000 };
      const opened = Promise.all([
        ClientSession.open(new FramedChannel(muted), { onEvent: () => {} }).then((client) =>
          isMuted ? undefined : client.classify(picture(imageSize)),
        ),
        OwnerSession.open(new FramedChannel(b), model, {
          idle,
          onEvent: (event) => {
            if (event.type === 'state' && event.state !== 'closed') reached = event.state;
            isMuted ||= moment(event);
          },
        }).then((owner) => owner.serve()),
      ]);
      const error = await opened.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      return { error, isMuted, reached };
    };
    const state = (name: string) => (event: SessionEvent) => event.type === 'state' && event.state === name;
    const progress = (phase: string, least: number) => (event: SessionEvent) =>
      event.type === 'progress' && event.phase === phase && event.fraction > least;

    it.each([
      ['before the handshake', () => true, true, false, 'nothing'],
      ['where it should ask for something', state('connected'), false, true, 'connected'],
      ['in the setup', progress('setup', -1), false, false, 'preparing'],
      ['in the preparation', progress('offline', 0.3), false, false, 'preparing'],
      ['in the classification', progress('online', 0.3), false, false, 'classifying'],
      ['after it', state('done'), false, true, 'done'],
    ] as const)('%s: the owner gives up, and says so', async (_name, moment, atOnce, isAsked, state) => {
      const { error, ...how } = await mutedAt(moment, atOnce, isAsked);
      expect(how).toEqual({ isMuted: true, reached: state });
      expect(error).toMatchObject({ name: 'ProtocolError', code: 'silent' });
      expect((error as Error).message).toMatch(/the other side was silent for [1-4] seconds/);
    });

    it('so does a client whose owner falls silent', async () => {
      const [a] = channels();
      const ended = ClientSession.open(a, { onEvent: () => {}, idle: { protocolMs: 100 } });
      await expect(ended).rejects.toMatchObject({ code: 'silent' });
    });
  });

  describe('a peer that sends without being asked', () => {
    /** The first chunk of a message of so many bytes: refused by its header, before the rest comes. */
    const beginningOf = (length: number) => {
      const chunk = new Uint8Array(65_536);
      new DataView(chunk.buffer).setUint32(0, length, true);
      return chunk;
    };

    it('is ahead by little before a client has the plan, and by its bytes at an owner, who has it', async () => {
      const onEvent = () => {};
      for (const [most, open] of [
        [handshakeAheadBytes, (channel: FramedChannel) => ClientSession.open(channel, { onEvent })],
        [aheadOf(model.plan, 'owner'), (channel: FramedChannel) => OwnerSession.open(channel, model, { onEvent })],
      ] as const) {
        const [near, far] = memoryWirePair();
        const opened = open(new FramedChannel(near));
        await far.send(beginningOf(most + 1));
        await expect(opened).rejects.toMatchObject({ code: 'length', message: expect.stringContaining('ahead') });
      }
    });

    it('is ahead by no more than a preparation or a classification of the plan afterwards', async () => {
      for (const [length, code] of [
        [aheadOf(model.plan, 'owner') + 1, 'length'], // too far ahead
        [aheadOf(model.plan, 'owner'), 'checksum'], // as far as it may be; the header's number is wrong
      ] as const) {
        const [near, far] = memoryWirePair();
        const { client, served } = await pair(model, undefined, [new FramedChannel(near), new FramedChannel(far)]);
        await near.send(beginningOf(length));
        await expect(served).rejects.toMatchObject({ code });
        await expect(client.prepare()).rejects.toThrow(ProtocolError);
      }
    });
  });

  it('makes no plan with more ring-LWE results than their error allows', () => {
    // Linear layers and attention are counted before anything is built; then the whole plan: here most are in fc1.
    const largest = { imageSize: 64, dim: 1024, depth: 24, heads: 16, mlpDim: 4096, softmax: 1, gelu: 1 };
    expect(() => compilePlan(makeManifest(largest))).toThrow(
      /ring-LWE results: expected at most 33554432, got at least 553795584$/,
    );
    // What is counted ahead is never more than there is: with square units, whose squares are not ring-LWE's.
    const wide = makeManifest({ squareUnits: 1024, gelu: 0, softmax: 0 });
    const { tokens, dim, depth, heads } = wide.architecture;
    const ahead = depth * (heads * tokens ** 2 + 6 * tokens * dim + tokens * 1024);
    expect(rlweResultCount(compilePlan(wide).stages.flat())).toBeGreaterThanOrEqual(ahead);
    const hidden = { imageSize: 32, dim: 256, depth: 24, mlpDim: 4096, softmax: 0, squareUnits: 0 };
    expect(() => compilePlan(makeManifest({ ...hidden, gelu: 1 }))).toThrow(
      /ring-LWE results: expected at most 33554432, got 37\d{6}$/,
    );
    const { stages } = compilePlan(makeManifest({ ...hidden, gelu: 0.8 }));
    expect(rlweResultCount(stages.flat())).toBeGreaterThan(0.8 * maxResults);
  });

  describe('the limit of answers', () => {
    const opened = async (options: Partial<OwnerOptions>) => {
      const offline = idealOffline();
      const [a, b] = channels();
      const events: SessionEvent[] = [];
      const [client, owner] = await Promise.all([
        ClientSession.open(a, { offline, onEvent: () => {} }),
        OwnerSession.open(b, model, { offline, onEvent: (event) => events.push(event), ...options }),
      ]);
      const answers = () => events.flatMap((event) => (event.type === 'answer' ? [event.answers] : []));
      return { client, owner, served: owner.serve(), answers, clientChannel: a };
    };
    const refused = (end: unknown, limit: number) =>
      expect(end).toMatchObject({
        reason: { code: 'peer-aborted', message: expect.stringContaining(`owner serves ${limit} classifications`) },
      });

    it('is a hundred, unless the owner says otherwise', async () => {
      const { client, owner, served } = await opened({ answersBefore: 99 });
      expect(owner.limit).toBe(100);
      await client.classify(picture(imageSize));
      const [again, end] = await Promise.allSettled([client.prepare(), served]);
      refused(again, 100);
      expect(end).toMatchObject({ status: 'rejected', reason: { code: 'refused' } });
    });

    it('counts what was answered before, in sessions from before a reload', async () => {
      const { client, served, answers } = await opened({ limit: 5, answersBefore: 4 });
      await client.classify(picture(imageSize));
      expect(answers()).toEqual([5]);
      const [again] = await Promise.allSettled([client.prepare(), served]);
      refused(again, 5);
    });

    it('may be changed while a client is connected', async () => {
      const { client, owner, served, answers } = await opened({ limit: 1 });
      owner.limit = 2;
      for (const seed of [1, 2]) await client.classify(picture(imageSize, seed));
      expect(answers()).toEqual([1, 2]);
      const [again] = await Promise.allSettled([client.prepare(), served]);
      refused(again, 2);
    });

    it('counts an answer from when it leaves: a client that goes before the owner is done has it all the same', async () => {
      const [a, b] = channels();
      const offline = idealOffline();
      let answers = 0;
      const [client, owner] = await Promise.all([
        ClientSession.open(a, { offline, onEvent: () => {} }),
        OwnerSession.open(b, model, {
          offline,
          onEvent(event) {
            if (event.type !== 'answer') return;
            answers = event.answers;
            a.close().catch(() => {});
          },
        }),
      ]);
      const [, end] = await Promise.allSettled([client.classify(picture(imageSize)), owner.serve()]);
      expect(end.status).toBe('rejected');
      expect([answers, owner.served]).toEqual([1, 0]);
    });

    it('is not spent, and nothing is made, by preparing again and again without an image', async () => {
      const { client, served, answers, clientChannel } = await opened({});
      await client.prepare();
      clientChannel.send(Uint8Array.of(1));
      await clientChannel.flush();
      await expect(served).rejects.toThrow('the client asked to prepare twice for one classification');
      expect(answers()).toEqual([]);
    });
  });

  it('refuses another version, and an owner that is asked out of turn', async () => {
    const [a, b] = channels();
    const owner = OwnerSession.open(b, model, { onEvent: () => {} });
    a.send(Uint8Array.of(0x42, 0x4c, 0x47, 0x54, protocolVersion + 1, 0, 0, 0));
    const reply = a.receive(8);
    await expect(owner).rejects.toThrow(new RegExp(`version ${protocolVersion} .* version ${protocolVersion + 1}`));
    // Before it gives up, the owner says its own version: so the client's side can name the fault.
    expect(await reply).toEqual(Uint8Array.of(0x42, 0x4c, 0x47, 0x54, protocolVersion, 0, 0, 0));

    const [c, d] = channels();
    const [client, second] = await Promise.all([
      ClientSession.open(c, { onEvent: () => {} }),
      OwnerSession.open(d, model, { onEvent: () => {} }),
    ]);
    const served = second.serve();
    c.send(Uint8Array.of(2));
    await Promise.all([
      expect(c.receive(1)).rejects.toThrow(ProtocolError),
      expect(served).rejects.toThrow(/before preparing/),
    ]);
    await expect(client.classify(new Uint8Array(5))).rejects.toThrow(RangeError);
  });
});
