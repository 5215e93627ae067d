import { describe, expect, it } from 'vitest';
import type { Channel } from '../../protocols/channel/channel.ts';
import { ProtocolError } from '../../protocols/channel/errors.ts';
import { FramedChannel } from '../../protocols/channel/framed.ts';
import { memoryWirePair } from '../../protocols/channel/memory.ts';
import { inputOf } from '../../protocols/inference/image.ts';
import type { OwnerModel } from '../../protocols/inference/model.ts';
import { compilePlan } from '../../protocols/inference/plan.ts';
import { evaluateReference } from '../../protocols/inference/reference.ts';
import { ClientSession, OwnerSession, type SessionEvent } from '../../protocols/inference/session.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { makeManifest, randomWeights } from '../support/manifest.ts';

function modelOf(manifest = makeManifest()): OwnerModel {
  return { manifest, manifestJson: JSON.stringify(manifest), weights: randomWeights(manifest), plan: compilePlan(manifest) };
}

function channels(): [Channel, Channel] {
  const [a, b] = memoryWirePair();
  return [new FramedChannel(a), new FramedChannel(b)];
}

const picture = (size: number, seed = 5) => new Prg(new Uint8Array(32).fill(seed), 'picture').bytes(size * size * 3);

async function pair(model: OwnerModel, onEvent: (party: 'client' | 'owner', event: SessionEvent) => void = () => {}) {
  const [a, b] = channels();
  const [client, owner] = await Promise.all([
    ClientSession.open(a, { onEvent: (event) => onEvent('client', event) }),
    OwnerSession.open(b, model, { onEvent: (event) => onEvent('owner', event) }),
  ]);
  return { client, owner, served: owner.serve() };
}

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
      result.integerLogits.forEach((logit, i) => {
        expect(Math.abs(logit - reference.logits[i]!) * 2 ** -model.plan.logitFracBits).toBeLessThan(0.1);
      });
      expect(result.probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1);
    }
    await client.close();
    await served;
    expect(owner.served).toBe(2);
  });

  it('measures on both sides, step by step, the bytes and flights that the plan predicts', async () => {
    const { client, owner, served } = await pair(model);
    await client.prepare();
    await client.classify(picture(imageSize));
    await client.close();
    await served;
    for (const session of [client, owner]) {
      const measured = new Map(session.report().layers.filter(({ phase }) => phase === 'online').map((layer) => [layer.name, layer]));
      expect([...measured.keys()].filter((name) => !model.plan.steps.some((step) => step.name === name))).toEqual([]);
      for (const { name, bytesClientToOwner, bytesOwnerToClient, flights } of model.plan.steps) {
        const layer = measured.get(name) ?? { bytesClientToOwner: 0, bytesOwnerToClient: 0, flights: 0 };
        expect({ name, toOwner: layer.bytesClientToOwner, toClient: layer.bytesOwnerToClient, flights: layer.flights }).toEqual({
          name, toOwner: bytesClientToOwner, toClient: bytesOwnerToClient, flights,
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
      expect(list.flatMap((event) => (event.type === 'state' ? [event.state] : []))).toEqual(['connected', 'preparing', 'ready', 'classifying', 'done', 'closed']);
      const online = list.flatMap((event) => (event.type === 'progress' && event.phase === 'online' ? [event.fraction] : []));
      expect(online).toEqual([...online].sort((x, y) => x - y));
      expect(online.at(-1)).toBe(1);
      expect(list.some((event) => event.type === 'meters' && event.steps.some(({ phase }) => phase === 'online'))).toBe(true);
    }
  });

  it('ends on both sides when the client gives up in the middle', async () => {
    const [a, b] = channels();
    const controller = new AbortController();
    const [client, owner] = await Promise.all([
      ClientSession.open(a, {
        signal: controller.signal,
        onEvent: (event) => {
          if (event.type === 'progress' && event.phase === 'online' && event.fraction > 0.3) controller.abort();
        },
      }),
      OwnerSession.open(b, model, { onEvent: () => {} }),
    ]);
    const served = owner.serve();
    const [clientEnd, ownerEnd] = await Promise.allSettled([client.classify(picture(imageSize)), served]);
    expect(clientEnd).toMatchObject({ status: 'rejected', reason: { code: 'cancelled' } });
    expect(ownerEnd).toMatchObject({ status: 'rejected', reason: { code: 'peer-aborted' } });
  });

  it('refuses a manifest that is malformed, oversized or compiles to another plan, and tells the owner', async () => {
    const other = makeManifest({ softmax: 0.5 });
    for (const [tampered, code] of [
      [{ ...model, manifestJson: '{"format":"blindsight-manifest/1"}' }, 'manifest'],
      [{ ...model, manifestJson: ' '.repeat(2 ** 20 + 1) }, 'manifest'],
      [{ ...model, manifestJson: JSON.stringify(other) }, 'plan'],
    ] as const) {
      const [a, b] = channels();
      const owner = OwnerSession.open(b, tampered, { onEvent: () => {} }).then((session) => session.serve());
      const [clientEnd, ownerEnd] = await Promise.allSettled([ClientSession.open(a, { onEvent: () => {} }), owner]);
      expect(clientEnd).toMatchObject({ status: 'rejected', reason: { code } });
      expect(ownerEnd).toMatchObject({ status: 'rejected', reason: { code: 'peer-aborted' } });
    }
  });

  it('refuses another version, and an owner that is asked out of turn', async () => {
    const [a, b] = channels();
    const owner = OwnerSession.open(b, model, { onEvent: () => {} });
    a.send(Uint8Array.of(0x42, 0x4c, 0x47, 0x54, 9, 0, 0, 0));
    await a.flush();
    await expect(owner).rejects.toThrow(/version 1 .* version 9/);

    const [c, d] = channels();
    const [client, second] = await Promise.all([ClientSession.open(c, { onEvent: () => {} }), OwnerSession.open(d, model, { onEvent: () => {} })]);
    const served = second.serve();
    c.send(Uint8Array.of(2));
    await Promise.all([expect(c.receive(1)).rejects.toThrow(ProtocolError), expect(served).rejects.toThrow(/before preparing/)]);
    await expect(client.classify(new Uint8Array(5))).rejects.toThrow(RangeError);
  });
});
