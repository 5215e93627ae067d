/** Every failure in plain words: what happened, and what to do next. */
import type { RefusalCode } from '../../../signaling-server/events.ts';
import { IceServersError } from '../pairing/iceServers.ts';
import type { PairingEnd } from '../pairing/ownerPairing.ts';
import { ImageError } from '../worker/imageWorker.ts';
import type { Failure } from '../worker/messages.ts';

export type Role = 'client' | 'owner';

export interface Notice {
  tone: 'error' | 'info';
  title: string;
  text: string;
  /** The protocol's own words, where it was the protocol that failed. */
  detail?: string;
}

const error = (title: string, text: string, detail?: string): Notice => ({
  tone: 'error',
  title,
  text,
  ...(detail === undefined ? {} : { detail }),
});

export function refusalNotice(code: RefusalCode | 'timeout'): Notice {
  switch (code) {
    case 'no-such-room':
      return error(
        'There is no room with this code.',
        'The link may be mistyped or cut off, or the owner has closed the tab. Ask the owner for the link again.',
      );
    case 'no-such-code':
      return error(
        'There is no room with this code.',
        'A code lives for ten minutes and works once. Check it with the other person, or ask for the one they see now.',
      );
    case 'room-full':
      return error(
        'This room is full.',
        'A room holds two, and somebody else is in it. Ask the owner for a new link, or try again when they are done.',
      );
    case 'rate':
      return error('Too many attempts.', 'Wait a minute, then try again.');
    case 'busy':
      return error('The signaling server is full.', 'It holds as many rooms as it can. Try again in a few minutes.');
    case 'timeout':
      return error(
        'The signaling server does not answer.',
        'Check that it is running and that this device is online, then try again.',
      );
    case 'malformed':
    case 'no-peer':
      return error('The signaling server refused the request.', 'Reload both tabs, so that they run the same version.');
  }
}

export function endNotice(end: PairingEnd, role: Role): Notice {
  const other = role === 'owner' ? 'client' : 'owner';
  const again =
    role === 'owner' ? 'Your room is still open: the same link works again.' : 'Connect again with the same link.';
  switch (end) {
    case 'peer-left':
    case 'lost':
      return goneNotice(other, again);
    case 'room-full':
    case 'server':
      return refusalNotice(end === 'server' ? 'timeout' : end);
    case 'authentication':
      return error(
        'The connection could not be verified, so it was stopped.',
        'The link was altered or incomplete, or somebody tried to get between the two tabs. Share a new link, over a way you trust.',
      );
    case 'unreachable':
    case 'timeout':
      return error(
        'The two tabs found no way to each other.',
        'They must be on one machine or in one network, or use a TURN server (docs/app.md says how). Then connect again.',
      );
  }
}

/** Whether a tab was closed or the network failed looks the same from here. */
function goneNotice(other: Role, again: string, detail?: string): Notice {
  return error(`The ${other} is gone.`, `It left or closed its tab, or the network failed. ${again}`, detail);
}

export function failureNotice({ code, message }: Failure, role: Role): Notice {
  const other = role === 'owner' ? 'client' : 'owner';
  const again =
    role === 'owner' ? 'Your room is still open: the same link works again.' : 'Connect again with the same link.';
  const detail = `${code} · ${message}`;
  switch (code) {
    case 'cancelled':
      return { tone: 'info', title: 'Cancelled.', text: `Neither the image nor the model was revealed. ${again}` };
    case 'closed':
      return goneNotice(other, again, detail);
    case 'peer-aborted':
      return error(`The ${other} ended the session.`, again, detail);
    case 'refused':
      return error(`The ${other} does not serve this.`, again, detail);
    case 'version':
      return error('The two tabs run different versions.', 'Reload both tabs, then connect again.', detail);
    case 'manifest':
      return error(
        'The model’s description cannot be used.',
        role === 'owner' ? 'Choose another model, or export this one again.' : 'Ask the owner for another model.',
        detail,
      );
    case 'plan':
      return error('The two tabs do not agree on what to compute.', 'Reload both tabs, then connect again.', detail);
    case 'length':
    case 'checksum':
    case 'value':
      return error('A message was altered or cut off, so the session was stopped.', again, detail);
    default:
      return error('Something went wrong in this tab.', `${again} If it happens again, reload this tab.`, detail);
  }
}

/** Before anything is connected. */
export function iceNotice(problem: unknown): Notice {
  if (!(problem instanceof IceServersError)) return refusalNotice('timeout');
  return error(
    'The STUN and TURN servers cannot be used.',
    `Correct the address of this page, or ice.json. ${problem.message}`,
  );
}

/** A sample did not arrive. */
export class SampleError extends Error {}

export function imageNotice(problem: unknown): Notice {
  if (problem instanceof SampleError)
    return error('The sample could not be loaded.', 'Check the connection to the server, or use a file of your own.');
  if (!(problem instanceof ImageError))
    return error(
      'This tab cannot decode images now.',
      'A part of the app did not load. Reload this page; the link stays the same.',
    );
  if (problem.problem === 'not-an-image') {
    return error('This file is not an image that the browser can read.', 'Choose a JPEG, PNG, WebP or GIF file.');
  }
  const size = problem.width
    ? ` (${problem.width.toLocaleString('en')} × ${problem.height?.toLocaleString('en')} pixels)`
    : '';
  return error(
    `This image is too large${size}.`,
    'More than 100 megapixels do not fit into a tab’s memory. Choose a smaller one; the model looks at a small square anyway.',
  );
}
