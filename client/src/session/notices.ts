/** Every failure in plain words: what happened, and what to do next. */
import type { RefusalCode } from '../../../signaling-server/events.ts';
import { t, type Words } from '../language/language.ts';
import { IceServersError } from '../pairing/iceServers.ts';
import type { PairingEnd } from '../pairing/ownerPairing.ts';
import { isolated } from '../ui/bidi.ts';
import { formatCount } from '../ui/format.ts';
import type { Failure } from '../worker/messages.ts';
import { PictureError } from '../worker/pictureFile.ts';
import { SettingsError } from './settings.ts';

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
export const final = (notice: Notice): Notice => Object.defineProperty(notice, 'isFinal', { value: true });

/** Whom a notice is for. `isByText`: the two tabs were introduced by two texts, and each link serves one connection. */
export interface Reader {
  readonly role: Role;
  readonly isByText: boolean;
}

/** What the link is good for after an end. */
const againWords = ({ again }: Words['notices'], { role, isByText }: Reader): string =>
  (isByText ? again.byText : again)[role];

/** After an end: the client of a link that serves one connection needs another one. */
const after = (reader: Reader, said: Notice): Notice =>
  reader.isByText && reader.role === 'client' ? final(said) : said;

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

export function endNotice(end: PairingEnd, reader: Reader): Notice {
  switch (end) {
    case 'peer-left':
      return reader.role === 'owner'
        ? notice('info', (all) => ({ title: all.ends.clientLeft, text: againWords(all, reader) }))
        : final(notice('info', ({ ends }) => ends.roomClosed));
    case 'dismissed':
      return after(
        reader,
        withAgain('info', reader, ({ ends }) => ends.dismissed),
      );
    case 'lost':
    case 'no-such-room':
      return goneNotice(reader);
    case 'room-full':
    case 'server':
      return after(reader, refusalNotice(end === 'server' ? 'timeout' : end));
    case 'authentication':
      return after(
        reader,
        notice('error', ({ ends }) => ends.authentication),
      );
    case 'unreachable':
    case 'timeout':
      return after(
        reader,
        withAgain('error', reader, ({ ends }) => ends.unreachable),
      );
  }
}

/** A notice that ends with what the link is good for now: as its own `again` says, or as for everything else. */
function withAgain(
  tone: Notice['tone'],
  reader: Reader,
  words: (all: Words['notices']) => { title: string; text: string; again?: string },
  detail?: string,
): Notice {
  const all = (notices: Words['notices']) => {
    const { title, text, again } = words(notices);
    const last = again !== undefined && !reader.isByText ? again : againWords(notices, reader);
    return { title, text: `${text} ${last}` };
  };
  return notice(tone, all, detail);
}

/** Whether a tab was closed or the network failed looks the same from here. A client may close its tab: no alarm. */
const goneNotice = (reader: Reader, detail?: string): Notice =>
  after(
    reader,
    withAgain(reader.role === 'owner' ? 'info' : 'error', reader, ({ ends }) => ends.gone[reader.role], detail),
  );

/** The user gave up on an owner who was lost. */
export const stoppedNotice = (reader: Reader): Notice =>
  after(
    reader,
    withAgain('info', reader, ({ ends }) => ends.stoppedReconnecting),
  );

/** The client said goodbye. */
export const finishedNotice = (reader: Reader): Notice =>
  notice('info', (all) => ({ title: all.ends.finished, text: againWords(all, reader) }));

/** This tab knows that the link has served a connection, as after a reload. */
export const linkUsedNotice = (): Notice =>
  final(notice('error', ({ ends, again }) => ({ title: ends.linkUsed, text: again.byText.client })));

export function failureNotice(failure: Failure, reader: Reader): Notice {
  return after(reader, failureWords(failure, reader));
}

function failureWords({ code, message, peerCode }: Failure, reader: Reader): Notice {
  const { role } = reader;
  const error = (words: Parameters<typeof notice>[1]) => notice('error', words, `${code} · ${message}`);
  const again = (title: (all: Words['notices']) => string) =>
    error((all) => ({ title: title(all), text: againWords(all, reader) }));
  const mismatch = (what: 'version' | 'plan') =>
    withAgain('error', reader, ({ failures }) => failures[what], `${code} · ${message}`);
  const unusable = () => error(({ failures: { manifest } }) => ({ title: manifest.title, text: manifest[role] }));
  switch (code) {
    case 'cancelled':
      return withAgain('info', reader, ({ failures }) => failures.cancelled);
    case 'closed':
      return goneNotice(reader, `${code} · ${message}`);
    case 'peer-aborted':
      if (peerCode === 'refused' && role === 'client') return final(notice('info', ({ ends }) => ends.limitOfOwner));
      if (peerCode === 'cancelled' && role === 'owner')
        return withAgain('info', reader, ({ ends }) => ends.clientCancelled);
      // Whichever of the tabs found out that they, or the model, do not fit.
      if (peerCode === 'version' || peerCode === 'plan') return mismatch(peerCode);
      if (peerCode === 'manifest') return unusable();
      return again(({ failures }) => failures.peerAborted[role]);
    case 'silent':
      return again(({ failures }) => failures.silent[role]);
    case 'refused':
      return again(({ failures }) => failures.refused[role]);
    case 'version':
    case 'plan':
      return mismatch(code);
    case 'manifest':
      return unusable();
    case 'length':
    case 'checksum':
    case 'value':
      return again(({ failures }) => failures.altered);
    default:
      return error((all) => ({
        title: all.failures.internal.title,
        text: all.failures.internal.text(againWords(all, reader)),
      }));
  }
}

/** Before anything is connected. */
export function iceNotice(problem: unknown): Notice {
  if (problem instanceof SettingsError)
    return notice('error', ({ settings }) => ({ title: settings.title, text: settings.text(problem.message) }));
  if (!(problem instanceof IceServersError)) return refusalNotice('timeout');
  return notice('error', ({ ice }) => ({ title: ice.title, text: ice.text(problem.message) }));
}

/** A sample did not arrive. */
export class SampleError extends Error {}

/** A picture was chosen while the one before was being classified: the answer must belong to what is shown. */
export class BusyError extends Error {}

/** A picture was chosen after an end from which no link leads back. */
export class EndedError extends Error {}

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
    const file = name ? images.file(isolated(name)) : images.unnamed;
    const words = () => {
      if (problem instanceof SampleError) return images.sample;
      if (problem instanceof BusyError) return { title: images.notTaken(file), text: images.busy };
      if (problem instanceof EndedError) return { title: images.notTaken(file), text: images.ended };
      if (!(problem instanceof PictureError)) return images.worker;
      const { title, text } = images.refused[problem.problem];
      const { width, height } = problem;
      const size = width && height ? images.size(formatCount(width), formatCount(height)) : '';
      return { title: title(file, size), text };
    };
    const { title, text } = words();
    return { title, text: standing ? `${text} ${images.stands(standing.name && isolated(standing.name))}` : text };
  });
}
