/** Draws `side` × `side` × 3 RGB bytes at their own size; style sheets enlarge the canvas. */
export function drawRgb(canvas: HTMLCanvasElement, pixels: Uint8Array, side: number): void {
  canvas.width = canvas.height = side;
  const image = new ImageData(side, side);
  for (let from = 0, to = 0; from < pixels.length; from += 3, to += 4) {
    image.data[to] = pixels[from];
    image.data[to + 1] = pixels[from + 1];
    image.data[to + 2] = pixels[from + 2];
    image.data[to + 3] = 255;
  }
  canvas.getContext('2d')!.putImageData(image, 0, 0);
}
