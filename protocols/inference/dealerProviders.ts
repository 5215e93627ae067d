/**
 * Correlations from a dealer in the owner's tab. NOT PRIVATE, see offline/dealer.ts: the owner sends the client a seed for all its
 * randomness, and walks the client's side of the preparation itself.
 */
import type { Channel } from '../channel/channel.ts';
import type { ClientProvider, ClientRequest, CorrelationSpec, OwnerProvider } from '../offline/correlations.ts';
import { drawClientPart, ownerPart } from '../offline/dealer.ts';
import { Prg, seedBytes } from '../sharing/prg.ts';
import type { OwnerWeights } from '../layers/op.ts';
import type { Plan } from './plan.ts';
import { prepareClient } from './prepare.ts';

/** The client's randomness and its provider, from the dealer's seed. */
function clientFrom(seed: Uint8Array): { provider: ClientProvider; random: Prg } {
  const random = new Prg(seed, 'correlations');
  return {
    random: new Prg(seed, 'fresh'),
    provider: {
      source: 'dealer',
      async provide(requests, progress) {
        return requests.map(({ spec }) => {
          progress(spec.id, 1 / requests.length);
          return drawClientPart(spec, random);
        });
      },
    },
  };
}

/** Receives the dealer's seed for one inference. */
export async function receiveDealtClient(channel: Channel): Promise<{ provider: ClientProvider; random: Prg }> {
  return clientFrom(await channel.receive(seedBytes));
}

/** Deals one inference: sends the client its seed. */
export function dealOwner(channel: Channel, plan: Plan, weights: OwnerWeights, random: Prg): OwnerProvider {
  const seed = random.seed();
  channel.send(seed);
  const shadow = clientFrom(seed);
  const stages: { requests: readonly ClientRequest[]; given: Awaited<ReturnType<ClientProvider['provide']>> }[] = [];
  const walked = prepareClient(
    plan,
    {
      source: 'dealer',
      async provide(requests, progress) {
        const given = await shadow.provider.provide(requests, progress);
        stages.push({ requests, given });
        return given;
      },
    },
    shadow.random,
    () => {},
  );
  let stage = 0;
  return {
    source: 'dealer',
    async provide(requests, progress) {
      await walked;
      const client = stages[stage++]!;
      return requests.map((request, i) => {
        progress((request.spec as CorrelationSpec).id, 1 / requests.length);
        return ownerPart(client.requests[i]!, client.given[i]!, request, random, (name) => weights.tensor(name));
      });
    },
  };
}
