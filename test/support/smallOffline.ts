/** The two parties' offline phase with insecurely small LPN parameters, for tests that pair often. */
import type { Channel } from '../../protocols/channel/channel.ts';
import { type OfflinePhase, twoParty } from '../../protocols/inference/offline.ts';
import type { OtParameters } from '../../protocols/offline/ot/segments.ts';
import { smallParameters } from '../ideal/otPair.ts';

export function offlineWith(parameters: OtParameters = smallParameters): OfflinePhase {
  return {
    ...twoParty,
    client: (channel: Channel, plan, random, options) =>
      twoParty.client(channel, plan, random, { ...options, parameters }),
    owner: (channel, plan, weights, random, options) =>
      twoParty.owner(channel, plan, weights, random, { ...options, parameters }),
  };
}
