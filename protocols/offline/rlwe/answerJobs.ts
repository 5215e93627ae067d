/**
 * The owner's answers to a request, in pieces that any thread can make: Huang et al., "Cheetah" (USENIX Security 2022), figure 5, steps 2 and 3,
 * with packed answers. A job has all that its answers take but the keys, and its result does not depend on who does it or when: randomness of
 * an answer comes from the request's keys and the answer's place among its answers.
 */
import { makeAnswer, type Places, ShareSums } from '../../rlwe/answer.ts';
import { packLeaves } from '../../rlwe/packLwes.ts';
import { Ring } from '../../rlwe/ring.ts';
import { type RandomWords, SampleStream } from '../../rlwe/sampling.ts';
import type { RlweSpec } from '../correlations.ts';
import { rlweLayout } from './costs.ts';
import type { EvaluationKeys } from './evaluationKeys.ts';
import type { LayoutOf, OwnerInput } from './kind.ts';
import { LeafEvaluator, type Upload } from './leaves.ts';

export interface AnswerJob {
  readonly spec: RlweSpec;
  readonly input: OwnerInput<RlweSpec>;
  /** The client's ciphertexts that these answers take, by number. */
  readonly uploads: ReadonlyMap<number, Upload>;
  /** Which answers: from `first` to before `end`. */
  readonly first: number;
  readonly end: number;
  /** Of what both sides draw for the request; the client gets it. */
  readonly seed: Uint8Array;
  /** Of the owner's randomness for the request: each answer has the stream of its number. */
  readonly key: Uint8Array;
}

/** A request as one job. */
export type WholeRequest = Omit<AnswerJob, 'first' | 'end' | 'uploads'> & { readonly uploads: readonly Upload[] };

/**
 * Yields the answers one after the other; gives its memory back also when it is ended early.
 * @returns the owner's shares of their results, two words each, in the order of the answers' places.
 * @throws ProtocolError `value` when a ciphertext is none.
 */
export function* makeAnswers(keys: EvaluationKeys, job: AnswerJob): Generator<Uint8Array, Uint32Array, void> {
  const { spec, input, first, end } = job;
  const layout = rlweLayout(spec);
  const { parameters, levels, stride, bits, ringBits, answers } = layout;
  const ring = Ring.of(parameters);
  const { publicKey, automorphisms } = keys.of(parameters);
  const evaluator = new LeafEvaluator(ring, layout, job.uploads);
  const shares = new ShareSums(wordsOf(layout, first, end) / 2, bits, ringBits);
  try {
    const drawn = new SampleStream(job.seed, 0, wordsOf(layout, 0, first));
    let result = 0;
    for (let answer = first; answer < end; answer++) {
      const { leaves, places } = answers[answer];
      const random = new SampleStream(job.key, answer);
      const leaf = (index: number) => (index < leaves ? evaluator.leaf(input, answer, index, random) : undefined);
      const packed = packLeaves(ring, stride, levels, leaf, automorphisms);
      const bytes = makeAnswer(ring, packed, numbered(places, result), shares, publicKey, random, drawn);
      ring.release(packed);
      result += places.length / 2;
      yield bytes;
    }
    return shares.words();
  } finally {
    shares.release();
    evaluator.release();
  }
}

/** The owner's share of a request's results. @param parts what `makeAnswers` returned, for jobs one after the other. */
export function shareOf(layout: LayoutOf, parts: readonly Uint32Array[]): Uint32Array {
  const sums = new ShareSums(layout.results, layout.bits, layout.ringBits);
  try {
    let [part, at] = [0, 0];
    for (const { places } of layout.answers) {
      sums.add(parts[part].subarray(at, at + places.length), places);
      at += places.length;
      if (at === parts[part].length) [part, at] = [part + 1, 0];
    }
    return layout.prime === undefined ? sums.round() : sums.cut(layout.prime, 1 / 4);
  } finally {
    sums.release();
  }
}

/** Cuts a request into jobs of about `ms` estimated milliseconds, but at least of one answer each. */
export function* cutIntoJobs({ uploads, ...request }: WholeRequest, ms: number): Generator<AnswerJob> {
  const layout = rlweLayout(request.spec);
  const { length } = layout.answers;
  const jobs = Math.max(1, Math.min(length, Math.ceil(layout.work / ms)));
  for (let job = 0; job < jobs; job++) {
    const [first, end] = [Math.floor((job * length) / jobs), Math.floor(((job + 1) * length) / jobs)];
    const taken = jobs === 1 ? uploads.keys() : uploadsOf(layout, request.input, first, end);
    yield { ...request, first, end, uploads: new Map(Array.from(taken, (i) => [i, uploads[i]])) };
  }
}

/** Which ciphertexts some answers take. */
function uploadsOf(layout: LayoutOf, input: OwnerInput<RlweSpec>, first: number, end: number): Set<number> {
  const taken = new Set<number>();
  for (let answer = first; answer < end; answer++)
    for (let leaf = 0; leaf < layout.answers[answer].leaves; leaf++)
      for (const { upload } of layout.leaf(input, answer, leaf, nothingDrawn)) taken.add(upload);
  return taken;
}

/** A term draws when it is filled. */
const nothingDrawn = {} as RandomWords;

/** Words that both sides draw for some answers: two for each result. */
function wordsOf({ answers }: LayoutOf, first: number, end: number): number {
  let words = 0;
  for (let answer = first; answer < end; answer++) words += answers[answer].places.length;
  return words;
}

/** The same coefficients, their results numbered from `first` on. */
function numbered(places: Places, first: number): Places {
  const out = places.slice();
  for (let i = 1; i < out.length; i += 2) out[i] = first + (i >>> 1);
  return out;
}
