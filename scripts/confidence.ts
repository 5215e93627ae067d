/**
 * node scripts/run.mjs scripts/confidence.ts [--model NAME] [--data ZIP_OR_DIR] [--outsiders ZIP_OR_DIR --classes TSV] [--write]
 *
 * What an answer of a model is worth, measured: writes `confidence.json` beside its manifest, by which the client words
 * how certain an answer is. Two numbers are fitted on every other held-out picture, and judged on the rest:
 *
 * - `temperature`: softmax(logits / temperature) is the probability that the answer is right, for pictures of the model's
 *   classes (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017: the temperature of least NLL).
 * - `leastLogit`: a largest logit below it says that the picture may show none of the classes (Hendrycks et al., "Scaling
 *   Out-of-Distribution Detection for Real-World Settings", ICML 2022: MaxLogit). One in ten pictures of the classes is below.
 *
 * Logits are the float model's, whose labels are the integers' on 99.9 % of the images (card.md). Outsiders are photographs
 * of other things; classes that resemble the model's own are left out, as an answer for them is not wrong.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { type Confidence, levelOf, levels, softmax } from '../client/src/client/confidenceLevels.ts';
import { parseManifest } from '../protocols/index.ts';
import { classFinder } from './lib/classNames.ts';
import { defaultData, readImages, withPixels } from './lib/dataset.ts';
import { defaultModel, modelFolder } from './lib/models.ts';
import { readOptions } from './lib/options.ts';
import { PlaintextModel } from './lib/plaintext.ts';

/** Half of them fit two numbers, the other half judge them. */
const leastImages = 200;
/** Share of the held-out pictures below `leastLogit`. */
const belowShare = 0.1;

/** ImageNet classes, by number, that show a model's own classes or come close: `7-24` are birds, and so on. */
const imagenette = '0 217 482 491 497 566 569 571 574 701';
const relatives: Readonly<Record<string, string>> = {
  imagenette,
  'imagenette-exact': imagenette,
  'imagenette-small': imagenette,
  cifar10:
    '7-24 80-100 127-146 30-32 151-293 339-355 403-405 407-408 436 466 468 472 475 479 484 510-511 547 554-555 565 569 573 ' +
    '575-576 586 595 603 609 625 627-628 654 656 660-661 665 670 675 690 705 717 726 734 751 779-780 802-803 814 817 820 829 ' +
    '833 847 856 864 866-867 870-871 874 895 913-914',
  // All animals, and its own things.
  tinyimagenet:
    '0-397 398 400 406 411 414 421 424-425 427 430 435-438 440 445 447-448 457-458 462-463 466-467 470-471 474 480 ' +
    '485 488 492 496 500 508-509 511 517 525-526 532 542-543 557 562 565 567-568 570 573 576 604-605 612 614 619 621 ' +
    '625 627 635 645 652 655 675 677-678 682-683 687 704 707 716 720 731 733-735 737 739 744 747 758 760-761 765 768 ' +
    '774 779 781 786 801 806 808 811 815 817 821 826 837 839 842 845 849-850 853 862 866 873-874 877 879 887-888 890 ' +
    '899-900 909-910 917 923-924 928-929 932 935 938 945 947 950-951 954 957 962-964 967 970 972-973 975 978 988',
};

const usage =
  'scripts/confidence.ts [--model NAME] [--data ZIP_OR_DIR] [--outsiders ZIP_OR_DIR --classes TSV] [--images N] [--write]';

async function main(): Promise<void> {
  const values = readOptions(usage, {
    model: { type: 'string', default: defaultModel },
    data: { type: 'string' },
    outsiders: { type: 'string' },
    /** Number, synset and name of ImageNet's classes: outsiders are in folders named by synset. */
    classes: { type: 'string' },
    images: { type: 'string', default: '10000' },
    write: { type: 'boolean', default: false },
  });
  const folder = await modelFolder(values.model);
  const manifest = parseManifest(await readFile(`${folder}/manifest.json`, 'utf8')); // whole: what a session knows has no digests
  const onnx = await PlaintextModel.load(folder, availableParallelism());
  const read = async (place: string, count: number) =>
    withPixels(await readImages(place, count), manifest.preprocessing);
  const logitsOf = async (images: Awaited<ReturnType<typeof read>>) => {
    const logits: number[][] = [];
    for (let at = 0; at < images.length; at += 64) {
      const batch = images.slice(at, at + 64).map(({ pixels }) => pixels);
      for (const row of await onnx.logits(batch)) logits.push([...row]);
      process.stderr.write(`\r${logits.length} of ${images.length}`);
    }
    process.stderr.write('\n');
    return logits;
  };

  const source = values.data ?? (await defaultData(values.model, folder));
  const images = await read(source, Number(values.images));
  // The bundled samples are one or two of a class: a temperature fitted to them would say nothing.
  if (images.length < leastImages)
    throw new Error(
      `${source}: expected at least ${leastImages} held-out pictures, got ${images.length}; name more with --data`,
    );
  const classOf = await classFinder(manifest.labels);
  const answers = (await logitsOf(images)).map((logits, i) => ({
    logits,
    label: classOf(images[i].label),
  }));
  if (answers.some(({ label }) => label < 0)) throw new Error(`${source}: has a class that the model has not`);
  const [fit, judge] = [answers.filter((_, i) => i % 2 === 0), answers.filter((_, i) => i % 2 === 1)];

  const temperature = leastNll(fit);
  const largest = fit.map(({ logits }) => Math.max(...logits)).sort((a, b) => a - b);
  const leastLogit = largest[Math.floor(belowShare * largest.length)];
  const confidence: Confidence = {
    onnxSha256: manifest.files!.onnxSha256, // the shipped file has it
    temperature: rounded(temperature, 3),
    leastLogit: rounded(leastLogit, 3),
    heldOut: { images: judge.length, levels: table(judge, temperature, leastLogit) },
  };
  if (values.outsiders && values.classes) {
    const excluded = await synsetsOf(values.classes, relatives[values.model] ?? '');
    const others = (await read(values.outsiders, 10_000)).filter(({ label }) => !excluded.has(label));
    const judged = (await logitsOf(others)).map((logits) => ({ logits, label: -1 }));
    confidence.outsiders = { images: judged.length, levels: table(judged, temperature, leastLogit) };
    process.stdout.write(`told apart by the largest logit: AUROC ${auroc(judge, judged).toFixed(3)}\n`);
  }
  const before = judge.map(({ logits }) => Math.max(...softmax(logits, 1)));
  process.stdout.write(
    `${judge.length} held-out: NLL ${nll(judge, 1).toFixed(4)} at temperature 1, ${nll(judge, temperature).toFixed(4)} at ${temperature.toFixed(3)}; ` +
      `mean largest probability ${mean(before).toFixed(3)} and ${mean(judge.map(({ logits }) => Math.max(...softmax(logits, temperature)))).toFixed(3)}, right ${mean(judge.map(isRight)).toFixed(3)}\n`,
  );
  process.stdout.write(`${JSON.stringify(confidence, undefined, 2)}\n`);
  if (values.write) await writeFile(`${folder}/confidence.json`, `${JSON.stringify(confidence, undefined, 2)}\n`);
}

interface Judged {
  readonly logits: readonly number[];
  /** The true class; −1 for an outsider. */
  readonly label: number;
}

/** Of each level: the share of the pictures that have it, and of these the share that is right. */
function table(judged: readonly Judged[], temperature: number, leastLogit: number): Confidence['heldOut']['levels'] {
  return Object.fromEntries(
    levels.map((level) => {
      const those = judged.filter(({ logits }) => levelOf(logits, { temperature, leastLogit }) === level);
      return [level, { share: rounded(those.length / judged.length, 4), right: rounded(mean(those.map(isRight)), 4) }];
    }),
  ) as Confidence['heldOut']['levels'];
}

const isRight = ({ logits, label }: Judged): number => Number(logits.indexOf(Math.max(...logits)) === label);
const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / Math.max(1, values.length);
const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));
const nll = (judged: readonly Judged[], temperature: number): number =>
  mean(judged.map(({ logits, label }) => -Math.log(softmax(logits, temperature)[label])));

/** By golden sections: in 1/temperature the NLL is convex, so it has one minimum. */
function leastNll(judged: readonly Judged[]): number {
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [0.05, 20];
  while (high - low > 1e-4) {
    const [a, b] = [high - ratio * (high - low), low + ratio * (high - low)];
    if (nll(judged, 1 / a) < nll(judged, 1 / b)) high = b;
    else low = a;
  }
  return 2 / (low + high);
}

/** How often a picture of the classes has a larger largest logit than an outsider. */
function auroc(own: readonly Judged[], others: readonly Judged[]): number {
  const most = ({ logits }: Judged) => Math.max(...logits);
  const thresholds = others.map(most);
  return mean(
    own.map((one) => mean(thresholds.map((other) => (most(one) > other ? 1 : most(one) === other ? 0.5 : 0)))),
  );
}

async function synsetsOf(file: string, ranges: string): Promise<Set<string>> {
  const wanted = new Set(
    ranges
      .split(' ')
      .filter(Boolean)
      .flatMap((range) => {
        const [first, last = first] = range.split('-').map(Number);
        return Array.from({ length: last - first + 1 }, (_, i) => first + i);
      }),
  );
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  return new Set(
    lines.map((line) => line.split('\t')).flatMap(([i, synset]) => (wanted.has(Number(i)) ? [synset] : [])),
  );
}

main().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
});
