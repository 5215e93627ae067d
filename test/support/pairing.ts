/** Two sessions in one thread, for tests. */
import type { Channel } from '../../protocols/channel/channel.ts';
import { FramedChannel } from '../../protocols/channel/framed.ts';
import { memoryWirePair } from '../../protocols/channel/memory.ts';
import { ClientSession } from '../../protocols/inference/clientSession.ts';
import type { Manifest } from '../../protocols/inference/manifest.ts';
import type { OwnerModel } from '../../protocols/inference/model.ts';
import type { OfflinePhase } from '../../protocols/inference/offline.ts';
import { OwnerSession } from '../../protocols/inference/ownerSession.ts';
import { type Answer, compilePlan } from '../../protocols/inference/plan.ts';
import type { SessionEvent } from '../../protocols/inference/session.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { idealOffline } from '../ideal/dealer.ts';
import { makeManifest, randomWeights } from './manifest.ts';
import { publicPartBytes } from './publicPart.ts';

export function modelOf(manifest: Manifest = makeManifest(), answer: Answer = 'logits'): OwnerModel {
  return {
    manifest,
    manifestJson: JSON.stringify(manifest),
    weights: randomWeights(manifest),
    plan: compilePlan(manifest, answer),
    ...(manifest.publicPart && { publicPart: publicPartBytes }),
  };
}

export function channels(): [Channel, Channel] {
  const [a, b] = memoryWirePair();
  return [new FramedChannel(a), new FramedChannel(b)];
}

/** Random RGB bytes. */
export const picture = (height: number, seed = 5, width = height): Uint8Array =>
  new Prg(new Uint8Array(32).fill(seed), 'picture').bytes(height * width * 3);

export async function pair(
  model: OwnerModel,
  onEvent: (party: 'client' | 'owner', event: SessionEvent) => void = () => {},
  [a, b]: readonly [Channel, Channel] = channels(),
  offline: OfflinePhase = idealOffline(),
) {
  const [client, owner] = await Promise.all([
    ClientSession.open(a, { offline, onEvent: (event) => onEvent('client', event) }),
    OwnerSession.open(b, model, {
      offline,
      onEvent: (event) => onEvent('owner', event),
      limit: Number.POSITIVE_INFINITY,
    }),
  ]);
  return { client, owner, served: owner.serve() };
}
