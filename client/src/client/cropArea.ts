/** Where in a picture the model looks. */
import type { Preprocessing } from '../../../protocols/inference/image.ts';
import type { PictureSize } from '../ui/pixels.ts';

export interface CropArea extends PictureSize {
  readonly left: number;
  readonly top: number;
}

/**
 * What `prepareImage` takes of a picture, in the picture's own pixels, not rounded to whole ones of either size.
 * @param picture of any size above 0: the file's, or a reduced copy's
 */
export function cropArea({ width, height }: PictureSize, preprocessing: Preprocessing): CropArea {
  const { shorterSide, crop, cropWidth = crop, fit } = preprocessing;
  if (fit === 'squash') return { left: 0, top: 0, width, height };
  // Resized until it covers `shorterSide`, by `shorterSide·cropWidth/crop`; then the centre is taken.
  const scale = Math.max(shorterSide / height, (shorterSide * cropWidth) / crop / width);
  const [across, down] = [Math.min(width, cropWidth / scale), Math.min(height, crop / scale)];
  return { left: (width - across) / 2, top: (height - down) / 2, width: across, height: down };
}
