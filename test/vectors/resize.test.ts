import { expect, test } from 'vitest';
import { prepareImage } from '../../protocols/index.ts';
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

test.each(vectors)('$width×$height to $shorterSide, centre $crop: as the exporter prepares it', (v) => {
  const pixels = prepareImage(picture(v.width, v.height), { shorterSide: v.shorterSide, crop: v.crop });
  expect(pixels).toEqual(new Uint8Array(Buffer.from(v.rgb, 'base64')));
});
