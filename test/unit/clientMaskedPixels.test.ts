import { describe, expect, it, test, vi } from 'vitest';
import { cropArea } from '../../client/src/client/cropArea.ts';
import { drawMasked, maskedPixels, sharedBits, sharedValues } from '../../client/src/live/maskedPixels.ts';
import { drawRgb, pictureSize, planarOf } from '../../client/src/ui/pixels.ts';
import { inputOf, prepareImage } from '../../protocols/index.ts';
import type { Preprocessing } from '../../protocols/inference/image.ts';
import { inputShape } from '../../protocols/inference/vit.ts';
import { pack } from '../../protocols/sharing/packing.ts';
import { makeManifest } from '../support/manifest.ts';
import { picture } from '../support/pairing.ts';

/** [height, width, side of a patch] of models' pictures. */
const sizes = [
  [12, 12, 3],
  [4, 8, 2],
  [8, 4, 2],
] as const;

/** RGBA bytes of RGB bytes, each of which `of` changes. */
const rgba = (rgb: Uint8Array, of = (x: number) => x) =>
  Array.from({ length: (rgb.length / 3) * 4 }, (_, i) => (i % 4 === 3 ? 255 : of(rgb[3 * (i >> 2) + (i % 4)])));

/** A canvas that keeps what was put on it. */
class FakeImageData {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  constructor(...args: [Uint8ClampedArray, number, number] | [number, number]) {
    const [width, height] = args.slice(-2) as [number, number];
    this.data = args.length === 3 ? args[0] : new Uint8ClampedArray(4 * width * height);
    if (this.data.length !== 4 * width * height) throw new RangeError('of another size');
    [this.width, this.height] = [width, height];
  }
}
function drawn(draw: (canvas: HTMLCanvasElement) => void): { width: number; height: number; data: number[] } {
  let put: FakeImageData | undefined;
  const canvas = { width: 0, height: 0, getContext: () => ({ putImageData: (image: FakeImageData) => (put = image) }) };
  vi.stubGlobal('ImageData', FakeImageData);
  draw(canvas as unknown as HTMLCanvasElement);
  vi.unstubAllGlobals();
  expect([put!.width, put!.height]).toEqual([canvas.width, canvas.height]);
  return { width: canvas.width, height: canvas.height, data: [...put!.data] };
}

describe.each(sizes)('a model’s picture of %i × %i', (height, width, patchSize) => {
  const manifest = makeManifest({
    ...{ imageSize: height, patchSize, positional: false },
    ...(width !== height && { imageWidth: width }),
  });
  const image = picture(height, 5, width);
  const masked = (bits: number) => {
    // In place of a mask, 77 in each low byte and something above it.
    const values = Uint32Array.from(inputOf(image, manifest.architecture), (x, i) => x + 128 + 77 + (i << 8));
    return pack(values, bits);
  };

  it.each([32, 27, 25, 9, 8])('puts every value of %i bits where it belongs in the image', (bits) => {
    const bytes = masked(bits);
    expect(sharedBits(bytes, manifest)).toBe(bits);
    expect([...maskedPixels(bytes, manifest)]).toEqual(rgba(image, (x) => (x + 77) & 255));
  });

  it('is drawn in its own shape, plain and masked', () => {
    expect(drawn((canvas) => drawRgb(canvas, image, pictureSize(manifest.architecture)))).toEqual({
      ...{ width, height, data: rgba(image) },
    });
    expect(drawn((canvas) => drawMasked(canvas, masked(27), manifest))).toEqual({
      ...{ width, height, data: rgba(image, (x) => (x + 77) & 255) },
    });
  });

  it('is given to a plaintext model channel by channel', () => {
    const planar = planarOf(image);
    for (let channel = 0; channel < 3; channel++) {
      const plane = planar.subarray(channel * height * width, (channel + 1) * height * width);
      expect([...plane]).toEqual([...image.filter((_, i) => i % 3 === channel)]);
    }
  });

  test.each([undefined, { blocks: 1, bytes: 1, sha256: '0'.repeat(64) }])(
    'as many numbers as the plan shares (%j)',
    (publicPart) => {
      const model = { ...manifest, ...(publicPart && { publicPart }) };
      const { rows, cols } = inputShape(model);
      expect(sharedValues(model)).toBe(rows * cols);
      expect(sharedBits(pack(new Uint32Array(rows * cols), 27), model)).toBe(27);
    },
  );
});

describe('the part of a picture that the model sees', () => {
  const landscape = { width: 240, height: 120 };
  const portrait = { width: 120, height: 240 };

  test.each<[string, { width: number; height: number }, Preprocessing, ReturnType<typeof cropArea>]>([
    ['crop', landscape, { shorterSide: 8, crop: 8 }, { left: 60, top: 0, width: 120, height: 120 }],
    ['crop within', portrait, { shorterSide: 10, crop: 8 }, { left: 12, top: 72, width: 96, height: 96 }],
    ['4 × 8', portrait, { shorterSide: 4, crop: 4, cropWidth: 8 }, { left: 0, top: 90, width: 120, height: 60 }],
    ['4 × 8', landscape, { shorterSide: 4, crop: 4, cropWidth: 8 }, { left: 0, top: 0, width: 240, height: 120 }],
    ['8 × 4', landscape, { shorterSide: 8, crop: 8, cropWidth: 4 }, { left: 90, top: 0, width: 60, height: 120 }],
    ['squash', landscape, { fit: 'squash', shorterSide: 8, crop: 8 }, { left: 0, top: 0, ...landscape }],
    ['squash', portrait, { fit: 'squash', shorterSide: 4, crop: 4, cropWidth: 8 }, { left: 0, top: 0, ...portrait }],
  ])('%s of %o', (_, size, preprocessing, area) => expect(cropArea(size, preprocessing)).toEqual(area));

  // A picture that says in red and green where each of its pixels is.
  const where = ({ width, height }: { width: number; height: number }) => {
    const data = new Uint8Array(4 * width * height);
    for (let i = 0; i < width * height; i++) data.set([i % width, Math.floor(i / width), 0, 255], 4 * i);
    return { data, width, height };
  };
  const shapes = [{ crop: 8 }, { crop: 4, cropWidth: 8 }, { crop: 8, cropWidth: 4 }, { crop: 12, cropWidth: 10 }];
  const all = [landscape, portrait, { width: 97, height: 101 }].flatMap((size) =>
    shapes.flatMap((shape) =>
      [
        { ...shape, shorterSide: shape.crop },
        { ...shape, shorterSide: shape.crop + 3 },
        { ...shape, shorterSide: shape.crop, fit: 'squash' },
      ].map((preprocessing) => [size, preprocessing] as const),
    ),
  );

  test.each(all)('is that of prepareImage: %o, %o', (size, preprocessing) => {
    const { crop, cropWidth = crop } = preprocessing as Preprocessing;
    const pixels = prepareImage(where(size), preprocessing);
    const area = cropArea(size, preprocessing);
    // Within a pixel of the model's: it takes whole ones. At the picture's edge the filters see one side only.
    const [across, down] = [area.width / cropWidth, area.height / crop];
    for (let y = 1; y < crop - 1; y++) {
      for (let x = 1; x < cropWidth - 1; x++) {
        const [red, green] = pixels.subarray(3 * (y * cropWidth + x));
        expect(Math.abs(red - (area.left + (x + 0.5) * across - 0.5))).toBeLessThan(0.6 * across + 1);
        expect(Math.abs(green - (area.top + (y + 0.5) * down - 0.5))).toBeLessThan(0.6 * down + 1);
      }
    }
  });
});
