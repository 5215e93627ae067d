// `npm run evaluate` on people's own pictures: in folders named by synset, by name, by number, or by nothing that the model knows.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { classFinder } from '../../scripts/lib/classNames.ts';
import { readImages, withPixels } from '../../scripts/lib/dataset.ts';
import { TINY_SAMPLES, tinySample } from '../support/tinySamples.ts';

const root = path.join(import.meta.dirname, '../..');
const tiny = path.join(import.meta.dirname, '../vectors/tiny');

interface LabelFile {
  name: string;
  file: string;
  text?: string;
  base64?: string;
  /** As a manifest takes them. */
  names?: string[];
  /** By folders; -1 for what is none. */
  classes?: Record<string, number>;
  problem?: string;
}
const labelFiles: LabelFile[] = JSON.parse(
  await readFile(path.join(import.meta.dirname, '../vectors/labels.json'), 'utf8'),
);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'evaluate-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const target = path.join(folder, name);
  await mkdir(path.dirname(target), { recursive: true });
  await writeFile(target, content);
  return target;
}

describe('the class of a folder', () => {
  const names = ['tench', 'great white shark, Carcharodon', 'Bücherregal'];

  it.each([
    ['tench', 0],
    ['Great_White-Shark', 1],
    ['carcharodon', 1],
    ['bücherregal', 2],
    ['2', 2],
    ['n01440764', -1],
    ['', -1],
    ['3', -1],
  ])('by the names of the model: %s', async (word, index) => expect((await classFinder(names))(word)).toBe(index));

  it.each([
    ['numbers, synsets and names', 'labels.tsv', '0\tn01\ttench\n1\tn02\tshark\n2\tn03\tshelf\n'],
    ['synsets and names', 'plain.tsv', 'n01\ttench\nn02\tshark\nn03\tshelf\n'],
    ['JSON', 'labels.json', JSON.stringify([['n01', 'tench'], ['n02', 'shark'], ['n03']])],
  ])('by a file of %s', async (_, name, text) => {
    const classOf = await classFinder(names, await file(name, text));
    expect(['n01', 'n02', 'N03', 'tench', 'n04'].map(classOf)).toEqual([0, 1, 2, 0, -1]);
  });

  // The exporter is held to the same (tests_exporter/test_labels.py). Names of signs alone are no words: the file's own are found.
  it.each(labelFiles)(
    'by a file of labels: $name',
    async ({ file: name, text, base64, names = [], classes = {}, problem }) => {
      const path = await file(`vectors/${name}`, base64 === undefined ? text! : Buffer.from(base64, 'base64'));
      const finder = classFinder(Array<string>(names.length).fill('?'), path);
      if (problem !== undefined) return expect(finder).rejects.toThrow(problem);
      const classOf = await finder;
      expect(Object.fromEntries(Object.keys(classes).map((word) => [word, classOf(word)]))).toEqual(classes);
    },
  );

  it('refuses a file for another number of classes, and one that is not there', async () => {
    await expect(classFinder(names, await file('two.txt', 'a\nb\n'))).rejects.toThrow('2 labels for 3 classes');
    await expect(classFinder(names, path.join(folder, 'none.tsv'))).rejects.toThrow('there is no such file of labels');
  });
});

describe('the pictures of an evaluation', () => {
  it('are what is held out of a divided set, and all of any other', async () => {
    const image = new Uint8Array([1]);
    const read = async (names: readonly string[]) => {
      const zip = await file('set.zip', zipSync(Object.fromEntries(names.map((name) => [name, image]))));
      return (await readImages(zip, 10)).map(({ name, label }) => [name, label]);
    };
    expect(await read(['train/n01/a.jpg', 'set/val/n02/b.JPEG', 'val/notes.txt'])).toEqual([
      ['set/val/n02/b.JPEG', 'n02'],
    ]);
    expect(await read(['cats/a.png', 'b.webp', '__MACOSX/cats/._a.png', 'cats/.hidden.jpg'])).toEqual([
      ['b.webp', ''],
      ['cats/a.png', 'cats'],
    ]);
    await expect(read(['readme.txt'])).rejects.toThrow('no picture in it');
  });
});

describe('what is no picture', () => {
  const preprocessing = { shorterSide: 8, crop: 8 };

  it('is left out, and named', async () => {
    const errors: string[] = [];
    const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => errors.push(String(text)) > 0);
    const good = { name: 'a/good.png', label: 'a', bytes: await tinySample(TINY_SAMPLES[0]) };
    const bad = { name: 'a/bad.jpg', label: 'a', bytes: new TextEncoder().encode('not a picture') };
    try {
      expect((await withPixels([bad, good], preprocessing)).map(({ name }) => name)).toEqual(['a/good.png']);
      await expect(withPixels([bad], preprocessing)).rejects.toThrow('none of the files is a picture');
    } finally {
      write.mockRestore();
    }
    expect(errors[0]).toMatch(/^left out: a\/bad\.jpg: /);
  });
});

describe('npm run evaluate', () => {
  const evaluate = async (...options: string[]) => {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', 'scripts/evaluate.ts', '--model', tiny, '--json', ...options],
      { cwd: root },
    );
    return { result: JSON.parse(stdout), stderr };
  };

  it('tells accuracy by synset, and agreement alone where no folder is a class', async () => {
    const pictures = await Promise.all(TINY_SAMPLES.map(tinySample));
    const data = await file(
      'synsets.zip',
      zipSync(Object.fromEntries(pictures.map((bytes, i) => [`val/n0${i}/${i}.jpg`, new Uint8Array(bytes)]))),
    );
    const unknown = await evaluate('--data', data, '--images', '2', '--secure', '1');
    expect(unknown.result).toMatchObject({ images: 2, secure: { images: 1, agreementTop1: 1 } });
    expect(unknown.result).not.toHaveProperty('floatTop1');
    expect(unknown.result.agreementTop1).toBeGreaterThanOrEqual(0);
    expect(unknown.stderr).toContain('2 of them in folders that are no class');

    const { labels } = JSON.parse(await readFile(`${tiny}/manifest.json`, 'utf8'));
    const lines = (labels as string[]).map((name, i) => `n0${i}\t${name}`).join('\n');
    const known = await evaluate('--data', data, '--images', '2', '--labels', await file('classes.tsv', lines));
    expect(known.result).toMatchObject({ images: 2, labelled: 2 });
    expect([0, 0.5, 1]).toContain(known.result.floatTop1);
  }, 120_000);

  it('tells how often another model says the same, and at what cost', async () => {
    const data = await file('picture/0.png', await tinySample(TINY_SAMPLES[0]));
    const { result } = await evaluate('--data', path.dirname(data), '--against', tiny);
    const ratios = { onlineBytes: 1, offlineBytes: 1, flights: 1 };
    expect(result.against).toEqual({ model: tiny, agreementTop1: 1, ratios });
    await expect(evaluate('--data', path.dirname(data), '--against', 'cifar10')).rejects.toMatchObject({
      stderr: expect.stringContaining('expected a model of the same classes'),
    });
  }, 120_000);
});
