/** How the masked image is drawn: value by value in the image's places, though it is noise. */

/**
 * RGBA pixels from the values' low bytes; undoes the order of `inputOf` (token by token, channel, y, x).
 * @param bytes all values, packed with the same number of bits each, 8 at least (protocols/sharing/packing.ts). Where a model's public part has
 *   made other numbers of the picture, they are drawn byte by byte, over and over.
 */
export function maskedPixels(bytes: Uint8Array, imageSize: number, patchSize: number): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(imageSize * imageSize * 4).fill(255);
  const bits = Math.floor((8 * bytes.length) / (3 * imageSize ** 2));
  const isPicture = bits >= 8;
  const step = isPicture ? bits : 8;
  const length = 8 * bytes.length;
  let bit = 0;
  for (let top = 0; top < imageSize; top += patchSize) {
    for (let left = 0; left < imageSize; left += patchSize) {
      for (let channel = 0; channel < 3; channel++) {
        for (let y = top; y < top + patchSize; y++) {
          for (let x = left; x < left + patchSize; x++) {
            const at = bit >>> 3;
            pixels[4 * (y * imageSize + x) + channel] = ((bytes[at] | ((bytes[at + 1] ?? 0) << 8)) >>> (bit & 7)) & 255;
            bit += step;
            if (!isPicture && bit >= length) bit = 0;
          }
        }
      }
    }
  }
  return pixels;
}

/** Draws them, one canvas pixel for one of the image. */
export function drawMasked(
  canvas: HTMLCanvasElement,
  bytes: Uint8Array,
  { imageSize, patchSize }: { imageSize: number; patchSize: number },
): void {
  canvas.width = canvas.height = imageSize;
  const pixels = new ImageData(maskedPixels(bytes, imageSize, patchSize), imageSize, imageSize);
  canvas.getContext('2d')!.putImageData(pixels, 0, 0);
}

/** How often each of 64 ranges of byte values occurs, as fractions of the most frequent. */
export function histogram(bytes: Iterable<number>): number[] {
  const counts = new Array<number>(64).fill(0);
  for (const byte of bytes) counts[byte >> 2]++;
  const most = Math.max(1, ...counts);
  return counts.map((count) => count / most);
}
