// The owner's ring-LWE answers in threads of their own: the same to the bit as in the thread that asks, and an end for every thread.
import { afterAll, describe, expect, it } from 'vitest';
import { memoryWirePair } from '../../protocols/channel/memory.ts';
import { ClientSession } from '../../protocols/inference/clientSession.ts';
import { inputOf } from '../../protocols/inference/image.ts';
import { OwnerSession } from '../../protocols/inference/ownerSession.ts';
import { evaluateReference } from '../../protocols/inference/reference.ts';
import { openStreams } from '../../protocols/inference/sessionStreams.ts';
import { nttKernel } from '../../protocols/kernels/ntt.ts';
import type { RlweSpec } from '../../protocols/offline/correlations.ts';
import { cutIntoJobs } from '../../protocols/offline/rlwe/answerJobs.ts';
import { rlweLayout } from '../../protocols/offline/rlwe/costs.ts';
import { AnswerPool, type AnswerWorker, defaultWorkers } from '../../protocols/offline/rlwe/pool.ts';
import { fieldOf } from '../../protocols/sharing/field.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { startThread, type Thread } from '../../scripts/lib/thread.ts';
import { drawRlweOperands, rlwePair } from '../ideal/rlwe.ts';
import { keyOf } from '../support/keys.ts';
import { modelOf, picture } from '../support/pairing.ts';

const seed = new Uint8Array(32).fill(7);
const answerWorker = 'answerWorker.ts';
const dyingWorker = new URL('../support/dyingWorker.ts', import.meta.url).href;

/** Threads that were started, and how many have ended. */
class Threads {
  readonly all: Thread[] = [];
  ended = 0;
  readonly #ends: Promise<unknown>[] = [];

  /** @param alter what a test does to a Worker's handle. */
  pool(workers: number, module = answerWorker, alter: (thread: Thread) => void = () => {}): AnswerPool {
    return new AnswerPool(workers, (onFailure): AnswerWorker => {
      const thread = startThread(module, onFailure);
      const terminate = thread.terminate.bind(thread);
      thread.terminate = () => {
        const end = terminate().then(() => void this.ended++);
        this.#ends.push(end);
        return end;
      };
      alter(thread);
      this.all.push(thread);
      return thread;
    });
  }

  /** Of all that were started. */
  async end(): Promise<number> {
    await Promise.all(this.#ends);
    return this.ended;
  }
}

const started: Threads[] = [];
const threads = (): Threads => {
  const some = new Threads();
  started.push(some);
  return some;
};
afterAll(() => Promise.all(started.flatMap(({ all }) => all.map((thread) => thread.terminate()))));

const linear = { ringBits: 32, tokens: 64, inputs: 64, weightBits: 11 };
const stage: readonly RlweSpec[] = [
  { ...linear, kind: 'linear', key: keyOf('qkv'), outputs: 192, weights: 'qkv' },
  { ...linear, kind: 'linear', key: keyOf('proj'), ringBits: 28, outputs: 64, weights: 'proj', drawnInputs: 48 },
  { kind: 'matmul', key: keyOf('scores'), ringBits: 29, batch: 2, rows: 33, inner: 32, cols: 33 },
  { kind: 'sumOfSquares', key: keyOf('sum'), ringBits: 22, rows: 64, cols: 256 },
  { kind: 'scale', key: keyOf('scale'), ringBits: 27, rows: 64, cols: 256 },
  { kind: 'ole', key: keyOf('ole'), ringBits: 17, modulus: fieldOf(2 ** 16), terms: 3, rows: 40, cols: 60 },
];
const operands = stage.map((spec) => drawRlweOperands(spec, new Prg(seed, spec.key.step)));

/** Two stages: all that the client got, and both sides' shares. */
async function run(pool: AnswerPool) {
  const { channels, draw, provide, destroy } = await rlwePair(seed, operands, { owner: { pool } });
  const shares = [await provide(await draw()), await provide(await draw())].flat(2).map(({ share }) => share);
  destroy();
  return { bytes: channels.client.recording.bytes('received'), shares };
}

describe('a pool of Workers for the answers', () => {
  it('answers as the thread that asks does, to the bit, and ends with the keys', async () => {
    const expected = await run(new AnswerPool());
    // Tables are kept.
    const before = nttKernel().arena.usedBytes;
    for (const workers of [1, 3]) {
      const some = threads();
      const pool = some.pool(workers);
      const got = await run(pool);
      expect(got.bytes).toEqual(expected.bytes);
      expect(got.shares).toEqual(expected.shares);
      // One would gain nothing: there is none.
      expect([some.all.length, await some.end()]).toEqual(workers === 1 ? [0, 0] : [3, 3]);
    }
    expect(nttKernel().arena.usedBytes).toBe(before);
  }, 120_000);

  it('cuts a request into jobs that take no ciphertext that they do not use', () => {
    const [spec] = stage;
    const layout = rlweLayout(spec);
    const uploads = Array.from({ length: layout.uploads }, () => ({ b: new Uint8Array(), a: new Uint32Array() }));
    const request = { spec, input: { weights: operands[0].weights }, uploads, seed, key: seed };
    for (const ms of [Number.POSITIVE_INFINITY, layout.work / 3, 0.001]) {
      const jobs = [...cutIntoJobs(request, ms)];
      expect(jobs.length).toBe(ms === 0.001 ? layout.answers.length : Math.max(1, Math.ceil(layout.work / ms)));
      let next = 0;
      for (const { first, end, uploads: taken } of jobs) {
        expect(first).toBe(next);
        next = end;
        const used = new Set<number>();
        for (let answer = first; answer < end; answer++)
          for (let leaf = 0; leaf < layout.answers[answer].leaves; leaf++)
            for (const { upload } of layout.leaf(request.input as never, answer, leaf, new Prg(seed, '')))
              used.add(upload);
        expect([...taken.keys()].sort()).toEqual([...used].sort());
      }
      expect(next).toBe(layout.answers.length);
    }
  });

  it('has a Worker for each core but one, up to a limit; none on two cores', () => {
    expect(
      [1, 2, 3, 4, 8, 16, 64].map((cores) => new AnswerPool(defaultWorkers(cores), () => expect.fail()).size),
    ).toEqual([0, 0, 2, 3, 3, 3, 3]);
    expect(new AnswerPool(4).size).toBe(0); // nothing to start them with
  });

  it('ends with what is wrong with a ciphertext, as the thread that asks does', async () => {
    for (const workers of [0, 3]) {
      const some = threads();
      const pair = await rlwePair(seed, operands.slice(0, 1), { owner: { pool: some.pool(workers) } });
      await pair.client.send([operands[0].client]);
      const uploads = await pair.owner.receive([operands[0].owner]);
      uploads[0].fill(0xff, 0, 64);
      await expect(pair.owner.send([operands[0].owner], uploads)).rejects.toMatchObject({
        name: 'ProtocolError',
        code: 'value',
        message: 'rlwe: expected residues below their prime',
      });
      expect(await some.end()).toBe(workers);
    }
  });

  it('names no value of an error that is a Worker’s own', async () => {
    const some = threads();
    // Without keys its program fails.
    const pool = some.pool(2, answerWorker, (thread) => {
      const post = thread.postMessage.bind(thread);
      thread.postMessage = (message, transfer) =>
        void ((message as { type: string }).type === 'job' && post(message, transfer));
    });
    const pair = await rlwePair(seed, operands.slice(0, 1), { owner: { pool } });
    const ends = Promise.all([pair.client.send([operands[0].client]), pair.owner.provide([operands[0].owner])]);
    await expect(ends).rejects.toThrow('ring-LWE Worker: TypeError');
    expect(await some.end()).toBe(2);
  });

  it('ends when a Worker does', async () => {
    const some = threads();
    const pool = some.pool(3, dyingWorker);
    const pair = await rlwePair(seed, operands, { owner: { pool } });
    const asked = await pair.draw();
    void pair.client.provide(asked.map((each) => each.client)).catch(() => {});
    await expect(pair.owner.provide(asked.map((each) => each.owner))).rejects.toThrow('ended by itself, with code 3');
    expect(await some.end()).toBe(3);
    await expect(pool.room()).rejects.toThrow('ended by itself, with code 3');
  });

  it('ends with `cancelled` when the signal is aborted in the middle', async () => {
    for (const workers of [0, 2]) {
      const some = threads();
      const controller = new AbortController();
      const pair = await rlwePair(seed, operands, { owner: { pool: some.pool(workers), signal: controller.signal } });
      const asked = await pair.draw();
      void pair.client.provide(asked.map((each) => each.client)).catch(() => {});
      const before = performance.now();
      const ended = pair.owner.provide(
        asked.map((each) => each.owner),
        () => controller.abort(),
      );
      await expect(ended).rejects.toMatchObject({ code: 'cancelled', protocol: 'rlwe' });
      expect(performance.now() - before).toBeLessThan(30_000);
      expect(await some.end()).toBe(workers);
    }
  });
});

describe('a session whose owner has a pool', () => {
  const model = modelOf();
  const { imageSize } = model.manifest.architecture;

  async function open(pool: AnswerPool) {
    const [a, b] = memoryWirePair();
    const onEvent = () => {};
    const [ours, theirs] = [openStreams(a), openStreams(b)];
    const [client, owner] = await Promise.all([
      ClientSession.open(ours.channel, { ot: ours.ot, onEvent }),
      OwnerSession.open(theirs.channel, model, { ot: theirs.ot, onEvent, pool }),
    ]);
    return { client, served: owner.serve() };
  }

  it('classifies as the reference does, twice, and ends them with itself', async () => {
    const some = threads();
    const { client, served } = await open(some.pool(3));
    for (const drawn of [3, 4]) {
      const pixels = picture(imageSize, drawn);
      const { integerLogits } = await client.classify(pixels);
      const reference = evaluateReference(model.plan, model.weights, inputOf(pixels, model.manifest.architecture));
      integerLogits.forEach((logit, i) => {
        expect(Math.abs(logit - reference.logits[i]) * 2 ** -model.plan.logitFracBits).toBeLessThan(0.1);
      });
    }
    expect(some.ended).toBe(0);
    await client.close();
    await served;
    expect([some.all.length, await some.end()]).toEqual([3, 3]);
  });

  it('ends on both sides when a Worker does', async () => {
    const some = threads();
    const { client, served } = await open(some.pool(2, dyingWorker));
    const ends = await Promise.allSettled([client.prepare(), served]);
    expect(ends).toMatchObject([
      { status: 'rejected', reason: { name: 'ProtocolError', code: 'peer-aborted' } },
      { status: 'rejected', reason: { message: expect.stringMatching(/ended by itself, with code 3/) } },
    ]);
    expect(await some.end()).toBe(2);
  });

  it.each(['before it prepared', 'in the handshake'])('ends Workers that were started early, %s', async (when) => {
    const some = threads();
    const pool = some.pool(2);
    pool.open();
    if (when === 'in the handshake') {
      const [a, b] = memoryWirePair();
      const { channel, ot } = openStreams(b);
      const opening = OwnerSession.open(channel, model, { ot, onEvent: () => {}, pool });
      a.close();
      await expect(opening).rejects.toMatchObject({ name: 'ProtocolError' });
    } else {
      const { client, served } = await open(pool);
      await client.close();
      await served;
    }
    expect(await some.end()).toBe(2);
  });
});
