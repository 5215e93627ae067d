import { describe, expect, test } from 'vitest';
import { headerBytes, inspectHeader, inspectWhole, PictureError } from '../../client/src/worker/pictureFile.ts';
import { prepareImage, prepareImageAreas } from '../../protocols/inference/image.ts';
import { readImage } from '../../scripts/lib/images.ts';
import { difference, largestDifference, oddPictures, readOddPicture, side } from '../support/oddPictures.ts';

const preprocessing = { shorterSide: side, crop: side };

test('there are about forty', () => expect(oddPictures.length).toBeGreaterThan(40));

describe('odd picture files in Node', () => {
  test.each(oddPictures)('$file $metadataBytes $problem', async (odd) => {
    const bytes = await readOddPicture(odd);
    if (odd.problem) return expect(readImage(bytes)).rejects.toThrow(odd.problem);
    const seen = prepareImage(await readImage(bytes), preprocessing);
    expect(difference(seen, odd)).toBeLessThanOrEqual(largestDifference);
  });
});

test.each(oddPictures.filter(({ problem }) => problem))('$file: the reason, from its bytes', async (odd) => {
  const bytes = await readOddPicture(odd);
  const inspect = () => inspectWhole(bytes, inspectHeader(bytes.subarray(0, headerBytes), bytes.length));
  expect(inspect).toThrow(PictureError);
  expect(inspect).toThrow(odd.problem);
});

test('a file that ends anywhere is damaged, and no other error', async () => {
  for (const odd of oddPictures.filter(({ rgb, metadataBytes }) => rgb && !metadataBytes)) {
    const bytes = await readOddPicture(odd);
    for (let length = 0; length < bytes.length - 8; length += 7) {
      const cut = bytes.subarray(0, length);
      // An animation's later pictures are not needed.
      const isShown = () => inspectWhole(cut, inspectHeader(cut, cut.length));
      if (odd.file === 'animated.gif' && length > bytes.length / 2) continue;
      expect(isShown, `${odd.file}, ${length} bytes`).toThrow(PictureError);
    }
  }
});

test('read piece by piece, a large picture gives the same bytes', () => {
  const [width, height] = [1500, 2100];
  const data = new Uint8Array(4 * width * height).map((_, i) => (i * 7 + (i >> 9)) & 255);
  const asked: number[] = [];
  const read = ({ left, top, columns, rows }: { left: number; top: number; columns: number; rows: number }) => {
    asked.push(rows * columns);
    return Uint8Array.from({ length: 4 * columns * rows }, (_, i) => {
      const [x, y] = [left + ((i >> 2) % columns), top + Math.floor((i >> 2) / columns)];
      return data[4 * (y * width + x) + (i & 3)];
    });
  };
  const options = { shorterSide: 36, crop: 32 };
  expect(prepareImageAreas({ width, height, read }, options)).toEqual(prepareImage({ data, width, height }, options));
  expect(asked.length).toBeGreaterThan(1);
  expect(Math.max(...asked)).toBeLessThanOrEqual(2 ** 20);
});
