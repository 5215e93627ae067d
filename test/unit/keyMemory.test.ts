// Sessions own their keys: however one ends, they are overwritten, and the kernels' memory stays as it was.
import { describe, expect, it, vi } from 'vitest';
import { memoryWirePair } from '../../protocols/channel/memory.ts';
import { ClientSession } from '../../protocols/inference/clientSession.ts';
import { OwnerSession } from '../../protocols/inference/ownerSession.ts';
import type { SessionEvent } from '../../protocols/inference/session.ts';
import { sessionWires, streamChannel } from '../../protocols/inference/sessionStreams.ts';
import { CotKernel } from '../../protocols/kernels/cot.ts';
import { nttKernel } from '../../protocols/kernels/ntt.ts';
import { otStream } from '../../protocols/offline/ot/stream.ts';
import { SecretKey } from '../../protocols/rlwe/keys.ts';
import { parameterSets } from '../../protocols/rlwe/parameters.ts';
import { Ring } from '../../protocols/rlwe/ring.ts';
import { systemPrg } from '../../protocols/sharing/prg.ts';
import { smallParameters } from '../ideal/otPair.ts';
import { makeManifest } from '../support/manifest.ts';
import { modelOf, picture } from '../support/pairing.ts';
import { offlineWith } from '../support/smallOffline.ts';

vi.mock('../../protocols/ot/baseOt.ts', () => import('../ideal/baseOt.ts'));

const model = modelOf(makeManifest({ imageSize: 4, dim: 8, depth: 1, mlpDim: 8, squareUnits: 0 }));

/** How a session may end, by what happens during it. */
const endings = {
  'the client closes': async (client: ClientSession) => {
    await client.classify(picture(model.manifest.architecture.imageSize));
    await client.close();
  },
  'the client closes before it prepared': (client: ClientSession) => client.close(),
  'the client gives up in the middle': async (client: ClientSession) => {
    await client.prepare(); // the first piece of it that is done ends it
  },
  'the wire breaks': async (client: ClientSession, breakOff: () => void) => {
    await client.prepare();
    breakOff();
    await client.classify(picture(model.manifest.architecture.imageSize));
  },
};

async function session(name: keyof typeof endings, isParallel: boolean): Promise<void> {
  const wires = memoryWirePair();
  const [a, b] = wires.map((wire) => {
    const { session, ot } = sessionWires(wire);
    const channel = streamChannel(session);
    return isParallel ? { channel, ot: otStream(streamChannel(ot), { parameters: smallParameters }) } : { channel };
  });
  const abort = new AbortController();
  const offline = offlineWith();
  const onEvent = (event: SessionEvent) => {
    if (name.includes('gives up') && event.type === 'progress' && event.phase === 'offline') abort.abort();
  };
  const [client, owner] = await Promise.all([
    ClientSession.open(a.channel, { ...a, offline, signal: abort.signal, onEvent }),
    OwnerSession.open(b.channel, model, { ...b, offline, onEvent: () => {} }),
  ]);
  await Promise.allSettled([owner.serve(), endings[name](client, () => wires[0].close())]);
}

describe('keys', () => {
  it('leave no memory behind, however a session ends', async () => {
    const { arena } = nttKernel();
    const cleared = vi.spyOn(CotKernel.prototype, 'destroy');
    // Tables of the rings and constants are made once and kept.
    await session('the client closes', false);
    const { usedBytes } = arena;
    const { byteLength } = arena.memory.buffer;
    for (let round = 0; round < 3; round++) {
      for (const name of Object.keys(endings) as (keyof typeof endings)[]) {
        const before = cleared.mock.calls.length;
        await session(name, round === 1);
        expect({ name, usedBytes: arena.usedBytes }).toEqual({ name, usedBytes });
        // Both parties' OT kernels, where keys had been made.
        expect(cleared.mock.calls.length - before).toBe(name.includes('before') ? 0 : 2);
      }
    }
    expect(arena.memory.buffer.byteLength).toBe(byteLength);
  });

  it('are overwritten with zeros', () => {
    const ring = Ring.of(parameterSets[0]);
    const { arena } = nttKernel();
    const clear = vi.spyOn(Ring.prototype, 'clear');
    const key = new SecretKey(ring, systemPrg('key'));
    clear.mockClear();
    key.destroy();
    const [address] = clear.mock.calls[0];
    expect(arena.words(address, (2 * ring.bytesPerPolynomial) / 4).every((word) => word === 0)).toBe(true);
    const kernel = new CotKernel();
    const at = kernel.put(new Uint8Array(64).fill(7));
    kernel.destroy();
    expect(kernel.bytes(at, 64).every((byte) => byte === 0)).toBe(true);
  });
});
