/**
 * From a picture to the plan's input. Resizing is our own, because the result must be the same bytes in every browser, in Node and in
 * training (Pillow's BILINEAR and BICUBIC: filters widened by the scale, so that shrinking is antialiased); canvas resizing is not.
 */
import type { Manifest } from './manifest.ts';

/** A manifest's `preprocessing`: lengths in pixels. */
export interface Preprocessing {
  readonly shorterSide: number;
  readonly crop: number;
  /** Where it is not `crop`, which is then the height. */
  readonly cropWidth?: number | undefined;
  readonly interpolation?: 'bilinear' | 'bicubic' | undefined;
  /** `squash`: the whole picture in the exact size, whatever its shape. By default the shorter side is resized, and the centre taken. */
  readonly fit?: string | undefined;
}

/** RGBA bytes, as a canvas gives them. */
export interface RgbaImage {
  readonly data: Uint8ClampedArray | Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** A rectangle of an image, in pixels. */
export interface ImageArea {
  readonly left: number;
  readonly top: number;
  readonly columns: number;
  readonly rows: number;
}

/** An image whose pixels are not all in memory at once. */
export interface ImageAreas {
  readonly width: number;
  readonly height: number;
  /** RGBA bytes, row by row; asked from top to bottom. */
  read(area: ImageArea): Uint8ClampedArray | Uint8Array;
}

/** Read at a time: 4 MB. */
const areaPixels = 2 ** 20;

/**
 * Shorter side to `shorterSide`, then the centre `crop`×`cropWidth`. Transparency is laid on white.
 * @returns crop×cropWidth×3 RGB bytes.
 * @throws RangeError when the image has no pixels or its data another length.
 */
export function prepareImage(image: RgbaImage, preprocessing: Preprocessing): Uint8Array {
  const { data, width, height } = image;
  if (width < 1 || height < 1 || data.length !== 4 * width * height) {
    throw new RangeError(`image: expected ${4 * width * height} bytes for ${width}×${height}, got ${data.length}`);
  }
  const read = ({ left, top, columns, rows }: ImageArea) => {
    const area = new Uint8Array(4 * columns * rows);
    for (let y = 0; y < rows; y++) {
      const from = 4 * ((top + y) * width + left);
      area.set(data.subarray(from, from + 4 * columns), 4 * y * columns);
    }
    return area;
  };
  return prepareImageAreas({ width, height, read }, preprocessing);
}

/** As `prepareImage`, of an image that is read piece by piece, and only where the crop needs it. */
export function prepareImageAreas(image: ImageAreas, preprocessing: Preprocessing): Uint8Array {
  const { width, height } = image;
  const { crop, cropWidth = crop, interpolation = 'bilinear' } = preprocessing;
  const [outWidth, outHeight] = resizedSize(width, height, preprocessing);
  const left = Math.round((outWidth - cropWidth) / 2);
  const top = Math.round((outHeight - crop) / 2);

  // Pillow's order: horizontal first, each pass rounded to bytes.
  const columns = filterWeights(interpolation, width, outWidth, left, cropWidth);
  const rows = filterWeights(interpolation, height, outHeight, top, crop);
  const [firstRow, lastRow] = rangeOf(rows);
  const [firstColumn, lastColumn] = rangeOf(columns);
  const wide = lastColumn - firstColumn;
  const horizontal = new Uint8Array((lastRow - firstRow) * cropWidth * 3);
  const atOnce = Math.max(1, Math.floor(areaPixels / wide));
  for (let first = firstRow, out = 0; first < lastRow; first += atOnce) {
    const area = { left: firstColumn, top: first, columns: wide, rows: Math.min(atOnce, lastRow - first) };
    const data = image.read(area);
    for (let y = 0; y < area.rows; y++) {
      for (const { from, weights } of columns) {
        let [r, g, b] = [0, 0, 0];
        for (let i = 0, at = 4 * (y * wide + from - firstColumn); i < weights.length; i++, at += 4) {
          const weight = weights[i];
          const alpha = data[at + 3] / 255;
          const white = 255 * (1 - alpha);
          r += weight * (data[at] * alpha + white);
          g += weight * (data[at + 1] * alpha + white);
          b += weight * (data[at + 2] * alpha + white);
        }
        horizontal[out++] = toByte(r);
        horizontal[out++] = toByte(g);
        horizontal[out++] = toByte(b);
      }
    }
  }
  const pixels = new Uint8Array(crop * cropWidth * 3);
  for (let y = 0, out = 0; y < crop; y++) {
    const { from, weights } = rows[y];
    for (let x = 0; x < cropWidth * 3; x++) {
      let sum = 0;
      for (let i = 0; i < weights.length; i++)
        sum += weights[i] * horizontal[(from - firstRow + i) * cropWidth * 3 + x];
      pixels[out++] = toByte(sum);
    }
  }
  return pixels;
}

/** Width and height before the crop: they cover `shorterSide`, by `shorterSide·cropWidth/crop`. As torchvision, the longer side is rounded down. */
function resizedSize(width: number, height: number, { shorterSide, crop, cropWidth = crop, fit }: Preprocessing) {
  if (fit === 'squash') return [cropWidth, crop] as const;
  // Exact: integers below 2^53.
  if (width * crop > height * cropWidth) return [Math.floor((width * shorterSide) / height), shorterSide] as const;
  const outWidth = Math.floor((shorterSide * cropWidth) / crop);
  return [outWidth, Math.floor((height * outWidth) / width)] as const;
}

/** Pillow's weights are integers over 2^22; with other rounding, one byte in a hundred would differ by one. */
const WEIGHT_ONE = 2 ** 22;
const toByte = (x: number) => Math.min(255, Math.max(0, Math.floor((x + WEIGHT_ONE / 2) / WEIGHT_ONE)));

interface Taps {
  readonly from: number;
  readonly weights: Float64Array;
}

/** The first input that any of them reads, and the one after the last. */
const rangeOf = (taps: Taps[]): [number, number] => [
  taps[0].from,
  taps.reduce((last, { from, weights }) => Math.max(last, from + weights.length), 0),
];

/** How far a filter reaches, in outputs, and its value at |x| outputs from the centre. */
const filters = {
  bilinear: { reach: 1, at: (x: number) => Math.max(0, 1 - x) },
  /** Keys, IEEE Trans. ASSP 29 (1981), equation 4, with a = −1/2. */
  bicubic: {
    reach: 2,
    at: (x: number) => {
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
    },
  },
};

/** To the nearest integer, halves away from 0, as Pillow rounds. */
const rounded = (x: number) => (x < 0 ? Math.ceil(x - 0.5) : Math.floor(x + 0.5));

/** For the outputs first … first+count−1 of a resize from `size` to `outSize`: which inputs, with which weights, in units of 2^-22. */
function filterWeights(
  name: keyof typeof filters,
  size: number,
  outSize: number,
  first: number,
  count: number,
): Taps[] {
  const filter = filters[name];
  const scale = size / outSize;
  const widened = Math.max(scale, 1);
  const support = filter.reach * widened;
  return Array.from({ length: count }, (_, n) => {
    const centre = (first + n + 0.5) * scale;
    const from = Math.max(0, Math.floor(centre - support + 0.5));
    const to = Math.min(size, Math.floor(centre + support + 0.5));
    const weights = Float64Array.from({ length: to - from }, (_, i) =>
      filter.at(Math.abs((from + i - centre + 0.5) * (1 / widened))),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { from, weights: weights.map((weight) => rounded(weight * (1 / sum) * WEIGHT_ONE)) };
  });
}

/** @throws RangeError when there are more or fewer than imageSize×imageWidth×3. */
export function requirePixels(
  pixels: Uint8Array,
  { imageSize: height, imageWidth: width = height }: Manifest['architecture'],
): void {
  if (pixels.length !== height * width * 3)
    throw new RangeError(`pixels: expected ${width}×${height}×3 bytes, got ${pixels.length}`);
}

/**
 * Pixels in the order of the patch embedding's weights: token by token, within a token (channel, y, x); each minus 128.
 * @param pixels imageSize×imageWidth×3 RGB bytes.
 * @throws RangeError when there are more or fewer.
 */
export function inputOf(pixels: Uint8Array, architecture: Manifest['architecture']): Int32Array {
  requirePixels(pixels, architecture);
  const { imageSize: height, imageWidth: width = height, patchSize } = architecture;
  const input = new Int32Array(pixels.length);
  let out = 0;
  for (let top = 0; top < height; top += patchSize) {
    for (let left = 0; left < width; left += patchSize) {
      for (let channel = 0; channel < 3; channel++) {
        for (let y = top; y < top + patchSize; y++) {
          for (let x = left; x < left + patchSize; x++) input[out++] = pixels[3 * (y * width + x) + channel] - 128;
        }
      }
    }
  }
  return input;
}
