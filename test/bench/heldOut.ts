/**
 * npx tsx test/bench/heldOut.ts [--model NAME] [--images N] [--two-party M] [--data ZIP_OR_DIR]
 * The online protocol on many held-out images: secure label and logits against the integer reference. Correlations from the ideal dealer, so that
 * hundreds of images take minutes; the first M without a dealer, as shipped.
 */
import { parseArgs } from 'node:util';
import { evaluateReference, inputOf, prepareImage } from '../../protocols/index.ts';
import { twoParty } from '../../protocols/inference/offline.ts';
import { defaultData, readImages } from '../../scripts/lib/dataset.ts';
import { readImage } from '../../scripts/lib/images.ts';
import { defaultModel, modelFolder, readModel } from '../../scripts/lib/models.ts';
import { idealOffline } from '../ideal/dealer.ts';
import { channels, pair } from '../support/pairing.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: defaultModel },
    images: { type: 'string', default: '200' },
    'two-party': { type: 'string', default: '5' },
    data: { type: 'string' },
  },
});
const folder = await modelFolder(values.model);
const model = await readModel(folder);
const images = await readImages(values.data ?? (await defaultData(values.model, folder)), Number(values.images));
const withoutDealer = Math.min(Number(values['two-party']), images.length);

const margin = (logits: readonly number[]) => {
  const [first, second] = [...logits].sort((a, b) => b - a);
  return first - second;
};
const argmax = (logits: readonly number[]) => logits.indexOf(Math.max(...logits));

let same = 0;
let largestError = 0;
let sumOfSquares = 0;
let largestDisagreeingMargin = 0;
for (const [offline, batch] of [
  [twoParty, images.slice(0, withoutDealer)],
  [idealOffline(), images.slice(withoutDealer)],
] as const) {
  if (batch.length === 0) continue;
  const { client, served } = await pair(model, undefined, channels(), offline);
  for (const { bytes } of batch) {
    const pixels = prepareImage(await readImage(Buffer.from(bytes)), model.manifest.preprocessing);
    const { logits } = await client.classify(pixels);
    const integers = evaluateReference(model.plan, model.weights, inputOf(pixels, model.manifest.architecture)).logits;
    const reference = Array.from(integers, (x) => x * 2 ** -model.plan.logitFracBits);
    const errors = logits.map((logit, i) => Math.abs(logit - reference[i]));
    largestError = Math.max(largestError, ...errors);
    sumOfSquares += errors.reduce((sum, error) => sum + error * error, 0) / errors.length;
    if (argmax(logits) === argmax(reference)) same++;
    else largestDisagreeingMargin = Math.max(largestDisagreeingMargin, margin(reference));
  }
  await client.close();
  await served;
}
process.stdout.write(
  `${JSON.stringify({
    model: values.model,
    images: images.length,
    withoutDealer,
    agreementTop1: same / images.length,
    maxAbsLogitError: largestError,
    rmsLogitError: Math.sqrt(sumOfSquares / images.length),
    largestDisagreeingMargin,
  })}\n`,
);
