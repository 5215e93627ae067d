/** The picture that walks: the client's own, where there is one, in the walk's few pixels. */
import type { PictureSize } from '../ui/pixels.ts';
import { side } from './walkRun.ts';

/** A cat. */
export const samplePicture = Int32Array.from(
  [
    [226, 118, 231, 236, 238, 233, 121, 228],
    [222, 104, 126, 229, 231, 128, 108, 224],
    [217, 112, 97, 139, 142, 101, 116, 219],
    [212, 121, 173, 118, 121, 176, 124, 214],
    [206, 116, 24, 109, 112, 21, 119, 208],
    [201, 109, 124, 58, 61, 127, 112, 203],
    [196, 181, 106, 147, 150, 109, 184, 198],
    [191, 187, 178, 117, 120, 181, 189, 193],
  ].flat(),
);

/**
 * A picture's mean brightness (ITU-R BT.601) in 8 × 8 fields of like size, from 0 to 255. Where it has fewer pixels than fields, some share one.
 * @param pixels height × width × 3 RGB bytes; both are 1 at least.
 */
export function greyPicture(pixels: Uint8Array, { width, height }: PictureSize): Int32Array {
  const field = (i: number, length: number) => {
    const from = Math.floor((i * length) / side);
    return [from, Math.max(from + 1, Math.floor(((i + 1) * length) / side))] as const;
  };
  return Int32Array.from({ length: side * side }, (_, at) => {
    const [top, bottom] = field(Math.floor(at / side), height);
    const [left, right] = field(at % side, width);
    let [sum, count] = [0, 0];
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++, count++) {
        const i = 3 * (y * width + x);
        sum += 0.299 * pixels[i] + 0.587 * pixels[i + 1] + 0.114 * pixels[i + 2];
      }
    }
    return Math.round(sum / count);
  });
}

/** The pixel that is closest to a brightness. */
export const nearest = (pixels: Int32Array, brightness: number): number =>
  pixels.reduce((best, pixel, i) => (Math.abs(pixel - brightness) < Math.abs(pixels[best] - brightness) ? i : best), 0);
