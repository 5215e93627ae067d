/**
 * The threads that make the owner's answers (answerJobs.ts): Workers of the platform's, or, where there are fewer than two, the thread that asks.
 * Nobody but the owner notices which: jobs' results are the same.
 *
 * A Worker gets the client's public keys once, then with each job what that takes of the client's ciphertexts, of the owner's weights or masks,
 * and of its randomness. It belongs to the same process or tab, and ends with the keys.
 */
import { type Endpoint, errorOf, type Failed, failedBy } from '../endpoint.ts';
import { type AnswerJob, cutIntoJobs, makeAnswers, shareOf, type WholeRequest } from './answerJobs.ts';
import { rlweLayout } from './costs.ts';
import { EvaluationKeys, type KeyMessages } from './evaluationKeys.ts';
import { deferred, pause } from './turns.ts';

type ToWorker =
  | { readonly type: 'keys'; readonly keys: KeyMessages }
  | { readonly type: 'job'; readonly job: AnswerJob };
interface Done {
  readonly type: 'done';
  readonly answers: readonly Uint8Array[];
  readonly shares: Uint32Array;
}

/** Runs in a Worker. */
export function serveAnswers(endpoint: Endpoint): void {
  let keys: EvaluationKeys | undefined;
  endpoint.onmessage = ({ data }: { data: ToWorker }) => {
    try {
      if (data.type === 'keys') {
        keys = new EvaluationKeys(data.keys);
        return;
      }
      const answers: Uint8Array[] = [];
      const making = makeAnswers(keys!, data.job);
      let step = making.next();
      for (; !step.done; step = making.next()) answers.push(step.value);
      const buffers = [...answers, step.value].map(({ buffer }) => buffer as ArrayBuffer);
      endpoint.postMessage({ type: 'done', answers, shares: step.value } satisfies Done, buffers);
    } catch (error) {
      endpoint.postMessage(failedBy(error), []);
    }
  };
}

export interface AnswerWorker extends Endpoint {
  terminate(): unknown;
}

/** Starts a Worker that runs `serveAnswers`. @param onFailure to be called when it could not start, or dies. */
export type StartAnswerWorker = (onFailure: (error: Error) => void) => AnswerWorker;

/** A request that the pool has begun with. */
export interface Evaluation {
  /** Each as soon as it is made. They stay open when the request fails. */
  readonly answers: Promise<Uint8Array>[];
  /** The owner's share of the results. @throws ProtocolError */
  readonly share: Promise<Uint32Array>;
}

/** Called with each answer of a job, in order; what it throws ends the job. */
type OnAnswer = (answer: Uint8Array) => void;

interface Asked {
  readonly onAnswer: OnAnswer;
  resolve(shares: Uint32Array): void;
  reject(error: Error): void;
}

/** A Worker, and what it was asked and has not done yet: it does one thing after the other. */
interface Member {
  readonly worker: AnswerWorker;
  readonly asked: Asked[];
}

/** Workers by default: one core is left for this thread, which waits most of the time, the oblivious transfers and the page. */
export const defaultWorkers = (cores: number): number => Math.min(cores - 1, mostWorkers);

/** A third of the owner's work is less than the client's oblivious transfers, so more would wait; and each takes memory (PERFORMANCE.md). */
const mostWorkers = 3;

/** Jobs that each Worker has, so that it need not wait for the next. */
const jobsAhead = 2;

export class AnswerPool {
  /** How many Workers; 0 where this thread does it all. */
  readonly size: number;
  #members: Member[] = [];
  #keys: EvaluationKeys | undefined;
  /** What this thread is doing. */
  #making: ReturnType<typeof makeAnswers> | undefined;
  /** Why it is closed. */
  #failure: Error | undefined;
  #onRoom: (() => void)[] = [];

  /**
   * @param workers how many to start; one would gain nothing, so fewer than two are none.
   * @param start how, on this platform.
   */
  constructor(
    workers = 0,
    private readonly start?: StartAnswerWorker,
  ) {
    this.size = start !== undefined && workers >= 2 ? workers : 0;
  }

  /** Starts the Workers, which takes them a while; `setKeys` does it otherwise. */
  open(): void {
    if (this.#members.length > 0) return;
    this.#failure = undefined;
    const members: Member[] = [];
    this.#members = members;
    while (members.length < this.size) {
      // A Worker that was ended may still say something.
      const worker = this.start!((error) => this.#members === members && this.#fail(error));
      const member: Member = { worker, asked: [] };
      worker.onmessage = ({ data }: { data: Done | Failed }) => this.#receive(member, data);
      members.push(member);
    }
  }

  /** @throws ProtocolError for keys that are none: here, or at the next job. */
  setKeys(keys: KeyMessages): void {
    this.open();
    if (this.size === 0) this.#keys = new EvaluationKeys(keys);
    for (const { worker } of this.#members) worker.postMessage({ type: 'keys', keys } satisfies ToWorker, []);
  }

  /** Resolves when another job would be begun soon. @throws what ended the pool. */
  async room(): Promise<void> {
    const isFull = () =>
      this.size === 0 ? this.#making !== undefined : this.#members.every(({ asked }) => asked.length >= jobsAhead);
    while (this.#failure === undefined && isFull()) await new Promise<void>((resolve) => this.#onRoom.push(resolve));
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Evaluates a request, in jobs where there are Workers. Call it after `setKeys`.
   * @param stageMs estimated milliseconds of all that is asked for together.
   * @param check called with each answer; what it throws ends the request.
   * @returns as soon as all of it is begun. @throws what ended the pool.
   */
  async begin(request: WholeRequest, stageMs: number, check: () => void): Promise<Evaluation> {
    const layout = rlweLayout(request.spec);
    const answers = layout.answers.map(() => deferred<Uint8Array>());
    const parts: Promise<Uint32Array>[] = [];
    for (const job of cutIntoJobs(request, this.#jobMs(stageMs))) {
      await this.room();
      let next = job.first;
      const onAnswer = (answer: Uint8Array) => {
        check();
        answers[next++].resolve(answer);
      };
      const part = this.size > 0 ? this.#send(job, onAnswer) : this.#evaluateHere(job, onAnswer);
      part.catch(() => {}); // `share` tells
      parts.push(part);
    }
    const share = Promise.all(parts).then((each) => shareOf(layout, each));
    share.catch(() => {}); // nobody may be waiting yet
    return { answers: answers.map(({ promise }) => promise), share };
  }

  /** Ends the Workers and gives the keys' memory back; what is being evaluated fails. `setKeys` opens it again. */
  close(): void {
    this.#fail(new Error('the answers of ring-LWE were given up'));
    this.#keys?.release();
    this.#keys = undefined;
  }

  /** A quarter of what each Worker does in a stage, so that all end at about the same time; neither too short nor too long. */
  #jobMs(stageMs: number): number {
    return this.size > 0 ? Math.min(Math.max(stageMs / (4 * this.size), 8), 32) : Number.POSITIVE_INFINITY;
  }

  async #evaluateHere(job: AnswerJob, onAnswer: OnAnswer): Promise<Uint32Array> {
    const making = makeAnswers(this.#keys!, job);
    this.#making = making;
    try {
      for (;;) {
        const step = making.next();
        if (step.done) return step.value;
        onAnswer(step.value);
        await pause();
        if (this.#making !== making) throw this.#failure!;
      }
    } finally {
      making.return(new Uint32Array());
      if (this.#making === making) this.#making = undefined;
      this.#tellRoom();
    }
  }

  #send(job: AnswerJob, onAnswer: OnAnswer): Promise<Uint32Array> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      const member = this.#members.reduce((least, each) => (each.asked.length < least.asked.length ? each : least));
      member.asked.push({ onAnswer, resolve, reject });
      member.worker.postMessage({ type: 'job', job: forAnotherThread(job) } satisfies ToWorker, []);
    });
  }

  #receive({ asked }: Member, message: Done | Failed): void {
    if (message.type === 'failed') return this.#fail(errorOf(message, 'ring-LWE Worker'));
    const { onAnswer, resolve, reject } = asked.shift()!;
    try {
      for (const answer of message.answers) onAnswer(answer);
      resolve(message.shares);
    } catch (error) {
      reject(error as Error);
    }
    this.#tellRoom();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    const members = this.#members;
    this.#members = [];
    for (const { worker, asked } of members) {
      worker.onmessage = null;
      worker.terminate();
      for (const { reject } of asked) reject(this.#failure);
    }
    this.#making?.return(new Uint32Array());
    this.#making = undefined;
    this.#tellRoom();
  }

  #tellRoom(): void {
    for (const resolve of this.#onRoom.splice(0)) resolve();
  }
}

/** With arrays of their own: a message copies all of what a view is a part of. */
function forAnotherThread(job: AnswerJob): AnswerJob {
  const own = <T>(value: T): T =>
    ArrayBuffer.isView(value) ? ((value as unknown as Uint32Array).slice() as T) : value;
  const each = <T extends object>(values: T): T =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, own(value)])) as T;
  const uploads = new Map(Array.from(job.uploads, ([i, upload]) => [i, each(upload)]));
  return { ...each(job), input: each(job.input), uploads };
}
