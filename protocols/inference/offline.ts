/** Who makes a session's correlations: the two parties. Tests put an ideal dealer in their place. */
import type { Channel } from '../channel/channel.ts';
import type { OwnerWeights } from '../layers/op.ts';
import type { CorrelationSource, DrawingProvider, OwnerProvider } from '../offline/correlations.ts';
import { TwoPartyClient, type TwoPartyOptions, TwoPartyOwner } from '../offline/twoParty.ts';
import type { Prg } from '../sharing/prg.ts';
import type { Plan } from './plan.ts';

/** What a provider needs to know of a plan. */
type Specs = Pick<Plan, 'stages'>;

/** Sets up a provider over a channel, once per pairing. */
export interface OfflinePhase {
  readonly source: CorrelationSource;
  client(channel: Channel, plan: Specs, random: Prg, options: TwoPartyOptions): Promise<DrawingProvider>;
  owner(
    channel: Channel,
    plan: Specs,
    weights: OwnerWeights,
    random: Prg,
    options: TwoPartyOptions,
  ): Promise<OwnerProvider>;
}

export const twoParty: OfflinePhase = {
  source: 'two-party',
  client: (channel, plan, random, options) => TwoPartyClient.setup(channel, random, plan.stages.flat(), options),
  owner: (channel, plan, weights, random, options) =>
    TwoPartyOwner.setup(
      channel,
      random,
      plan.stages.flat(),
      (name) =>
        new Int32Array(weights.tensor(name).buffer, weights.tensor(name).byteOffset, weights.tensor(name).length),
      options,
    ),
};
