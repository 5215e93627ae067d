/**
 * Words from strangers (labels, titles, names of files) in sentences of the page's own: one that is written from right to left must not
 * change the order of what stands around it. In markup `<bdi>` does that; in a sentence, an attribute or a title these characters do.
 */

/** First strong isolate, and its end (Unicode Standard Annex 9). */
const [isolate, end] = ['\u2068', '\u2069'];

/** Hebrew, Arabic and the other scripts from right to left, in the blocks that Unicode keeps for them. */
const rightToLeft = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
/** Embeddings, overrides and isolates, which could end the isolate or go beyond it. */
const controls = /[\u202a-\u202e\u2066-\u2069]/gu;

/** The text as it may stand among other words. One of left-to-right letters stays as it is: the page's languages are so too. */
export function isolated(text: string): string {
  const plain = text.replace(controls, '');
  return rightToLeft.test(plain) ? isolate + plain + end : plain;
}

/** Several, with commas between. */
export const listOf = (texts: readonly string[]): string => texts.map(isolated).join(', ');
