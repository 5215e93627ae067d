// A model of which the client computes the first blocks itself: the protocol begins with the residual stream.
import { describe, expect, it } from 'vitest';
import { ClientSession } from '../../protocols/inference/clientSession.ts';
import { parseManifest } from '../../protocols/inference/manifest.ts';
import { loadOwnerModel, type OwnerModel } from '../../protocols/inference/model.ts';
import { onnxInThread, serveOnnx } from '../../protocols/inference/onnxThread.ts';
import { OwnerSession } from '../../protocols/inference/ownerSession.ts';
import { compilePlan } from '../../protocols/inference/plan.ts';
import { type OnnxRunner, OnnxRunnerError, publicInput } from '../../protocols/inference/publicPart.ts';
import { evaluateReference } from '../../protocols/inference/reference.ts';
import { inputShape } from '../../protocols/inference/vit.ts';
import type { Endpoint } from '../../protocols/offline/endpoint.ts';
import { startOnnxThread } from '../../scripts/lib/onnxRunner.ts';
import { idealOffline } from '../ideal/dealer.ts';
import { endlessOnnx, oneTurnOnnx } from '../support/endlessOnnx.ts';
import { makeManifest } from '../support/manifest.ts';
import { channels, modelOf, picture } from '../support/pairing.ts';
import { publicPartBytes, publicPartOf, runTestPart } from '../support/publicPart.ts';

const shape = { prefixTokens: 1, pool: 'class', positional: false, residualDrop: 1 } as const;
const manifestWith = (blocks: number) =>
  parseManifest(JSON.stringify({ ...makeManifest(shape), publicPart: publicPartOf(blocks) }));

async function open(model: OwnerModel, runOnnx: OnnxRunner | undefined) {
  const [a, b] = channels();
  const offline = idealOffline();
  const onEvent = () => {};
  const opened = OwnerSession.open(b, model, { offline, onEvent });
  opened.catch(() => {});
  const client = await ClientSession.open(a, { offline, onEvent, ...(runOnnx && { runOnnx }) });
  const served = (await opened).serve();
  served.catch(() => {});
  return { client, served };
}

describe.each([0, 1, 2])('%i of 2 blocks are public', (blocks) => {
  const manifest = manifestWith(blocks);
  const model = modelOf(manifest);

  it('classifies as the reference does, at the planned cost', async () => {
    const { client, served } = await open(model, runTestPart(manifest));
    const pixels = picture(manifest.architecture.imageSize);
    const { logits } = await client.classify(pixels);
    const input = await publicInput(pixels, manifest, publicPartBytes, runTestPart(manifest));
    const reference = evaluateReference(model.plan, model.weights, input);
    expect(reference.violations).toEqual([]);
    for (const [i, logit] of logits.entries())
      expect(Math.abs(logit - reference.logits[i] * 2 ** -model.plan.logitFracBits)).toBeLessThan(0.1);
    const { layers } = client.report();
    for (const { name, bytesClientToOwner, bytesOwnerToClient } of model.plan.steps.filter((s) => s.flights > 0))
      expect(layers.find((layer) => layer.phase === 'online' && layer.name === name)).toMatchObject({
        ...{ bytesClientToOwner, bytesOwnerToClient },
      });
    expect(layers.find(({ name }) => name === 'public part')?.bytesOwnerToClient).toBe(publicPartBytes.length);
    await client.close();
    await served;
  });

  it('asks for no weight of a public block, and for no step of it', () => {
    const { steps } = compilePlan(manifest);
    const names = steps.map(({ name }) => name);
    expect(names).not.toContain('patch_embed');
    for (let layer = 0; layer < 2; layer++)
      expect(names.some((name) => name.startsWith(`blocks.${layer}.`))).toBe(layer >= blocks);
    expect(inputShape(manifest)).toEqual({
      ...{ rows: blocks === 2 ? 1 : 17, cols: 16, fracBits: blocks === 0 ? 8 : 7 },
    });
  });
});

describe('a thread of its own', () => {
  const shape = [1, 3, 8, 8] as const;

  it('a file whose run has no end: ended when the user cancels, and after a while; then the next one runs', async () => {
    const image = Float32Array.from({ length: 192 }, (_, i) => i);
    // How long a file takes here that is the same but for its end, with the start of its thread.
    const before = performance.now();
    expect(await onnxInThread(startOnnxThread)(oneTurnOnnx, image, shape)).toEqual(image);
    const limitMs = 3 * (performance.now() - before);
    let ended = 0;
    const run = onnxInThread((onFailure) => {
      const thread = startOnnxThread(onFailure);
      const { terminate } = thread;
      return Object.assign(thread, { terminate: () => terminate().then(() => ended++) });
    }, limitMs);
    const cancel = new AbortController();
    const cancelled = run(endlessOnnx, image, shape, cancel.signal);
    setTimeout(() => cancel.abort(), 0.8 * limitMs);
    await expect(cancelled).rejects.toThrow('cancelled');
    await expect(run(endlessOnnx, image, shape)).rejects.toThrow(/^it took more than [\d.]+ seconds$/);
    await expect.poll(() => ended).toBe(2);
    expect(await run(oneTurnOnnx, image, shape)).toEqual(image);
    await expect(run(publicPartBytes, image, shape)).rejects.toThrow();
    await expect.poll(() => ended).toBe(4);
  }, 120_000);

  it('that cannot run is no fault of the model', async () => {
    const manifest = manifestWith(1);
    const run = onnxInThread((onFailure) => {
      queueMicrotask(onFailure);
      const { port1 } = new MessageChannel();
      return Object.assign(port1 as unknown as Endpoint, { terminate: () => port1.close() });
    });
    const answer = publicInput(picture(manifest.architecture.imageSize), manifest, publicPartBytes, run);
    await expect(answer).rejects.toThrow(OnnxRunnerError);
  });

  it('is kept for the next picture of the same file; runs wait for each other', async () => {
    const started: Endpoint[] = [];
    const loaded: Uint8Array[] = [];
    let running = 0;
    const run = onnxInThread(() => {
      const { port1, port2 } = new MessageChannel();
      serveOnnx(port2 as unknown as Endpoint, async (onnx) => {
        loaded.push(onnx);
        return async (planar) => {
          expect(running++).toBe(0);
          await new Promise((resolve) => setTimeout(resolve, 20));
          running--;
          return planar.map((x) => 2 * x);
        };
      });
      const endpoint = port1 as unknown as Endpoint;
      started.push(endpoint);
      return Object.assign(endpoint, { terminate: () => port1.close() });
    });
    const [one, other] = [Uint8Array.of(1), Uint8Array.of(2)];
    const numbers = [1, 2, 3, 4].map((x) => Float32Array.of(x));
    const results = await Promise.all(numbers.map((x, i) => run(i < 3 ? one : other, x, shape)));
    expect(results.map(([x]) => x)).toEqual([2, 4, 6, 8]);
    expect(loaded).toEqual([one, other]);
    expect(started).toHaveLength(2);
  });
});

describe('what is refused', () => {
  const manifest = manifestWith(1);
  const pixels = picture(manifest.architecture.imageSize);

  it('a client that runs no ONNX', async () => {
    await expect(open(modelOf(manifest), undefined)).rejects.toThrow('the model has a public part');
  });

  it('another file than the manifest names', async () => {
    const model = { ...modelOf(manifest), publicPart: publicPartBytes.map((byte) => byte ^ 1) };
    await expect(open(model, runTestPart(manifest))).rejects.toThrow('is not the file that the manifest names');
  });

  it.each([
    ['a run that fails', async () => Promise.reject(new Error('no such operator')), /cannot be run: no such operator/],
    ['too few numbers', async () => new Float32Array(3), /expected 272 finite numbers/],
    ['a number that is not finite', async () => new Float32Array(272).fill(Number.NaN), /expected 272 finite numbers/],
  ])('%s', async (_what, run, message) => {
    const answer = publicInput(pixels, manifest, publicPartBytes, run);
    await expect(answer).rejects.toMatchObject({ code: 'manifest', message: expect.stringMatching(message) });
  });

  it('a stream beyond its ring is cut', async () => {
    const input = await publicInput(pixels, manifest, publicPartBytes, async () => new Float32Array(272).fill(1e9));
    expect(input[0]).toBe(2 ** (7 + manifest.fixedPoint.residual.magnitudeBits) - 1);
  });

  it('more public blocks than there are', () => {
    expect(() => manifestWith(3)).toThrow('at most `depth` public blocks');
  });

  it('an artifact without the file', () => {
    const files = {
      weightsSha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      onnxSha256: '0'.repeat(64),
    };
    const artifact = {
      manifest: JSON.stringify({ ...manifest, files }),
      weightsIndex: '{"tensors":[]}',
      weights: new ArrayBuffer(0),
    };
    expect(() => loadOwnerModel(artifact)).toThrow('public.onnx is missing');
    expect(() => loadOwnerModel({ ...artifact, publicPart: new ArrayBuffer(9) })).toThrow(
      'public.onnx is not the file',
    );
  });
});
