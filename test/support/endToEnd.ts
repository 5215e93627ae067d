/** One model from end to end between two parties alone, against the reference and the plan: what property tests over manifests check. */

import { expect } from 'vitest';
import { FramedChannel } from '../../protocols/channel/framed.ts';
import { memoryWirePair } from '../../protocols/channel/memory.ts';
import { ClientSession } from '../../protocols/inference/clientSession.ts';
import { OwnerSession } from '../../protocols/inference/ownerSession.ts';
import { publicInput, publicPartStep } from '../../protocols/inference/publicPart.ts';
import { evaluateReference } from '../../protocols/inference/reference.ts';
import { sessionWires, streamChannel } from '../../protocols/inference/sessionStreams.ts';
import { preparationCost, setupCost } from '../../protocols/offline/division.ts';
import type { OtParameters } from '../../protocols/offline/ot/segments.ts';
import { otStream } from '../../protocols/offline/ot/stream.ts';
import { randomWeights } from './manifest.ts';
import { modelOf, picture } from './pairing.ts';
import { runTestPart } from './publicPart.ts';
import type { RandomModel } from './randomManifest.ts';
import { offlineWith } from './smallOffline.ts';

export interface EndToEndOptions {
  readonly parameters: OtParameters;
  /** Whether the oblivious transfers have a stream of their own. */
  readonly isParallel: boolean;
  readonly classifications: number;
  /** Who asks for consistency checks; one of the two is enough. */
  readonly otChecks?: { readonly client: boolean; readonly owner: boolean };
}

/**
 * Pairs, classifies, and expects every byte and flight of the plan, on both sides, and the reference's answer.
 * @returns the largest difference from the reference's logits, in units of 1; undefined where a value left its range (there the
 *   protocol promises nothing of the answer) or only the label is revealed.
 */
export async function runEndToEnd(
  { manifest, answer, seed }: RandomModel,
  { parameters: given, isParallel, classifications, otChecks }: EndToEndOptions,
): Promise<number | undefined> {
  const model = { ...modelOf(manifest, answer), weights: randomWeights(manifest, seed) };
  const { stages, logitFracBits, steps } = model.plan;
  const parameters = { ...given, checks: otChecks !== undefined && (otChecks.client || otChecks.owner) };
  const offline = offlineWith(parameters);
  const runOnnx = runTestPart(manifest);
  const [a, b] = memoryWirePair().map((wire) => {
    if (!isParallel) return { channel: new FramedChannel(wire) };
    const { session, ot } = sessionWires(wire);
    return { channel: streamChannel(session), ot: otStream(streamChannel(ot), { parameters }) };
  }) as [{ channel: FramedChannel }, { channel: FramedChannel }];
  const [client, owner] = await Promise.all([
    ClientSession.open(a.channel, { ...a, offline, runOnnx, otChecks: otChecks?.client ?? false, onEvent: () => {} }),
    OwnerSession.open(b.channel, model, { ...b, offline, otChecks: otChecks?.owner ?? false, onEvent: () => {} }),
  ]);
  const served = owner.serve();
  // Whoever awaits it finds the error; until then it must not count as unhandled.
  served.catch(() => {});
  let worst: number | undefined;
  let drawn = 0;
  for (let run = 0; run < classifications; run++) {
    const { imageSize, imageWidth } = manifest.architecture;
    const pixels = picture(imageSize, seed + run, imageWidth);
    const result = await client.classify(pixels);
    const input = await publicInput(pixels, manifest, model.publicPart, runOnnx);
    const reference = evaluateReference(model.plan, model.weights, input);
    if (reference.violations.length === 0) {
      const logits = [...reference.logits].map((logit) => logit * 2 ** -logitFracBits);
      // Of a label: by how much the one chosen is short of the largest.
      const off =
        answer === 'label'
          ? Math.max(...logits) - logits[result.labelIndex]
          : Math.max(...logits.map((logit, i) => Math.abs(logit - result.integerLogits[i] * 2 ** -logitFracBits)));
      worst = Math.max(worst ?? 0, off);
    }

    const { cots, flights, ...bytes } = preparationCost(stages, drawn, parameters);
    drawn += cots;
    const { phases, layers } = client.report();
    expect(phases.offline).toMatchObject(bytes);
    if (isParallel) expect(phases.offline.flights).toBe(flights.ot + flights.rlwe);
    const online = new Map(layers.filter(({ phase }) => phase === 'online').map((layer) => [layer.name, layer]));
    const none = { bytesClientToOwner: 0, bytesOwnerToClient: 0, flights: 0 };
    for (const { name, bytesClientToOwner, bytesOwnerToClient, flights } of steps) {
      const expected = { name, bytesClientToOwner, bytesOwnerToClient, flights };
      expect({ name, ...(online.get(name) ?? none) }).toMatchObject(expected);
    }
  }
  await client.close();
  await served;
  const [ours, theirs] = [client.report(), owner.report()];
  const greeting = ours.layers.filter(({ name }) => name === 'handshake' || name === publicPartStep);
  const greetingBytes = (of: 'bytesClientToOwner' | 'bytesOwnerToClient') =>
    greeting.reduce((sum, step) => sum + step[of], 0);
  const keys = setupCost(stages.flat(), parameters);
  expect(ours.phases.setup.bytesClientToOwner - greetingBytes('bytesClientToOwner')).toBe(keys.bytesClientToOwner);
  expect(ours.phases.setup.bytesOwnerToClient - greetingBytes('bytesOwnerToClient')).toBe(keys.bytesOwnerToClient);
  for (const phase of ['setup', 'offline', 'online'] as const) {
    const { bytesClientToOwner, bytesOwnerToClient } = ours.phases[phase];
    expect(theirs.phases[phase]).toMatchObject({ bytesClientToOwner, bytesOwnerToClient });
  }
  expect(theirs.phases.online.flights).toBe(ours.phases.online.flights);
  return worst;
}
