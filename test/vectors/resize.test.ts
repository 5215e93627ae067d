import { expect, test } from 'vitest';
import { prepareImage } from '../../protocols/index.ts';
import type { Preprocessing } from '../../protocols/inference/image.ts';
import vectors from './resize.json' with { type: 'json' };

function picture(width: number, height: number) {
  const data = new Uint8Array(4 * width * height);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) data[at++] = (3 * x * x + 7 * y * (c + 1) + x * y * c) % 256;
      data[at++] = 255;
    }
  }
  return { data, width, height };
}

const cases = vectors as (Preprocessing & { width: number; height: number; rgb: string })[];

test.each(cases)('$width×$height to $shorterSide, $fit $crop×$cropWidth, $interpolation: as the exporter prepares it', (v) => {
  const { width, height, rgb, ...preprocessing } = v;
  expect(prepareImage(picture(width, height), preprocessing)).toEqual(new Uint8Array(Buffer.from(rgb, 'base64')));
});
