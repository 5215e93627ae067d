import { describe, expect, it } from 'vitest';
import { maskedPixels } from '../../client/src/live/maskedPixels.ts';
import { inputOf } from '../../protocols/index.ts';
import { pack } from '../../protocols/sharing/packing.ts';
import { makeManifest } from '../support/manifest.ts';
import { picture } from '../support/pairing.ts';

describe('masked pixels', () => {
  it.each([32, 27, 25, 9, 8])('puts every value of %i bits where it belongs in the image', (bits) => {
    const { architecture } = makeManifest({ imageSize: 12, patchSize: 3 });
    const image = picture(12);
    // In place of a mask, 77 in each low byte and something above it.
    const values = Uint32Array.from(inputOf(image, architecture), (x, i) => x + 128 + 77 + (i << 8));
    const drawn = maskedPixels(pack(values, bits), 12, 3);
    expect([...drawn]).toEqual(
      Array.from({ length: 12 * 12 * 4 }, (_, i) => (i % 4 === 3 ? 255 : (image[3 * (i >> 2) + (i % 4)] + 77) & 255)),
    );
  });
});
