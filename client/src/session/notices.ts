/** Every failure in plain words: what happened, and what to do next. */
import type { RefusalCode } from '../../../signaling-server/events.ts';
import { t, type Words } from '../language/language.ts';
import { IceServersError } from '../pairing/iceServers.ts';
import type { PairingEnd } from '../pairing/ownerPairing.ts';
import { formatCount } from '../ui/format.ts';
import type { Failure } from '../worker/messages.ts';
import { PictureError } from '../worker/pictureFile.ts';

export type Role = 'client' | 'owner';

export interface Notice {
  readonly tone: 'error' | 'info';
  readonly title: string;
  readonly text: string;
  /** The protocol's own words, where it was the protocol that failed. */
  readonly detail?: string;
  /** The client's: connecting again with the same link cannot work. */
  readonly isFinal?: boolean;
}

/** Where nothing is left to do with this link. */
const final = (notice: Notice): Notice => Object.defineProperty(notice, 'isFinal', { value: true });

/** @param words looked up whenever the notice is drawn: its language may change while it stands. */
export const notice = (
  tone: Notice['tone'],
  words: (all: Words['notices']) => { title: string; text: string },
  detail?: string,
): Notice => ({
  tone,
  get title() {
    return words(t().notices).title;
  },
  get text() {
    return words(t().notices).text;
  },
  ...(detail === undefined ? {} : { detail }),
});

export function refusalNotice(code: RefusalCode | 'timeout'): Notice {
  const refusal = (key: keyof Words['notices']['refusals']) => notice('error', ({ refusals }) => refusals[key]);
  switch (code) {
    case 'no-such-room':
      return refusal('noSuchRoom');
    case 'no-such-code':
      return refusal('noSuchCode');
    case 'room-full':
      return refusal('roomFull');
    case 'malformed':
    case 'not-owner':
    case 'no-peer':
      return refusal('malformed');
    case 'rate':
    case 'busy':
    case 'timeout':
      return refusal(code);
  }
}

export function endNotice(end: PairingEnd, role: Role): Notice {
  switch (end) {
    case 'peer-left':
      return role === 'owner'
        ? notice('info', ({ ends, again }) => ({ title: ends.clientLeft, text: again.owner }))
        : final(notice('info', ({ ends }) => ends.roomClosed));
    case 'dismissed':
      return notice('info', ({ ends }) => ends.dismissed);
    case 'lost':
    case 'no-such-room':
      return goneNotice(role);
    case 'room-full':
    case 'server':
      return refusalNotice(end === 'server' ? 'timeout' : end);
    case 'authentication':
      return notice('error', ({ ends }) => ends.authentication);
    case 'unreachable':
    case 'timeout':
      return notice('error', ({ ends }) => ends.unreachable);
  }
}

/** Whether a tab was closed or the network failed looks the same from here. A client may close its tab: no alarm. */
const goneNotice = (role: Role, detail?: string): Notice =>
  notice(role === 'owner' ? 'info' : 'error', ({ ends }) => ends.gone[role], detail);

export function failureNotice({ code, message, peerCode }: Failure, role: Role): Notice {
  const error = (words: Parameters<typeof notice>[1]) => notice('error', words, `${code} · ${message}`);
  switch (code) {
    case 'cancelled':
      return notice('info', ({ failures: { cancelled }, again }) => ({
        title: cancelled.title,
        text: cancelled.text(again[role]),
      }));
    case 'closed':
      return goneNotice(role, `${code} · ${message}`);
    case 'peer-aborted':
      if (peerCode === 'refused' && role === 'client') return final(notice('info', ({ ends }) => ends.limitOfOwner));
      if (peerCode === 'cancelled' && role === 'owner')
        return notice('info', ({ ends, again }) => ({
          title: ends.clientCancelled.title,
          text: ends.clientCancelled.text(again.owner),
        }));
      return error(({ failures, again }) => ({ title: failures.peerAborted[role], text: again[role] }));
    case 'silent':
      return error(({ failures, again }) => ({ title: failures.silent[role], text: again[role] }));
    case 'refused':
      return error(({ failures, again }) => ({ title: failures.refused[role], text: again[role] }));
    case 'version':
    case 'plan':
      return error(({ failures }) => failures[code]);
    case 'manifest':
      return error(({ failures: { manifest } }) => ({ title: manifest.title, text: manifest[role] }));
    case 'length':
    case 'checksum':
    case 'value':
      return error(({ failures, again }) => ({ title: failures.altered, text: again[role] }));
    default:
      return error(({ failures: { internal }, again }) => ({
        title: internal.title,
        text: internal.text(again[role]),
      }));
  }
}

/** Before anything is connected. */
export function iceNotice(problem: unknown): Notice {
  if (!(problem instanceof IceServersError)) return refusalNotice('timeout');
  return notice('error', ({ ice }) => ({ title: ice.title, text: ice.text(problem.message) }));
}

/** A sample did not arrive. */
export class SampleError extends Error {}

/** A picture was chosen while the one before was being classified: the answer must belong to what is shown. */
export class BusyError extends Error {}

/**
 * @param name of the file, where it has one
 * @param standing the picture that stays on the screen, and is what a click on “Classify privately” would classify
 */
export function imageNotice(
  problem: unknown,
  name: string | undefined,
  standing: { name?: string } | undefined,
): Notice {
  return notice('error', ({ images }) => {
    const file = name ? images.file(name) : images.unnamed;
    const words = () => {
      if (problem instanceof SampleError) return images.sample;
      if (problem instanceof BusyError) return { title: images.busy.title(file), text: images.busy.text };
      if (!(problem instanceof PictureError)) return images.worker;
      const { title, text } = images.refused[problem.problem];
      const { width, height } = problem;
      const size = width && height ? images.size(formatCount(width), formatCount(height)) : '';
      return { title: title(file, size), text };
    };
    const { title, text } = words();
    return { title, text: standing ? `${text} ${images.stands(standing.name)}` : text };
  });
}
