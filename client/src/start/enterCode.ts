/** What happens when somebody types a code; loaded only then. */
import { t } from '../language/language.ts';
import { WrongCodeError } from '../pairing/codeExchange.ts';
import type { Invite } from '../pairing/invite.ts';
import { redeemCode } from '../pairing/redeemCode.ts';
import { RefusedError } from '../pairing/signaling.ts';
import type { TypedCode } from '../pairing/typedCode.ts';
import { refusalNotice } from '../session/notices.ts';

export async function enterCode(code: TypedCode): Promise<{ invite: Invite } | { problem: string }> {
  try {
    return { invite: await redeemCode(code) };
  } catch (error) {
    return { problem: problemOf(error) };
  }
}

function problemOf(error: unknown): string {
  const words = t().start.problems;
  if (error instanceof WrongCodeError) {
    const { triesLeft } = error;
    const rest = triesLeft === 0 ? words.lastTry : words.triesLeft(triesLeft);
    return words.wrongCode(rest);
  }
  if (error instanceof RefusedError) {
    const { title, text } = refusalNotice(error.code);
    return `${title} ${text}`;
  }
  return words.noAnswer;
}
