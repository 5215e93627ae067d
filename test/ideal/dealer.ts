/** The ideal functionality of the offline phase as two providers in one thread; for tests of the online phase. */
import type {
  ClientCorrelation, ClientProvider, ClientRequest, OwnerCorrelation, OwnerProvider, OwnerRequest, ProgressListener,
} from '../../protocols/offline/correlations.ts';
import { drawClientPart, ownerPart } from '../../protocols/offline/dealer.ts';
import { Prg } from '../../protocols/sharing/prg.ts';

export class IdealDealer {
  readonly client: ClientProvider;
  readonly owner: OwnerProvider;
  readonly #random: Prg;
  #clientAsked: { requests: readonly ClientRequest[]; resolve(given: ClientCorrelation[]): void } | undefined;
  #ownerAsked: { requests: readonly OwnerRequest[]; resolve(given: OwnerCorrelation[]): void } | undefined;

  /** @param tensor the owner's weights by name, (outputs, inputs). */
  constructor(
    seed: Uint8Array,
    readonly tensor: (name: string) => Uint32Array,
  ) {
    this.#random = new Prg(seed, 'dealer');
    const report = (requests: readonly { spec: { id: string } }[], progress: ProgressListener) => {
      for (const { spec } of requests) progress(spec.id, 1 / requests.length);
    };
    this.client = {
      source: 'dealer',
      provide: (requests, progress) =>
        new Promise((resolve, reject) => {
          this.#clientAsked = { requests, resolve: (given) => (report(requests, progress), resolve(given)) };
          this.#deal(reject);
        }),
    };
    this.owner = {
      source: 'dealer',
      provide: (requests, progress) =>
        new Promise((resolve, reject) => {
          this.#ownerAsked = { requests, resolve: (given) => (report(requests, progress), resolve(given)) };
          this.#deal(reject);
        }),
    };
  }

  #deal(reject: (reason: Error) => void): void {
    const [client, owner] = [this.#clientAsked, this.#ownerAsked];
    if (!client || !owner) return;
    this.#clientAsked = this.#ownerAsked = undefined;
    const specs = (requests: readonly { spec: unknown }[]) => JSON.stringify(requests.map(({ spec }) => spec));
    if (specs(client.requests) !== specs(owner.requests)) return reject(new Error('dealer: the two sides ask for different correlations'));
    const pairs = client.requests.map((request, i) => deal(request, owner.requests[i]!, this.#random, this.tensor));
    client.resolve(pairs.map(([given]) => given));
    owner.resolve(pairs.map(([, given]) => given));
  }
}

/** One correlation, from both sides' operands. */
export function deal(
  client: ClientRequest,
  owner: OwnerRequest,
  random: Prg,
  tensor: (name: string) => Uint32Array,
): readonly [ClientCorrelation, OwnerCorrelation] {
  const given = drawClientPart(client.spec, random);
  return [given, ownerPart(client, given, owner, random, tensor)];
}
