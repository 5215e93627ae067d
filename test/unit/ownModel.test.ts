// An owner's own model: three files, or the exporter's one.
import { strToU8, zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { modelFromFiles } from '../../client/src/session/models.ts';

const contents = { 'manifest.json': '{"a":1}', 'weights.json': '{"b":2}', 'weights.bin': 'bytes' };
const file = (name: string, text: string) => new File([text], name);
const texts = async (dropped: File[]) => {
  const files = (await modelFromFiles(dropped))?.files;
  return files && Promise.all([files.manifest, files.weightsIndex, files.weights].map((blob) => blob.text()));
};

test('three files, in any order, among others', async () => {
  const dropped = [...Object.entries(contents).map(([name, text]) => file(name, text)), file('card.md', '#')].reverse();
  expect(await texts(dropped)).toEqual(Object.values(contents));
});

test('one .blindsight file holds the three, stored or deflated, beside samples of the same names in folders', async () => {
  const zip = zipSync({
    'manifest.json': strToU8(contents['manifest.json']),
    'weights.json': strToU8(contents['weights.json']),
    'weights.bin': [strToU8(contents['weights.bin']), { level: 0 }],
    'samples/weights.bin': strToU8('another'),
  });
  expect(await texts([new File([zip], 'my.blindsight')])).toEqual(Object.values(contents));
});

test('what is missing, or no zip, is no model', async () => {
  expect(await texts([file('manifest.json', '{}'), file('weights.bin', '')])).toBeUndefined();
  expect(await texts([new File([zipSync({ 'manifest.json': strToU8('{}') })], 'half.blindsight')])).toBeUndefined();
  await expect(texts([file('text.blindsight', 'no zip at all')])).rejects.toThrow('zip');
});
