/** Reads what an exported model's card (card.md, written by the exporter) says of its accuracy. */
export interface Accuracy {
  /** 0 to 1. */
  top1: number;
  /** How many test images that is of; null for an unknown number of validation images. */
  testImages: number | null;
}

/**
 * The integers' top-1, which is what private inference computes; else the float model's. Undefined for a card that
 * gives none: no figure is better than a made-up one.
 */
export function accuracyOf(card: string): Accuracy | undefined {
  const percent = (row: string) => {
    const value = new RegExp(`^\\| ${row} \\| ([\\d.]+) % \\|`, 'm').exec(card)?.[1];
    return value === undefined || !(Number(value) <= 100) ? undefined : Number(value) / 100;
  };
  const images = /^Over (\d+) random test images/m.exec(card)?.[1];
  const integers = percent('top-1, integers');
  if (integers !== undefined && images) return { top1: integers, testImages: Number(images) };
  const validation = percent('validation top-1, float');
  return validation === undefined ? undefined : { top1: validation, testImages: null };
}
