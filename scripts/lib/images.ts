/** Image files in Node, read as the tab reads them. */
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { headerBytes, inspectHeader, inspectWhole, maxPixels } from '../../client/src/worker/pictureFile.ts';
import type { RgbaImage } from '../../protocols/index.ts';

/** @param name for errors. @throws Error when the file cannot be read, is no image, or is one of a kind that is refused. */
export async function readImage(
  file: string | Buffer,
  name = typeof file === 'string' ? file : 'image',
): Promise<RgbaImage> {
  const bytes = typeof file === 'string' ? await readFile(file) : file;
  try {
    const { components } = inspectWhole(bytes, inspectHeader(bytes.subarray(0, headerBytes), bytes.length));
    // Some cameras write scan parameters that are not quite right, and browsers read them.
    const image = sharp(bytes, { limitInputPixels: maxPixels, failOn: 'truncated' }).rotate();
    const pixels =
      components === 4
        ? image.pipelineColourspace('cmyk').toColourspace('cmyk')
        : image.toColourspace('srgb').ensureAlpha();
    const { data, info } = await pixels.raw().toBuffer({ resolveWithObject: true });
    if (components === 4) inksToRgba(data);
    return { data: new Uint8Array(data.buffer, data.byteOffset, data.length), width: info.width, height: info.height };
  } catch (error) {
    throw new Error(`${name}: cannot be read as an image (${(error as Error).message})`);
  }
}

/** CMYK in place, without a profile: each ink takes its part of the light away. */
function inksToRgba(data: Uint8Array): void {
  for (let at = 0; at < data.length; at += 4) {
    const light = (255 - data[at + 3]) / 255;
    for (let c = at; c < at + 3; c++) data[c] = Math.round((255 - data[c]) * light);
    data[at + 3] = 255;
  }
}
