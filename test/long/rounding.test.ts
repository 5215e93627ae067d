/**
 * What rounding the answer costs, over whole sets: the integer reference has the label of its full precision on every image but exact ties.
 * MODELS (all that ship), IMAGES of each (all), DATA (a zip or folder; the model's set unless given).
 */
import { expect, it } from 'vitest';
import { answerBits, evaluateReference, prepareImage, publicInput } from '../../protocols/index.ts';
import { defaultData, readImages } from '../../scripts/lib/dataset.ts';
import { readImage } from '../../scripts/lib/images.ts';
import { modelFolder, modelNames, readModel } from '../../scripts/lib/models.ts';
import { runOnnx } from '../../scripts/lib/onnxRunner.ts';

const models = process.env.MODELS?.split(',') ?? (await modelNames());
const most = Number(process.env.IMAGES ?? Number.POSITIVE_INFINITY);

it.each(models)('%s: another label where two logits are equal, and nowhere else', async (name) => {
  const folder = await modelFolder(name);
  const model = await readModel(folder);
  const source = process.env.DATA ?? (await defaultData(name, folder));
  const images = await readImages(source, most);
  let [ties, near, others, outOfRange] = [0, 0, 0, 0];
  for (const { bytes } of images) {
    const pixels = prepareImage(await readImage(Buffer.from(bytes)), model.manifest.preprocessing);
    const input = await publicInput(pixels, model.manifest, model.publicPart, runOnnx);
    const { logits, named, violations } = evaluateReference(model.plan, model.weights, input);
    const [first, second] = [...logits].sort((a, b) => b - a);
    const head = named('logits');
    if (first - second <= 1) near++;
    if (first === second) ties++;
    else if (logits.indexOf(first) !== head.indexOf(Math.max(...head))) others++;
    if (violations.length > 0) outOfRange++;
  }
  console.log(
    `${name}, ${images.length} images of ${source.split('/').at(-1)}: ${answerBits(model.plan)} bits an answer, ${ties} exact ties, ` +
      `${others} other labels; ${near} within the one unit of 2^-${model.plan.logitFracBits} that a secure run's rounding may add; ${outOfRange} out of range`,
  );
  expect(images.length).toBeGreaterThan(0);
  expect(others).toBe(0);
});
