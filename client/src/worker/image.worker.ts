/** Decodes, reduces and crops an image off the main thread. */
import { prepareImage } from '../../../protocols/inference/image.ts';
import { imageSize } from './imageSize.ts';
import type { FromImageWorker, ToImageWorker } from './messages.ts';

/** A decoded pixel takes 4 bytes: 400 MB, about what a tab on a telephone can bear. */
const maxMegapixels = 100;
/** Sides above are reduced by the browser while decoding, before the exact resize. */
const maxSide = 2048;
const previewSide = 640;
/** Headers are near the start, but a JPEG may carry large metadata before its frame header. */
const headerBytes = 1 << 20;

self.onmessage = async ({ data }: MessageEvent<ToImageWorker>) => {
  const { id, file, preprocessing } = data;
  const answer = (message: FromImageWorker, transfer: Transferable[] = []) => self.postMessage(message, { transfer });
  try {
    const declared = imageSize(new Uint8Array(await file.slice(0, headerBytes).arrayBuffer()));
    if (declared && declared.width * declared.height > maxMegapixels * 1e6) {
      return answer({ id, problem: 'too-large', ...declared });
    }
    const full = await createImageBitmap(file);
    const { width, height } = full;
    if (width * height > maxMegapixels * 1e6) return answer({ id, problem: 'too-large', width, height });
    const working = await reduce(full, maxSide);
    const pixels = prepareImage(pixelsOf(working), preprocessing);
    const preview = await reduce(working, previewSide);
    answer({ id, image: { pixels, crop: preprocessing.crop, width, height, preview } }, [pixels.buffer, preview]);
  } catch {
    answer({ id, problem: 'not-an-image' });
  }
};

/** At most `side` on the longer side; closes `bitmap` if it makes a smaller one. */
async function reduce(bitmap: ImageBitmap, side: number): Promise<ImageBitmap> {
  const scale = side / Math.max(bitmap.width, bitmap.height);
  if (scale >= 1) return bitmap;
  const smaller = await createImageBitmap(bitmap, {
    resizeWidth: Math.max(1, Math.round(bitmap.width * scale)),
    resizeHeight: Math.max(1, Math.round(bitmap.height * scale)),
    resizeQuality: 'high',
  });
  bitmap.close();
  return smaller;
}

/** RGBA on white: what a transparent image looks like on a page. */
function pixelsOf(bitmap: ImageBitmap): ImageData {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  context.fillStyle = '#fff';
  context.fillRect(0, 0, bitmap.width, bitmap.height);
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}
