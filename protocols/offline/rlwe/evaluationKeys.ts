/** The keys that answers are made with: the client's public ones, in the kernel's memory of the thread that evaluates. */
import type { Channel } from '../../channel/channel.ts';
import { AutomorphismKey, automorphismKeyLength, PublicKey, uniformResidues } from '../../rlwe/keys.ts';
import { type Parameters, parameterSets } from '../../rlwe/parameters.ts';
import { Ring } from '../../rlwe/ring.ts';
import { packedPolynomialBytes } from '../../rlwe/wire.ts';
import { seedBytes } from '../../sharing/prg.ts';
import type { RlweSpec } from '../correlations.ts';
import { keysFor } from './costs.ts';
import { type SharedStreams, sharedStreams } from './sharedStreams.ts';

/** As the client sent them, in that order: the seed of what both sides draw, then for each parameter set the keys' b. */
export interface KeyMessages {
  readonly seed: Uint8Array;
  readonly sets: readonly {
    /** The parameters' name. */
    readonly parameters: string;
    readonly publicKey: Uint8Array;
    readonly automorphisms: readonly { readonly exponent: number; readonly bytes: Uint8Array }[];
  }[];
}

export interface KeySet {
  readonly publicKey: PublicKey;
  /** By exponent. */
  readonly automorphisms: ReadonlyMap<number, AutomorphismKey>;
}

export class EvaluationKeys {
  readonly #sets = new Map<Parameters, { publicKey: PublicKey; automorphisms: Map<number, AutomorphismKey> }>();

  /** @throws ProtocolError `length`, `value`. */
  constructor({ seed, sets }: KeyMessages) {
    const { halves } = sharedStreams(seed);
    try {
      for (const { parameters: name, publicKey, automorphisms } of sets) {
        const parameters = parametersOf(name);
        const ring = Ring.of(parameters);
        const set = { publicKey: new PublicKey(ring, publicKey, halves), automorphisms: new Map() };
        this.#sets.set(parameters, set);
        for (const { exponent, bytes } of automorphisms)
          set.automorphisms.set(exponent, new AutomorphismKey(ring, exponent, bytes, halves));
      }
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /** Those of a set that came. */
  of(parameters: Parameters): KeySet {
    return this.#sets.get(parameters)!;
  }

  release(): void {
    for (const { publicKey, automorphisms } of this.#sets.values()) {
      publicKey.release();
      for (const key of automorphisms.values()) key.release();
    }
    this.#sets.clear();
  }
}

/** Receives them. @param specs as the client's set-up has them. @throws ProtocolError */
export async function receiveKeys(channel: Channel, specs: readonly RlweSpec[]): Promise<KeyMessages> {
  const seed = await channel.receive(seedBytes);
  const sets: KeyMessages['sets'][number][] = [];
  for (const { parameters, exponents } of keysFor(specs)) {
    const each = packedPolynomialBytes(parameters);
    const publicKey = await channel.receive(each);
    const automorphisms: { exponent: number; bytes: Uint8Array }[] = [];
    for (const exponent of exponents) {
      const bytes = await channel.receive(each * automorphismKeyLength(Ring.of(parameters)));
      automorphisms.push({ exponent, bytes });
    }
    sets.push({ parameters: parameters.name, publicKey, automorphisms });
  }
  return { seed, sets };
}

/** The streams that both sides draw from, behind what the keys took of them. */
export function streamsBehind({ seed, sets }: KeyMessages): SharedStreams {
  const streams = sharedStreams(seed);
  for (const { parameters, automorphisms } of sets) {
    const ring = Ring.of(parametersOf(parameters));
    const halves = 1 + automorphisms.length * automorphismKeyLength(ring);
    for (let i = 0; i < halves; i++) uniformResidues(ring, streams.halves);
  }
  return streams;
}

const parametersOf = (name: string): Parameters => parameterSets.find((each) => each.name === name)!;
