/** Decodes, resizes and crops an image off the main thread. */
import { type ImageArea, prepareImageAreas } from '../../../protocols/inference/image.ts';
import type { FromImageWorker, ToImageWorker } from './messages.ts';
import { headerBytes, inspectHeader, inspectWhole, PictureError } from './pictureFile.ts';

const previewSide = 640;

self.onmessage = async ({ data }: MessageEvent<ToImageWorker>) => {
  const { id, file, preprocessing, maxPixels } = data;
  const answer = (message: FromImageWorker, transfer: Transferable[] = []) => self.postMessage(message, { transfer });
  try {
    const bitmap = await decode(file, maxPixels);
    const { width, height } = bitmap;
    const pixels = prepareImageAreas({ width, height, read: areaReader(bitmap) }, preprocessing);
    const preview = reduce(bitmap, previewSide);
    bitmap.close();
    const seen = { width: preprocessing.cropWidth ?? preprocessing.crop, height: preprocessing.crop };
    answer({ id, image: { pixels, seen, width, height, preview } }, [pixels.buffer, preview]);
  } catch (error) {
    const { problem, width, height } = error instanceof PictureError ? error : new PictureError('damaged');
    answer({ id, problem, ...(width && height ? { width, height } : {}) });
  }
};

/** Turned as its orientation says, in sRGB. @throws PictureError; DOMException when the browser cannot decode it. */
async function decode(file: Blob, maxPixels: number): Promise<ImageBitmap> {
  const header = new Uint8Array(await file.slice(0, headerBytes).arrayBuffer());
  const found = inspectHeader(header, file.size, maxPixels);
  const whole = file.size > headerBytes ? new Uint8Array(await file.arrayBuffer()) : header;
  // Browsers differ in what they make of CMYK's profiles; without, ink takes light away in all of them.
  const isCmyk = inspectWhole(whole, found).components === 4;
  // Not multiplied by alpha: Chromium would convert the products' colours, which are 8 bits, to sRGB.
  return createImageBitmap(file, { colorSpaceConversion: isCmyk ? 'none' : 'default', premultiplyAlpha: 'none' });
}

/** RGBA on white: what a transparent image looks like on a page. Piece by piece, because a canvas of the whole may be too large. */
function areaReader(bitmap: ImageBitmap): (area: ImageArea) => Uint8ClampedArray {
  const canvas = new OffscreenCanvas(1, 1);
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  return ({ left, top, columns, rows }) => {
    [canvas.width, canvas.height] = [columns, rows];
    context.fillStyle = '#fff';
    context.fillRect(0, 0, columns, rows);
    context.drawImage(bitmap, left, top, columns, rows, 0, 0, columns, rows);
    return context.getImageData(0, 0, columns, rows).data;
  };
}

/** At most `side` on the longer side. (Firefox before 149 has no `createImageBitmap` that resizes a bitmap.) */
function reduce(bitmap: ImageBitmap, side: number): ImageBitmap {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const shrunk = (length: number) => Math.max(1, Math.round(length * scale));
  const canvas = new OffscreenCanvas(shrunk(bitmap.width), shrunk(bitmap.height));
  const context = canvas.getContext('2d')!;
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.transferToImageBitmap();
}
