/** Image files in Node. */
import sharp from 'sharp';
import type { RgbaImage } from '../../protocols/index.ts';

/** Pixels of a picture that is read at all. */
const maxPixels = 200e6;

/** @throws Error when the file cannot be read or is no image. */
export async function readImage(file: string | Buffer): Promise<RgbaImage> {
  try {
    const { data, info } = await sharp(file, { limitInputPixels: maxPixels })
      .rotate()
      .toColourspace('srgb')
      .ensureAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { data: new Uint8Array(data.buffer, data.byteOffset, data.length), width: info.width, height: info.height };
  } catch (error) {
    throw new Error(
      `${typeof file === 'string' ? file : 'image'}: cannot be read as an image (${(error as Error).message})`,
    );
  }
}
