/** Of CSS's 56 pixels, on a screen of two device pixels for each. */
const side = 112;

/** The middle of a picture as a data URL: a PNG of the page's own, whatever file the picture came from. */
export function thumbnail(picture: ImageBitmap): string {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = side;
  const shorter = Math.min(picture.width, picture.height);
  const context = canvas.getContext('2d')!;
  context.imageSmoothingQuality = 'high';
  const [left, top] = [(picture.width - shorter) / 2, (picture.height - shorter) / 2];
  context.drawImage(picture, left, top, shorter, shorter, 0, 0, side, side);
  return canvas.toDataURL();
}
