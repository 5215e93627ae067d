/** How an invite link's page would meet the owner: by which signaling server, and by which STUN and TURN servers. */
import { fetchIceServers, splitFragment, UnreachableError } from '../../client/src/pairing/iceServers.ts';
import { signalingServer } from '../../client/src/session/settings.ts';

export interface Introduction {
  readonly server: string;
  readonly iceServers: RTCIceServer[];
}

/**
 * As a tab that opens the link: `?signaling=`, then the page's `settings.json`; servers behind the invite, then its `ice.json`.
 * @throws Error where the page does not answer, or its server is none
 */
export async function introductionOf(link: string): Promise<Introduction> {
  const { search, hash } = new URL(link);
  const page = link.split('#')[0];
  try {
    const named = await signalingServer(search, page);
    if (named === null)
      throw new Error(`${page}: no server introduces its guests; people carry texts over, which takes a browser`);
    const { servers } = splitFragment(hash);
    if (!servers) throw new Error('--connect: the link has STUN or TURN servers that are none');
    return {
      server: named ?? new URL('/', page).href,
      iceServers: servers.length > 0 ? servers : await fetchIceServers(page),
    };
  } catch (error) {
    if (error instanceof UnreachableError) throw new Error(`${page}: does not answer`);
    throw error;
  }
}
