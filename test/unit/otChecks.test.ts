// What a party gains that sends something inconsistent, and that the consistency checks find it: SoftSpokenOT in both directions, Ferret.
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { blockBytes, CotKernel, type SoftSpokenFold } from '../../protocols/kernels/cot.ts';
import { type Tweak, TweakSource } from '../../protocols/kernels/tweaks.ts';
import type { OtBasedSpec } from '../../protocols/offline/correlations.ts';
import { CotClient, CotOwner } from '../../protocols/ot/cot.ts';
import { parityCount } from '../../protocols/ot/parityCheck.ts';
import {
  baseChoices,
  baseOtCount,
  extensionParities,
  SoftSpokenReceiver,
  SoftSpokenSender,
} from '../../protocols/ot/softSpoken.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { drawOperands, wrongPlaces } from '../ideal/ot.ts';
import { channelPair, otPair, smallParameters } from '../ideal/otPair.ts';
import { runEndToEnd } from '../support/endToEnd.ts';
import { keyOf } from '../support/keys.ts';
import { randomModels } from '../support/randomManifest.ts';
import { anyTweak } from '../support/tweaks.ts';

vi.mock('../../protocols/ot/baseOt.ts', () => import('../ideal/baseOt.ts'));

const seed = (fill: number) => new Uint8Array(32).fill(fill);
const checked = { ...smallParameters, checks: true };
const trees = 16;

/** Makes a SoftSpokenOT receiver inconsistent: tree `tree` of an extension has another choice for COT `cot` than the others. */
function alterCorrections(kernel: CotKernel, places: readonly { tree: number; cot: number }[]): void {
  const original = kernel.softSpokenFold.bind(kernel);
  let calls = 0;
  kernel.softSpokenFold = (tweak: Tweak, fold: SoftSpokenFold) => {
    original(tweak, fold);
    const tree = calls++ % trees;
    for (const place of places) {
      if (place.tree === tree) kernel.bytes(fold.u + (place.cot >> 3), 1)[0] ^= 1 << (place.cot & 7);
    }
  };
}

/** One SoftSpokenOT, its base OTs ideal. */
function softSpoken(fill: number) {
  const random = new Prg(seed(fill), 'softSpoken');
  const delta = random.bytes(blockBytes);
  delta[0] |= 1;
  const pairs = Array.from({ length: baseOtCount }, () => [random.bytes(16), random.bytes(16)] as const);
  const keys = [...baseChoices(delta)].map((choice, i) => pairs[i][choice]);
  const kernels = { sender: new CotKernel(), receiver: new CotKernel() };
  const receiver = new SoftSpokenReceiver(kernels.receiver, pairs, new TweakSource('forward'));
  const sender = () =>
    new SoftSpokenSender(kernels.sender, delta, keys, receiver.setupMessage, new TweakSource('forward'));
  return { delta, kernels, receiver, sender };
}

/** One extension of 64 COTs, and whether the sender accepts the receiver's proof. */
function extendWithProof({ delta, kernels, receiver, sender }: ReturnType<typeof softSpoken>): boolean {
  const { receiver: ours, sender: theirs } = kernels;
  const { blocks, message } = receiver.extend(64 + parityCount);
  const keys = sender().extend(64 + parityCount, message);
  const proof = extensionParities(ours, receiver.setupMessage, message, blocks, 64).proof();
  return extensionParities(theirs, receiver.setupMessage, message, keys, 64).isProvedBy(proof, delta);
}

describe('an owner whose SoftSpokenOT is inconsistent', () => {
  it('without the check learns all of Δ from one known text for each byte', () => {
    const { delta, kernels, receiver, sender } = softSpoken(1);
    alterCorrections(
      kernels.receiver,
      Array.from({ length: trees }, (_, tree) => ({ tree, cot: tree })),
    );
    const { blocks, message } = receiver.extend(64);
    const keys = sender().extend(64, message);
    const hash = (kernel: CotKernel, block: Uint8Array) => {
      const address = kernel.put(block, 3 * blockBytes);
      kernel.hash(anyTweak('output', 0, 0), address, 1, address);
      return String(kernel.bytes(address, blockBytes));
    };
    const learnt = new Uint8Array(blockBytes);
    for (let tree = 0; tree < trees; tree++) {
      const mac = kernels.receiver.bytes(blocks + tree * blockBytes, blockBytes).slice();
      // The client's message for the owner's choice hides a text that the owner knows: so it knows the pad.
      const key = kernels.sender.bytes(keys + tree * blockBytes, blockBytes).slice();
      const pad = hash(
        kernels.sender,
        key.map((byte, i) => byte ^ (mac[0] & 1 ? delta[i] : 0)),
      );
      const guesses = Array.from({ length: 256 }, (_, guess) => guess).filter((guess) => {
        // Bit 0 is no part of a key: it carries the choice.
        if (tree === 0 && (guess & 1) === 0) return false;
        const block = mac.slice();
        block[tree] ^= tree === 0 ? guess & 0xfe : guess;
        return hash(kernels.receiver, block) === pad;
      });
      expect(guesses.length).toBe(1);
      learnt[tree] = guesses[0];
    }
    expect(learnt).toEqual(delta);
  });

  it('is found by the check, whichever tree it alters', () => {
    expect(extendWithProof(softSpoken(2))).toBe(true);
    for (let tree = 0; tree < trees; tree++) {
      const pair = softSpoken(3);
      alterCorrections(pair.kernels.receiver, [{ tree, cot: 63 - tree }]);
      expect(extendWithProof(pair), `tree ${tree}`).toBe(false);
    }
  });

  it('is found too when its trees, not its corrections, are wrong', () => {
    // A level has two messages, of which the sender uses one: the half of Δ's bits that take the other notice nothing.
    let found = 0;
    for (let level = 0; level < 7; level++) {
      for (const side of [0, 1]) {
        const pair = softSpoken(4);
        pair.receiver.setupMessage[5 * 7 * 32 + (2 * level + side) * blockBytes] ^= 1;
        if (!extendWithProof(pair)) found++;
      }
    }
    expect(found).toBe(7);
  });

  it('passes only with the byte of Δ that it guessed', () => {
    const pair = softSpoken(5);
    const { delta, kernels, receiver, sender } = pair;
    alterCorrections(kernels.receiver, [{ tree: 7, cot: 9 }]);
    const { blocks, message } = receiver.extend(64 + parityCount);
    const keys = sender().extend(64 + parityCount, message);
    const theirs = extensionParities(kernels.sender, receiver.setupMessage, message, keys, 64);
    const passing = Array.from({ length: 256 }, (_, guess) => guess).filter((guess) => {
      // What the client's COT 9 would be if the guess were right.
      const flip = () => {
        kernels.receiver.bytes(blocks + 9 * blockBytes, blockBytes)[7] ^= guess;
      };
      flip();
      const proof = extensionParities(kernels.receiver, receiver.setupMessage, message, blocks, 64).proof();
      flip();
      return theirs.isProvedBy(proof, delta);
    });
    expect(passing).toEqual([delta[7]]);
  });

  it('ends the set-up when checks are on, and is not noticed when they are off', async () => {
    const run = async (parameters: typeof checked) => {
      const { client, owner } = channelPair();
      const kernel = new CotKernel();
      alterCorrections(kernel, [{ tree: 11, cot: 300 }]);
      const owners = CotOwner.setup(owner.channel, new Prg(seed(6), 'owner'), parameters, kernel);
      owners.catch(() => {});
      try {
        await CotClient.setup(client.channel, new Prg(seed(6), 'client'), parameters);
      } catch (error) {
        await client.channel.close(error as Error).catch(() => {});
        throw error;
      }
    };
    await expect(run(smallParameters)).resolves.toBeUndefined();
    await expect(run(checked)).rejects.toMatchObject({ code: 'value', protocol: 'softSpoken' });
  });
});

/** Makes a client's tree wrong: bit `bit` of level `level` of the `at`-th tree from now on. */
function alterTree(kernel: CotKernel, at: number, level: number, bit: number): void {
  const original = kernel.ggmSend.bind(kernel);
  let calls = 0;
  kernel.ggmSend = (tweak, tree, delta) => {
    original(tweak, tree, delta);
    if (tweak.label !== 'tree' || calls++ !== at) return;
    kernel.bytes(tree.message + (level - 2) * blockBytes + (bit >> 3), 1)[0] ^= 1 << (bit & 7);
  };
}

const square: OtBasedSpec = { kind: 'square', key: keyOf('square'), ringBits: 20, count: 200 };
const scale: OtBasedSpec = { kind: 'scale', key: keyOf('scale'), ringBits: 27, rows: 4, cols: 16 };
const kernelOf = (provider: unknown) => (provider as { cots: { kernel: CotKernel } }).cots.kernel;

/** One stage with a client that `cheat` makes dishonest; an error ends both sides. @returns wrong places. */
async function runStage(parameters: typeof checked, spec: OtBasedSpec, cheat: (kernel: CotKernel) => void) {
  const { channels, client, owner, random } = await otPair(seed(7), {}, parameters);
  cheat(kernelOf(client));
  const operands = drawOperands(spec, random);
  const given = client.provide([operands.client]);
  given.catch(() => {});
  try {
    const [taken] = await owner.provide([operands.owner]);
    return wrongPlaces(operands, (await given)[0], taken);
  } catch (error) {
    await channels.owner.channel.close(error as Error).catch(() => {});
    throw error;
  }
}

describe('a client whose Ferret is inconsistent', () => {
  // Of a round's first trees, which the next round starts from, and of later ones; any level, the last one included.
  const places = [
    [0, 2, 1],
    [3, 5, 127],
    [12, 7, 8],
    [20, 4, 64],
  ] as const;

  it.each(places)('is found by the check: tree %i, level %i, bit %i', async (at, level, bit) => {
    const cheat = (kernel: CotKernel) => alterTree(kernel, at, level, bit);
    await expect(runStage(checked, square, cheat)).rejects.toMatchObject({ code: 'value', protocol: 'ferret' });
  });

  it('is not noticed without the check, and makes correlations wrong', async () => {
    expect(await runStage(smallParameters, square, (kernel) => alterTree(kernel, 12, 7, 8))).toBeGreaterThan(0);
  });

  it('is found in the set-up’s round by the first draw’s check', async () => {
    const kernel = new CotKernel();
    alterTree(kernel, 5, 3, 9);
    const { client, owner } = channelPair();
    const [sender, receiver] = await Promise.all([
      CotClient.setup(client.channel, new Prg(seed(8), 'client'), checked, kernel),
      CotOwner.setup(owner.channel, new Prg(seed(8), 'owner'), checked),
    ]);
    const { message, prove } = sender.draw(100);
    const { check } = receiver.draw(100, message);
    const digest = prove!(check!.choices);
    expect(() => check!.verify(digest)).toThrow(expect.objectContaining({ code: 'value', protocol: 'ferret' }));
  });

  it('does not change the owner’s choices, checks or not', async () => {
    const choicesOf = async (cheat: (kernel: CotKernel) => void) => {
      const kernel = new CotKernel();
      cheat(kernel);
      const { client, owner } = channelPair();
      const [sender, receiver] = await Promise.all([
        CotClient.setup(client.channel, new Prg(seed(9), 'client'), smallParameters, kernel),
        CotOwner.setup(owner.channel, new Prg(seed(9), 'owner'), smallParameters),
      ]);
      const count = 5000;
      const blocks = receiver.kernel.words(receiver.draw(count, sender.draw(count).message).address, 4 * count);
      return { choices: blocks.filter((_, i) => i % 4 === 0).map((word) => word & 1), blocks: blocks.slice() };
    };
    const honest = await choicesOf(() => {});
    // Everything that the client sends for its trees is noise.
    const random = new Prg(seed(10), 'noise');
    const deviating = await choicesOf((kernel) => {
      const original = kernel.ggmSend.bind(kernel);
      kernel.ggmSend = (tweak, tree, delta) => {
        original(tweak, tree, delta);
        kernel.bytes(tree.message, (tree.depth - 1) * blockBytes).set(random.bytes((tree.depth - 1) * blockBytes));
      };
    });
    expect(deviating.choices).toEqual(honest.choices);
    expect(deviating.blocks).not.toEqual(honest.blocks);
  });
});

describe('a client whose SoftSpokenOT in the other direction is inconsistent', () => {
  const cheat = (kernel: CotKernel) => alterCorrections(kernel, [{ tree: 4, cot: 50 }]);

  it('is found by the check', async () => {
    await expect(runStage(checked, scale, cheat)).rejects.toMatchObject({ code: 'value', protocol: 'softSpoken' });
  });

  it('is not noticed without it', async () => {
    expect(await runStage(smallParameters, scale, cheat)).toBeGreaterThan(0);
  });
});

describe('a session', () => {
  it.each([
    { client: true, owner: false },
    { client: false, owner: true },
  ])('is checked when either side asks, at the planned bytes and flights: $client, $owner', async (otChecks) => {
    const [model] = fc.sample(randomModels, { seed: 3, numRuns: 1 });
    await runEndToEnd(model, {
      parameters: smallParameters,
      isParallel: otChecks.owner,
      classifications: 1,
      otChecks,
    });
  });
});
