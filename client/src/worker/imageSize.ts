/**
 * Width and height from the first bytes of a PNG, JPEG, GIF, WebP or BMP file, so that a huge one is refused before it
 * is decoded. Undefined for other formats, and where the header is cut off.
 */
export function imageSize(bytes: Uint8Array): { width: number; height: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ascii = (offset: number, text: string) =>
    offset + text.length <= bytes.length && [...text].every((c, i) => bytes[offset + i] === c.charCodeAt(0));
  try {
    if (ascii(1, 'PNG')) return { width: view.getUint32(16), height: view.getUint32(20) };
    if (ascii(0, 'GIF8')) return { width: view.getUint16(6, true), height: view.getUint16(8, true) };
    if (ascii(0, 'BM')) return { width: view.getInt32(18, true), height: Math.abs(view.getInt32(22, true)) };
    if (ascii(0, 'RIFF') && ascii(8, 'WEBP')) return webpSize(view, ascii);
    if (view.getUint16(0) === 0xffd8) return jpegSize(view);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // the header is cut off
  }
  return undefined;
}

function webpSize(view: DataView, ascii: (offset: number, text: string) => boolean) {
  if (ascii(12, 'VP8X')) {
    const uint24 = (offset: number) => view.getUint16(offset, true) | (view.getUint8(offset + 2) << 16);
    return { width: uint24(24) + 1, height: uint24(27) + 1 };
  }
  if (ascii(12, 'VP8L')) {
    const bits = view.getUint32(21, true);
    return { width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
  }
  return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
}

/** Walks the segments up to the frame header (SOF0…SOF15 without DHT, JPG and DAC). */
function jpegSize(view: DataView) {
  for (let offset = 2; ; offset += 2 + view.getUint16(offset + 2)) {
    const marker = view.getUint16(offset);
    if (marker >> 8 !== 0xff) return undefined;
    const isFrame = marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker);
    if (isFrame) return { width: view.getUint16(offset + 7), height: view.getUint16(offset + 5) };
  }
}
