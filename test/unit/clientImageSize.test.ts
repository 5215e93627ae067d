import sharp from 'sharp';
import { expect, test } from 'vitest';
import { imageSize } from '../../client/src/worker/imageSize.ts';

const image = (width = 37, height = 21) => sharp({ create: { width, height, channels: 3, background: 'teal' } });

test.each([
  ['png', () => image().png()],
  ['jpeg', () => image().jpeg()],
  ['progressive jpeg', () => image().jpeg({ progressive: true })],
  [
    'jpeg with metadata',
    () =>
      image()
        .withExif({ IFD0: { Copyright: 'x'.repeat(2000) } })
        .jpeg(),
  ],
  ['gif', () => image().gif()],
  ['lossy webp', () => image().webp()],
  ['lossless webp', () => image().webp({ lossless: true })],
  [
    'webp with metadata',
    () =>
      image()
        .withExif({ IFD0: { Copyright: 'x' } })
        .webp(),
  ],
] as const)('%s', async (_, encode) => {
  expect(imageSize(await encode().toBuffer())).toEqual({ width: 37, height: 21 });
});

test('a cut header, another format, nothing', async () => {
  const png = await image().png().toBuffer();
  expect(imageSize(png.subarray(0, 18))).toBeUndefined();
  const jpeg = await image().jpeg().toBuffer();
  expect(imageSize(jpeg.subarray(0, 30))).toBeUndefined();
  expect(imageSize(Buffer.from('no image at all, just text'))).toBeUndefined();
  expect(imageSize(new Uint8Array(0))).toBeUndefined();
});
