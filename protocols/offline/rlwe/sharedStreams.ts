/** The streams that both sides draw the client's ciphertexts from. */
import { type RandomWords, SampleStream } from '../../rlwe/sampling.ts';
import { Prg, seedBytes } from '../../sharing/prg.ts';

/**
 * The uniform halves of ciphertexts, and whole ones. Two, for the client draws whole ones before a stage begins, the owner when their turn
 * comes.
 */
export interface SharedStreams {
  readonly halves: RandomWords;
  readonly ciphertexts: RandomWords;
}

/** @param seed the client's, 32 bytes. */
export function sharedStreams(seed: Uint8Array): SharedStreams {
  const stream = (label: string) => new SampleStream(new Prg(seed, label).bytes(seedBytes));
  return { halves: stream('rlwe/uniform'), ciphertexts: stream('rlwe/drawn') };
}
