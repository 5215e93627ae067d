/**
 * npm run evaluate -- [--model NAME|PATH] [--data ZIP_OR_DIR] [--labels FILE] [--images N] [--secure N] [--against NAME|PATH] [--json]
 * Top-1 on held-out images: float ONNX, integer reference, and some of them securely. Where no folder is a class, agreement alone.
 * `--against`: how often another model of the same classes says the same, both in integers, and what this one costs beside it.
 */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { costOf } from '../client/src/worker/costOf.ts';
import {
  answerBits,
  ClientSession,
  FramedChannel,
  memoryWirePair,
  type OwnerModel,
  OwnerSession,
} from '../protocols/index.ts';
import { classFinder } from './lib/classNames.ts';
import { defaultData, readImages, spread, withPixels } from './lib/dataset.ts';
import { defaultModel, modelFolder, readModel } from './lib/models.ts';
import { runOnnx } from './lib/onnxRunner.ts';
import { readOptions } from './lib/options.ts';
import { PlaintextModel } from './lib/plaintext.ts';
import type { ReferenceAnswer, ReferenceTask } from './lib/referenceWorker.ts';

interface Example {
  readonly name: string;
  /** -1: not known. */
  readonly label: number;
  readonly pixels: Uint8Array;
}

const batchSize = 64;

const usage =
  'npm run evaluate -- [--model NAME|PATH] [--data ZIP_OR_DIR] [--labels FILE] [--images N] [--secure N] [--against NAME|PATH] [--json]';

async function main(): Promise<void> {
  const values = readOptions(usage, {
    model: { type: 'string', default: defaultModel },
    data: { type: 'string' },
    labels: { type: 'string' },
    images: { type: 'string', default: '1000' },
    secure: { type: 'string', default: '0' },
    against: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  const [imageCount, secureCount] = [Number(values.images), Number(values.secure)];
  if (!(imageCount >= 1) || !(secureCount >= 0)) throw new Error('--images: expected at least 1; --secure: at least 0');
  const say = (text: string) => values.json || process.stderr.write(text);
  const folder = await modelFolder(values.model);
  const other = values.against === undefined ? undefined : await modelFolder(values.against);
  const model = await readModel(folder);
  if (other && (await readModel(other)).manifest.labels.join('\n') !== model.manifest.labels.join('\n'))
    throw new Error(`--against: expected a model of the same classes, got ${values.against}`);
  const source = values.data ?? (await defaultData(values.model, folder));
  const classOf = await classFinder(model.manifest.labels, values.labels);
  const examples = await readExamples(source, imageCount, model, classOf);
  // Always: where the image set is not at hand, a model's few samples stand in for it.
  const known = [...examples.keys()].filter((i) => examples[i].label >= 0);
  process.stderr.write(`${examples.length} images of ${source}\n`);
  if (known.length < examples.length)
    process.stderr.write(
      `${examples.length - known.length} of them in folders that are no class of the model's (--labels FILE has their names)\n`,
    );

  const float: number[][] = [];
  const onnx = await PlaintextModel.load(folder, availableParallelism());
  for (let at = 0; at < examples.length; at += batchSize) {
    const batch = await onnx.logits(examples.slice(at, at + batchSize).map(({ pixels }) => pixels));
    float.push(...batch.map((logits) => [...logits]));
    say(`\rfloat ${float.length} of ${examples.length}`);
  }
  say('\n');
  const reference = await evaluateAll(folder, examples, (done) => say(`\rreference ${done} of ${examples.length}`));
  say('\n');

  const labels = known.map((i) => examples[i].label);
  /** Of those whose class is known. */
  const top1 = (logits: readonly (readonly number[])[]) =>
    agreement(
      known.map((i) => argmax(logits[i])),
      labels,
    );
  const violations = reference.flatMap((answer, i) => answer.violations.map((text) => `${examples[i].name}: ${text}`));
  const referenceLogits = reference.map(({ logits }) => logits);
  const headLabels = reference.map(({ headLogits }) => argmax(headLogits));
  const indices = secureCount > 0 ? spread([...examples.keys()], secureCount) : [];
  const secure = await classifyAll(
    model,
    indices.map((i) => examples[i]),
    (done) => say(`\rsecure ${done} of ${indices.length}`),
  );
  if (indices.length > 0) say('\n');
  const chosen = indices.map((i) => referenceLogits[i]);
  const against = other && (await compare(folder, other, source, imageCount, referenceLogits, say));

  const result = {
    model: values.model,
    images: examples.length,
    ...(known.length > 0 && { labelled: known.length, floatTop1: top1(float), referenceTop1: top1(referenceLogits) }),
    agreementTop1: agreement(referenceLogits.map(argmax), float.map(argmax)),
    maxAbsLogitError: largestDifference(referenceLogits, float),
    /** Images in which some value left the range that its ring allows for. */
    rangeViolations: reference.filter((answer) => answer.violations.length > 0).length,
    /** What rounding the answer costs: labels from the rounded logits against those from the head's own. */
    rounding: {
      fracBits: model.plan.logitFracBits,
      bitsPerAnswer: answerBits(model.plan),
      agreementTop1: agreement(referenceLogits.map(argmax), headLabels),
      /** Images whose two best rounded logits are equal, and images that have another label without that. */
      exactTies: referenceLogits.filter((logits) => margin(logits) === 0).length,
      otherLabels: referenceLogits.filter((logits, i) => margin(logits) > 0 && argmax(logits) !== headLabels[i]).length,
    },
    secure: {
      images: secure.length,
      agreementTop1: agreement(secure.map(argmax), chosen.map(argmax)),
      maxAbsLogitError: largestDifference(secure, chosen),
      /** The reference's margin between its two best classes, largest of those images on which the secure label differs. */
      largestDisagreeingMargin: Math.max(
        0,
        ...secure.map((logits, i) => (argmax(logits) === argmax(chosen[i]) ? 0 : margin(chosen[i]))),
      ),
    },
    ...(against && { against: { model: values.against, ...against } }),
  };
  if (values.json) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const percent = (fraction: number) => `${(100 * fraction).toFixed(2)} %`;
  process.stdout.write(
    `${result.images} images: ${known.length > 0 ? `float ${percent(top1(float))}, integer reference ${percent(top1(referenceLogits))}; ` : ''}same label ${percent(result.agreementTop1)}, `,
  );
  process.stdout.write(
    `largest logit difference ${result.maxAbsLogitError.toFixed(4)}, out of range in ${result.rangeViolations}\n`,
  );
  const { rounding } = result;
  process.stdout.write(
    `answers of ${rounding.fracBits} fraction bits, ${rounding.bitsPerAnswer} bits in all: same label as at full precision ${percent(rounding.agreementTop1)}, `,
  );
  process.stdout.write(`${rounding.exactTies} exact ties, ${rounding.otherLabels} other labels\n`);
  if (secure.length > 0) {
    process.stdout.write(
      `secure, ${secure.length} images: same label as the reference ${percent(result.secure.agreementTop1)}, `,
    );
    process.stdout.write(
      `largest logit difference ${result.secure.maxAbsLogitError.toFixed(4)}, largest margin of a different label ${result.secure.largestDisagreeingMargin.toFixed(4)}\n`,
    );
  }
  if (against) {
    const { onlineBytes, offlineBytes, flights } = against.ratios;
    process.stdout.write(
      `${values.against}’s label ${percent(against.agreementTop1)}, for ${percent(onlineBytes)} of its bytes online, ${percent(offlineBytes)} offline, ${percent(flights)} of its flights\n`,
    );
  }
  for (const text of violations.slice(0, 5)) process.stderr.write(`out of range: ${text}\n`);
}

/** Against another model of the same classes, in integers. Ratios are this one's to the other's, by their plans. */
async function compare(
  folder: string,
  other: string,
  source: string,
  count: number,
  logits: readonly (readonly number[])[],
  say: (text: string) => void,
) {
  const model = await readModel(other);
  const images = await readExamples(source, count, model, () => -1);
  const answers = await evaluateAll(other, images, (done) => say(`\rthe other ${done} of ${images.length}`));
  say('\n');
  const [mine, its] = await Promise.all(
    [folder, other].map(async (place) => costOf(await readFile(`${place}manifest.json`, 'utf8'))),
  );
  return {
    agreementTop1: agreement(
      logits.map(argmax),
      answers.map((answer) => argmax(answer.logits)),
    ),
    ratios: {
      onlineBytes: mine.onlineBytes / its.onlineBytes,
      offlineBytes: mine.offlineBytes / its.offlineBytes,
      flights: mine.flights / its.flights,
    },
  };
}

async function readExamples(
  source: string,
  count: number,
  model: OwnerModel,
  classOf: (folder: string) => number,
): Promise<Example[]> {
  const images = await withPixels(await readImages(source, count), model.manifest.preprocessing);
  return images.map(({ name, label, pixels }) => ({ name, label: classOf(label), pixels }));
}

/** The integer reference on all cores. */
async function evaluateAll(
  folder: string,
  examples: readonly Example[],
  progress: (done: number) => void,
): Promise<ReferenceAnswer[]> {
  const answers = new Array<ReferenceAnswer>(examples.length);
  const threads = Math.max(1, Math.min(availableParallelism(), examples.length));
  let done = 0;
  await Promise.all(
    Array.from({ length: threads }, (_, thread) => {
      const mine = [...examples.keys()].filter((i) => i % threads === thread);
      const task: ReferenceTask = {
        module: new URL('lib/referenceWorker.ts', import.meta.url).href,
        folder,
        images: mine.map((i) => examples[i].pixels),
      };
      return new Promise<void>((resolve, reject) => {
        const worker = new Worker(new URL('lib/typescriptWorker.mjs', import.meta.url), {
          workerData: task,
          execArgv: [],
        });
        worker.on('message', (answer: ReferenceAnswer) => {
          answers[mine[answer.index]] = answer;
          progress(++done);
        });
        worker.on('error', reject);
        worker.on('exit', (code) =>
          code === 0 ? resolve() : reject(new Error(`reference: worker ended with code ${code}`)),
        );
      });
    }),
  );
  return answers;
}

/** Both parties in this process, one session for all images. */
async function classifyAll(
  model: OwnerModel,
  examples: readonly Example[],
  progress: (done: number) => void,
): Promise<number[][]> {
  if (examples.length === 0) return [];
  const [clientWire, ownerWire] = memoryWirePair();
  const options = { onEvent: () => {} };
  const [client, owner] = await Promise.all([
    ClientSession.open(new FramedChannel(clientWire), { ...options, runOnnx }),
    OwnerSession.open(new FramedChannel(ownerWire), model, { ...options, limit: Number.POSITIVE_INFINITY }),
  ]);
  const served = owner.serve();
  const results: number[][] = [];
  for (const { pixels } of examples) {
    results.push((await client.classify(pixels)).logits);
    progress(results.length);
  }
  await client.close();
  await served;
  return results;
}

const argmax = (logits: readonly number[]) => logits.indexOf(Math.max(...logits));
const margin = (logits: readonly number[]) => {
  const [first, second] = [...logits].sort((x, y) => y - x);
  return first - second;
};
const agreement = (a: readonly number[], b: readonly number[]) =>
  a.length === 0 ? 0 : a.filter((x, i) => x === b[i]).length / a.length;
const largestDifference = (a: readonly (readonly number[])[], b: readonly (readonly number[])[]) =>
  a.reduce((max, row, i) => row.reduce((worst, x, j) => Math.max(worst, Math.abs(x - b[i][j])), max), 0);

main().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
});
