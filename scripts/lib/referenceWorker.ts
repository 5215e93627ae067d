/** Evaluates the integer reference on a share of the images, in a worker thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { evaluateReference, publicInput } from '../../protocols/index.ts';
import { readModel } from './models.ts';
import { runOnnx } from './onnxRunner.ts';

export interface ReferenceTask {
  /** This module's address, for the thread that starts it. */
  readonly module: string;
  readonly folder: string;
  readonly images: readonly Uint8Array[];
}

export interface ReferenceAnswer {
  readonly index: number;
  /** As a client learns them. */
  readonly logits: number[];
  /** Before they are rounded for that. */
  readonly headLogits: number[];
  /** Values that left their range, as text. */
  readonly violations: string[];
}

const { folder, images } = workerData as ReferenceTask;
const model = await readModel(folder);
for (const [index, pixels] of images.entries()) {
  const { logits, violations, named } = evaluateReference(
    model.plan,
    model.weights,
    await publicInput(pixels, model.manifest, model.publicPart, runOnnx),
  );
  const answer: ReferenceAnswer = {
    index,
    logits: Array.from(logits, (logit) => logit * 2 ** -model.plan.logitFracBits),
    headLogits: [...named('logits')],
    violations: violations.map(
      ({ step, kind, value, low, high }) => `${step} ${kind}: ${value} outside [${low}, ${high})`,
    ),
  };
  parentPort!.postMessage(answer);
}
