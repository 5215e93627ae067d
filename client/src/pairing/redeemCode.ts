import type { CodeSignal } from '../../../signaling-server/events.ts';
import { exchangeAsClient } from './codeExchange.ts';
import { Inbox } from './inbox.ts';
import type { Invite } from './invite.ts';
import { Signaling } from './signaling.ts';
import type { TypedCode } from './typedCode.ts';

const replyTimeoutMs = 10_000;

/**
 * Turns a typed code that somebody typed into an invite, with the owner's tab at the other end. The invite then works as
 * one from a link does, and lives as long as the owner's room.
 * @throws RefusedError `no-such-code`, `room-full`, …; WrongCodeError; ExchangeError; ClosedError.
 */
export async function redeemCode(code: TypedCode, server?: string): Promise<Invite> {
  const inbox = new Inbox<CodeSignal>();
  const signaling = new Signaling(
    {
      onState: () => {}, // joining has a time limit of its own
      onPeerLeft: () => inbox.close(),
      onSignal: (signal) => {
        if (signal.kind !== 'offer' && signal.kind !== 'answer' && signal.kind !== 'ice') inbox.put(signal);
      },
    },
    server,
  );
  try {
    await signaling.joinByLocator(code.locator);
    return await exchangeAsClient(
      {
        send: (signal) => void signaling.signal(signal).catch(() => inbox.close()),
        receive: () => inbox.next(replyTimeoutMs),
      },
      code,
    );
  } finally {
    // The place has to be free before this tab takes it again with the invite.
    await signaling.close();
  }
}
