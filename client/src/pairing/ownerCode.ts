import type { CodeSignal } from '../../../signaling-server/events.ts';
import { exchangeAsOwner, WrongCodeError } from './codeExchange.ts';
import { Inbox } from './inbox.ts';
import type { Introduction } from './introduction.ts';
import { formatTypedCode, newPassword, type TypedCode } from './typedCode.ts';

/** Guesses at one code. With 20 bits of password, whoever makes them all succeeds with 3 / 2^20. */
export const triesPerCode = 3;
/**
 * Wrong tries, of whatever codes, until somebody is guessing and it takes the owner to make another code. The server can
 * make codes end early (it need only drop the connection), and clients with right codes may come in between, so they are
 * counted over all, and only the owner's hand starts the count anew: each time it does, whoever guesses has 9 / 2^20.
 */
export const maxWrong = 9;
const replyTimeoutMs = 20_000;

export interface CodeState {
  /** As people type it; undefined while there is none. */
  readonly text: string | undefined;
  readonly triesLeft: number;
  /** Date.now() at its end. */
  readonly expiresAtMs: number;
  /** What became of the code before it: wrong tries used it up, and in the end all codes (`stopped`). */
  readonly previous: 'used-up' | 'stopped' | undefined;
}

const noCode: CodeState = { text: undefined, triesLeft: 0, expiresAtMs: 0, previous: undefined };

/** The typed code of an owner's room: asks the server for locators, runs the exchanges and counts the wrong ones. */
export class OwnerCode {
  #code: TypedCode | undefined;
  #state = noCode;
  /** Since the owner last asked for a code. */
  wrongTries = 0;
  #expiryTimer: ReturnType<typeof setTimeout> | undefined;
  #incoming: Inbox<CodeSignal> | undefined;

  constructor(
    private readonly signaling: Introduction,
    private readonly listener: {
      onChange(state: CodeState): void;
      onWrong(): void;
      /** A client has this secret now, and is about to join with it. */
      onSecret(secret: Uint8Array): void;
    },
  ) {}

  /** Makes a code, in place of the one before. */
  async renew(previous?: 'used-up'): Promise<void> {
    this.#forget();
    if (this.wrongTries >= maxWrong) return this.#set({ ...noCode, previous: 'stopped' });
    try {
      const { locator, lifetimeMs } = await this.signaling.grantLocator();
      this.#code = { locator, password: newPassword() };
      this.#expiryTimer = setTimeout(() => void this.renew(), lifetimeMs);
      const text = formatTypedCode(this.#code);
      this.#set({ text, triesLeft: triesPerCode, expiresAtMs: Date.now() + lifetimeMs, previous });
    } catch {
      this.#set(noCode); // without a server, or in a full one, there is the link
    }
  }

  /** The same, as the owner asks for it: also after too many wrong tries. */
  renewByHand(): Promise<void> {
    this.wrongTries = 0;
    return this.renew();
  }

  /** A client came by the locator: runs the exchange with it. `room` is the room's code. */
  async admit(room: string): Promise<void> {
    this.abort();
    const code = this.#code;
    if (!code) return this.#dismiss();
    const inbox = (this.#incoming = new Inbox<CodeSignal>());
    try {
      const secret = await exchangeAsOwner(
        {
          send: (signal) => void this.signaling.signal(signal).catch(() => inbox.close()),
          receive: () => inbox.next(replyTimeoutMs),
        },
        code,
        room,
        () => this.#countWrong(),
      );
      this.listener.onSecret(secret);
      await this.renew(); // a code works once
    } catch (error) {
      // One that left has no place any more; whoever has it then came after it.
      if (this.#incoming === inbox) this.#dismiss();
      if (!(error instanceof WrongCodeError) || this.#code) return;
      if (this.wrongTries >= maxWrong) await this.signaling.withdrawLocator().catch(() => {});
      await this.renew('used-up');
    }
  }

  receive(signal: CodeSignal): void {
    this.#incoming?.put(signal);
  }

  /** The client left. */
  abort(): void {
    this.#incoming?.close();
    this.#incoming = undefined;
  }

  close(): void {
    this.abort();
    this.#forget();
  }

  #countWrong(): number {
    this.wrongTries++;
    const triesLeft = this.wrongTries >= maxWrong ? 0 : Math.max(0, this.#state.triesLeft - 1);
    if (triesLeft === 0) this.#forget(); // at once: no exchange may find it any more
    this.listener.onWrong();
    this.#set({ ...this.#state, text: triesLeft === 0 ? undefined : this.#state.text, triesLeft });
    return triesLeft;
  }

  #dismiss(): void {
    void this.signaling.dismiss('dismissed').catch(() => {});
  }

  #forget(): void {
    clearTimeout(this.#expiryTimer);
    this.#code = undefined;
  }

  #set(state: CodeState): void {
    this.#state = state;
    this.listener.onChange(state);
  }
}
