/** What a model looks at, in pixels. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** Of a manifest's `architecture`: its width is its height, but for `imageWidth`. */
export const pictureSize = ({
  imageSize: height,
  imageWidth: width = height,
}: {
  readonly imageSize: number;
  readonly imageWidth?: number | undefined;
}): PictureSize => ({ width, height });

/** Pixels as ONNX models read them: all of red, then of green, then of blue. @param pixels RGB bytes, pixel by pixel */
export function planarOf(pixels: Uint8Array): Float32Array {
  const count = pixels.length / 3;
  const planar = new Float32Array(pixels.length);
  for (let pixel = 0; pixel < count; pixel++) {
    for (let channel = 0; channel < 3; channel++) planar[channel * count + pixel] = pixels[3 * pixel + channel];
  }
  return planar;
}

/** Draws height × width × 3 RGB bytes at their own size; style sheets enlarge the canvas. */
export function drawRgb(canvas: HTMLCanvasElement, pixels: Uint8Array, { width, height }: PictureSize): void {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  for (let from = 0, to = 0; from < pixels.length; from += 3, to += 4) {
    image.data[to] = pixels[from];
    image.data[to + 1] = pixels[from + 1];
    image.data[to + 2] = pixels[from + 2];
    image.data[to + 3] = 255;
  }
  canvas.getContext('2d')!.putImageData(image, 0, 0);
}
