/** How the masked image is drawn: value by value in the image's places, though it is noise. */
import type { Manifest } from '../../../protocols/inference/manifest.ts';
import { tokensBefore } from '../../../protocols/inference/tokens.ts';
import { pictureSize } from '../ui/pixels.ts';

/** What of a manifest says which numbers the client shares. */
export type Shared = Pick<Manifest, 'architecture' | 'publicPart'>;

/** How many numbers the client shares: the picture's, or those that a model's public part has made of it (`inputShape`). */
export function sharedValues({ architecture, publicPart }: Shared): number {
  const { width, height } = pictureSize(architecture);
  if (!publicPart) return 3 * height * width;
  return tokensBefore(architecture, publicPart.blocks).length * architecture.dim;
}

/** Bits of each of them on the wire. @param bytes all values, packed with the same number of bits each (protocols/sharing/packing.ts) */
export const sharedBits = (bytes: Uint8Array, manifest: Shared): number =>
  Math.floor((8 * bytes.length) / sharedValues(manifest));

/**
 * RGBA pixels, row by row, from the values' low bytes; undoes the order of `inputOf` (token by token, channel, y, x).
 * @param bytes all values, packed with the same number of bits each, 8 at least (protocols/sharing/packing.ts). Where a model's public part has
 *   made other numbers of the picture, they are drawn byte by byte, over and over.
 */
export function maskedPixels(bytes: Uint8Array, manifest: Shared): Uint8ClampedArray<ArrayBuffer> {
  const { patchSize } = manifest.architecture;
  const { width, height } = pictureSize(manifest.architecture);
  const pixels = new Uint8ClampedArray(width * height * 4).fill(255);
  const bits = sharedBits(bytes, manifest);
  const isPicture = !manifest.publicPart && bits >= 8;
  const step = isPicture ? bits : 8;
  const length = 8 * bytes.length;
  let bit = 0;
  for (let top = 0; top < height; top += patchSize) {
    for (let left = 0; left < width; left += patchSize) {
      for (let channel = 0; channel < 3; channel++) {
        for (let y = top; y < top + patchSize; y++) {
          for (let x = left; x < left + patchSize; x++) {
            const at = bit >>> 3;
            pixels[4 * (y * width + x) + channel] = ((bytes[at] | ((bytes[at + 1] ?? 0) << 8)) >>> (bit & 7)) & 255;
            bit += step;
            if (!isPicture && bit >= length) bit = 0;
          }
        }
      }
    }
  }
  return pixels;
}

/** They as a picture of the model's size. */
export function maskedImage(bytes: Uint8Array, manifest: Shared): ImageData {
  const { width, height } = pictureSize(manifest.architecture);
  return new ImageData(maskedPixels(bytes, manifest), width, height);
}

/** Draws them, one canvas pixel for one of the image. */
export function drawMasked(canvas: HTMLCanvasElement, bytes: Uint8Array, manifest: Shared): void {
  const image = maskedImage(bytes, manifest);
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext('2d')!.putImageData(image, 0, 0);
}

/** How often each of 64 ranges of byte values occurs, as fractions of the most frequent. */
export function histogram(bytes: Iterable<number>): number[] {
  const counts = new Array<number>(64).fill(0);
  for (const byte of bytes) counts[byte >> 2]++;
  const most = Math.max(1, ...counts);
  return counts.map((count) => count / most);
}
