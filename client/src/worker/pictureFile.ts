/**
 * Which picture files are read, and what is wrong with the others; told from their bytes, before anything is decoded.
 *
 * The tab, Node (scripts/lib/images.ts) and the exporter (exporter/images.py) read the same files and see the same pixels:
 * test/vectors/pictures.json holds them to that. So what one of them cannot read, or decodes otherwise, all refuse:
 * SVG and HEIC and TIFF, which some browsers read; AVIF, whose colours each decoder enlarges in its own way.
 */
import { imageSize } from 'image-size';

export type PictureProblem =
  | 'not-an-image'
  | 'svg'
  | 'heic'
  | 'tiff'
  | 'avif'
  | 'other-format'
  | 'metadata'
  | 'damaged'
  | 'too-large';

/** The file is not read; `problem` says why, `width` and `height` where they are known. */
export class PictureError extends Error {
  constructor(
    readonly problem: PictureProblem,
    readonly width?: number,
    readonly height?: number,
  ) {
    super(width === undefined ? problem : `${problem}: ${width} × ${height} pixels`);
  }
}

export interface PictureFile {
  readonly type: (typeof readTypes)[number];
  readonly width: number;
  readonly height: number;
}

/** A decoded pixel takes 4 bytes: 400 MB, about what a tab on a telephone can bear. */
export const maxPixels = 100e6;
/** What has to stand within: the picture's size. Before it a JPEG may carry metadata: profile, thumbnail, history of edits. */
export const headerBytes = 16 << 20;

const readTypes = ['png', 'jpg', 'gif', 'webp'] as const;
const ownSentence: Record<string, PictureProblem> = {
  svg: 'svg',
  tiff: 'tiff',
  avif: 'avif',
  heic: 'heic',
  heif: 'heic',
  heix: 'heic',
  hevc: 'heic',
};

/**
 * @param header the file's first `headerBytes`, or all of it.
 * @param most pixels that are read.
 * @throws PictureError
 */
export function inspectHeader(header: Uint8Array, fileBytes: number, most = maxPixels): PictureFile {
  const found = identify(header, fileBytes);
  if (found.width * found.height > most) throw new PictureError('too-large', found.width, found.height);
  return found;
}

function identify(header: Uint8Array, fileBytes: number): PictureFile {
  if (header.length < 12) throw new PictureError('not-an-image'); // less than any signature
  try {
    const { type = '', width, height } = imageSize(header);
    const readType = readTypes.find((each) => each === type);
    if (readType) return { type: readType, width, height };
    throw new PictureError(ownSentence[type] ?? 'other-format');
  } catch (error) {
    if (error instanceof PictureError) throw error;
    // The library knows the format, and its header goes on beyond what is here or says nothing of the size.
    const message = (error as Error).message.toLowerCase();
    if (message.includes('unsupported file type')) throw new PictureError('not-an-image');
    const format = Object.keys(ownSentence).find((each) => message.includes(each));
    throw new PictureError(format ? ownSentence[format] : header.length < fileBytes ? 'metadata' : 'damaged');
  }
}

/**
 * Whether the first picture in the file goes on to its end: one that is cut off, browsers show in part or not at all.
 * For JPEG the number of its colour components too (4: CMYK).
 * @throws PictureError `damaged`
 */
export function inspectWhole(bytes: Uint8Array, { type }: PictureFile): { components?: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (type === 'jpg') return { components: walkJpeg(view) };
    if (type === 'png') walkPng(view);
    if (type === 'gif') walkGif(view);
    if (type === 'webp') view.getUint8(view.getUint32(4, true) + 7); // RIFF: the length of all that follows
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new PictureError('damaged');
  }
  return {};
}

/** ITU-T T.81, annex B: segments up to the end of the image; within a scan, 0xff is followed by 0 or a restart marker. */
function walkJpeg(view: DataView): number {
  let components = 0;
  for (let at = 2; ; ) {
    const marker = view.getUint16(at);
    if (marker === 0xffd9) return components;
    const isInScan = marker >> 8 !== 0xff || (marker & 0xff) === 0 || (marker >= 0xffd0 && marker <= 0xffd7);
    if (isInScan || marker === 0xffff) {
      at++;
      continue;
    }
    const isFrame = marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker);
    if (isFrame) components = view.getUint8(at + 9);
    at += 2 + view.getUint16(at + 2);
  }
}

/** Chunks of length, name, content and checksum, up to the one with name IEND. */
function walkPng(view: DataView): void {
  for (let at = 8; view.getUint32(at + 4) !== 0x49454e44; ) at += 12 + view.getUint32(at);
}

/** GIF89a, §15 to 26: up to the end of the first image's data. */
function walkGif(view: DataView): void {
  const tableBytes = (flags: number) => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  const afterBlocks = (from: number) => {
    let at = from;
    while (view.getUint8(at) > 0) at += 1 + view.getUint8(at);
    return at + 1;
  };
  let at = 13 + tableBytes(view.getUint8(10));
  while (view.getUint8(at) === 0x21) at = afterBlocks(at + 2);
  if (view.getUint8(at) !== 0x2c) throw new RangeError('no image');
  afterBlocks(at + 11 + tableBytes(view.getUint8(at + 9)));
}
