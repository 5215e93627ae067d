/** What each side sees at a step of the walk, and what travels: a run's numbers in words. */
import { t } from '../language/language.ts';
import { fixed, formatBytes, formatCount } from '../ui/format.ts';
import { boxes, columns, count, together, type WalkRun, type WalkStep, weights } from './walkRun.ts';

export interface Scene {
  readonly title: string;
  readonly text: string;
  /** One sentence, for who listens. */
  readonly sentence: string;
  readonly details: string;
  readonly client: readonly Fact[];
  readonly owner: readonly Fact[];
  readonly travels: readonly Travel[];
  readonly bytes: number;
}

/** A line of a side; without a value, what that side does not know. */
export interface Fact {
  readonly name: string;
  readonly value?: string;
  /** Stands there only after the last message has arrived. */
  readonly arrives?: boolean;
  readonly isResult?: boolean;
}

export interface Travel {
  readonly to: 'client' | 'owner';
  readonly what: string;
  readonly value?: string;
  /** So many sealed messages, of which one is opened. */
  readonly sealed?: { readonly count: number; readonly opened: number };
  /** In the preparation. */
  readonly isBefore?: boolean;
}

/** A value of a step: brightness as it is, everything after with two digits. */
export const plainValue = (run: WalkRun, step: WalkStep, pixel: number): string => {
  const value = together(run.shares[step], pixel);
  return step === 'split' ? formatCount(value) : fixed(value, 2).replace('-', '−');
};

export function sceneOf(run: WalkRun, step: WalkStep, pixel: number): Scene {
  const words = t().explain.walk;
  const shares = run.shares[step];
  const [client, owner] = [formatCount(shares.client[pixel]), formatCount(shares.owner[pixel])];
  const bytes = run.traffic[step].clientToOwner + run.traffic[step].ownerToClient;
  switch (step) {
    case 'split': {
      const { title, text, sentence, details, pixel: name, own, arrived, sent } = words.split;
      const value = plainValue(run, step, pixel);
      return {
        ...{ title, text: text(value), sentence: sentence(value), details, bytes },
        client: [
          { name, value },
          { name: own, value: client },
        ],
        owner: [{ name: arrived, value: owner, arrives: true }, { name }],
        travels: [{ to: 'owner', what: sent, value: owner }],
      };
    }
    case 'multiply': {
      const { title, text, sentence, details, share, weight, encrypted, product } = words.multiply;
      const { clientToOwner, ownerToClient } = run.preparation;
      return {
        ...{ title, text: text(fixed(weights.first, 3), fixed(-weights.bias, 1)), sentence: sentence(), bytes },
        details: details(formatCount(run.masks[pixel])),
        client: [{ name: share, value: client }, { name: weight }],
        owner: [
          { name: share, value: owner },
          { name: weight, value: fixed(weights.first, 3) },
        ],
        travels: [
          { to: 'owner', what: encrypted, value: formatBytes(clientToOwner), isBefore: true },
          { to: 'client', what: product, value: formatBytes(ownerToClient), isBefore: true },
        ],
      };
    }
    case 'shorten': {
      const { title, text, sentence, details, hidden, sealed, opened, which } = words.shorten;
      const { multiply } = run.shares;
      const sent = run.correction.hidden[pixel];
      const choice = run.correction.choices[pixel];
      return {
        ...{ title, text: text(), sentence: sentence(), bytes },
        details: details(multiply.fracBits - shares.fracBits, formatCount(2 ** multiply.ringBits), sent),
        client: [{ name: words.share, value: client }, { name: opened }],
        owner: [
          { name: words.share, value: owner, arrives: true },
          { name: opened, value: which(choice + 1), arrives: true },
        ],
        travels: [
          { to: 'client', what: hidden, value: String(sent) },
          { to: 'owner', what: sealed, sealed: { count: 2, opened: choice } },
        ],
      };
    }
    case 'lookUp': {
      const { title, text, sentence, details, hidden, sealed, opened, which } = words.lookUp;
      const { lookUp } = run;
      const choice = lookUp.choices[pixel];
      const sent = lookUp.hidden[pixel] + 1;
      const content = lookUp.opened.subarray(pixel * columns, (pixel + 1) * columns);
      return {
        ...{ title, text: text(), sentence: sentence(), bytes },
        details: details(choice + 1, sent, [...content].map(formatCount).join(' · ')),
        client: [{ name: words.share, value: client }, { name: opened }],
        owner: [
          { name: words.share, value: owner, arrives: true },
          { name: opened, value: which(choice + 1), arrives: true },
        ],
        travels: [
          { to: 'client', what: hidden, value: String(sent) },
          { to: 'owner', what: sealed, sealed: { count: boxes, opened: choice } },
        ],
      };
    }
    case 'again': {
      const { title, text, sentence, details, share } = words.again;
      const weight = formatCount(weights.second);
      return {
        ...{ title, text: text(weight), sentence: sentence(weight), details, bytes },
        client: [{ name: share, value: client }],
        owner: [{ name: share, value: owner }],
        travels: [],
      };
    }
    case 'reveal': {
      const { title, text, sentence, details, score, sent } = words.reveal;
      const value = fixed(run.scores[pixel], 2).replace('-', '−');
      return {
        ...{ title, text: text(value), sentence: sentence(value), details, bytes },
        client: [
          { name: words.again.share, value: client },
          { name: score, value, arrives: true, isResult: true },
        ],
        owner: [{ name: words.again.share, value: owner }, { name: score }],
        travels: [{ to: 'client', what: sent, value: owner }],
      };
    }
  }
}

/** The arithmetic of two shares, written out. */
export function sumOf(run: WalkRun, step: WalkStep, pixel: number): string {
  const { ringBits, fracBits, client, owner } = run.shares[step];
  const modulus = 2 ** ringBits;
  return t().explain.walk.sum(
    formatCount(client[pixel]),
    formatCount(owner[pixel]),
    formatCount(modulus),
    formatCount(together(run.shares[step], pixel) * 2 ** fracBits),
    formatCount(2 ** fracBits),
    plainValue(run, step, pixel),
  );
}

/** Grey values of a step's numbers in the places of their pixels: both shares by their leading bits, the sum by its range. */
export function greysOf(run: WalkRun, step: WalkStep): Readonly<Record<'client' | 'owner' | 'together', Uint8Array>> {
  const shares = run.shares[step];
  const leading = (words: Uint32Array) => Uint8Array.from(words, (word) => word >>> (shares.ringBits - 8));
  const values = Array.from({ length: count }, (_, pixel) => together(shares, pixel));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return {
    client: leading(shares.client),
    owner: leading(shares.owner),
    together: Uint8Array.from(values, (value) => (255 * (value - low)) / (high - low || 1)),
  };
}
