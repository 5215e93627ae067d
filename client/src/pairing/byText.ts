/**
 * Introduces two tabs by two texts that people carry over, without any server: the owner's offer, which is part of the
 * invite link, and the client's answer with its candidates. Each holds the messages that a signaling server would relay. Who carries the texts is trusted as much as a server is: not at all, but for the invite's secret.
 */
import { base64urlnopad } from '@scure/base';
import { deflateSync, inflateSync, strFromU8, strToU8 } from 'fflate';
import * as v from 'valibot';
import { maxCandidates, Signal } from '../../../signaling-server/events.ts';
import type { Introduce, Introduction } from './introduction.ts';
import { RefusedError } from './signaling.ts';

/** Between the tabs of one browser: an answer that one of them was opened with, and what it is (`AnswerFate`) to each that waits for one. */
export const answerChannel = 'blindsight answer';

/** A browser has found its addresses when it names no further one for this long; the first may take a moment. */
const quietMs = 700;
const longestMs = 5000;
/** Of a text when it is unpacked: an offer or answer and its candidates. */
const maxBytes = 64 * 1024;

const Signals = v.pipe(v.array(Signal), v.minLength(1), v.maxLength(1 + maxCandidates));

export function packSignals(signals: readonly Signal[]): string {
  return base64urlnopad.encode(deflateSync(strToU8(JSON.stringify(signals)), { level: 9 }));
}

/** Undefined when the text is not whole, or says something else. */
export function unpackSignals(text: string, kind: 'offer' | 'answer'): Signal[] | undefined {
  try {
    const bytes = inflateSync(base64urlnopad.decode(text.replaceAll(/\s/g, '')), { out: new Uint8Array(maxBytes) });
    const signals = v.parse(Signals, JSON.parse(strFromU8(bytes)));
    return signals[0].kind === kind && signals.slice(1).every((each) => each.kind === 'ice') ? signals : undefined;
  } catch {
    return undefined;
  }
}

/** Gathers what is signalled, and hands it over as one text when nothing more comes. */
class Outbox {
  #signals: Signal[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #firstMs = 0;

  constructor(private readonly onText: (text: string) => void) {}

  put(signal: Signal): void {
    if (signal.kind === 'offer' || signal.kind === 'answer') [this.#signals, this.#firstMs] = [[], performance.now()];
    this.#signals.push(signal);
    clearTimeout(this.#timer);
    const leftMs = longestMs - (performance.now() - this.#firstMs);
    this.#timer = setTimeout(() => this.onText(packSignals(this.#signals)), Math.min(quietMs, Math.max(0, leftMs)));
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}

const nobody = async (): Promise<never> => {
  throw new RefusedError('no-such-code'); // codes need a server that knows them
};
const atHand = {
  grantLocator: nobody,
  joinByLocator: nobody,
  withdrawLocator: async () => {},
  isByHand: true,
} as const;

/** What a text is to the owner: `taken`, an answer to the offer that waits for one; `earlier`, one to another offer; or no answer at all. */
export type AnswerFate = 'taken' | 'earlier' | 'unreadable';

export interface OwnerByText {
  readonly introduce: Introduce;
  /** The offer of this link has its answer: its connection is being made, or was. */
  readonly isAnswered: boolean;
  /** Takes an answer to the pending offer, and passes it on once this has returned; another text changes nothing. */
  receive(answer: string): AnswerFate;
  /** Makes another offer: each serves one client, once. */
  renew(): void;
}

/**
 * @param onOffer called with the text of each offer.
 * @param keyId of the secret in the link (`secretId`), which is the one that the client will have; asked once the room is open.
 */
export function ownerByText(onOffer: (text: string) => void, keyId: () => string): OwnerByText {
  let listener: Parameters<Introduce>[0] | undefined;
  /** Number of the offer that waits for its answer. */
  let pending: string | undefined;
  let isAnswered = false;
  let renewal: ReturnType<typeof setTimeout> | undefined;
  const outbox = new Outbox(onOffer);
  // As if a client with the link were there, of which the owner knows no more than that.
  const renew = () => {
    clearTimeout(renewal);
    renewal = setTimeout(() => {
      pending = undefined;
      isAnswered = false;
      listener?.onPeerJoined?.(keyId(), null);
    });
  };
  return {
    introduce: (own): Introduction => ({
      ...atHand,
      open: async () => {
        listener = own;
        own.onState('connected');
        renew();
      },
      join: nobody,
      signal: async (signal) => {
        if (signal.kind === 'offer') pending = signal.attempt;
        // The owner's candidates are for whom has answered, and would go into no link any more.
        if (!isAnswered) outbox.put(signal);
      },
      dismiss: async () => renew(),
      close: async () => {
        clearTimeout(renewal);
        outbox.close();
        listener = pending = undefined;
        own.onState('closed');
      },
    }),
    get isAnswered() {
      return isAnswered;
    },
    receive(answer) {
      const signals = unpackSignals(answer.split('#answer.').at(-1)!, 'answer');
      const [first] = signals ?? [];
      if (first?.kind !== 'answer') return 'unreadable';
      if (!listener || first.attempt !== pending) return 'earlier';
      pending = undefined;
      isAnswered = true;
      setTimeout(() => {
        for (const signal of signals!) listener?.onSignal(signal);
      });
      return 'taken';
    },
    renew,
  };
}

const usedKey = 'blindsight used offer';

/** Whether this tab had a connection by this offer, before a reload too. */
export function wasUsed(offer: string): boolean {
  try {
    return sessionStorage.getItem(usedKey) === offer;
  } catch {
    return false; // where the browser keeps nothing
  }
}

/** The offer has served its one connection. */
export function markUsed(offer: string): void {
  try {
    sessionStorage.setItem(usedKey, offer);
  } catch {
    // Then a reload makes another answer, which the owner's tab refuses in words.
  }
}

/** @param onAnswer called with the text that the owner needs. */
export function clientByText(offer: string, onAnswer: (text: string) => void): Introduce {
  return (listener) => {
    const outbox = new Outbox(onAnswer);
    let joined = false;
    return {
      ...atHand,
      open: nobody,
      join: async () => {
        const signals = unpackSignals(offer, 'offer');
        if (!signals || joined) throw new RefusedError('no-such-room'); // an offer is good for one connection
        joined = true;
        listener.onState('connected');
        setTimeout(() => {
          for (const signal of signals) listener.onSignal(signal);
        });
      },
      signal: async (signal) => outbox.put(signal),
      dismiss: async () => {},
      close: async () => {
        outbox.close();
        listener.onState('closed');
      },
    };
  };
}
