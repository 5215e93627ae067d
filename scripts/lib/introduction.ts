/** How an invite link's page would meet the owner: by which signaling server, and by which STUN and TURN servers. */
import { fetchIceServers, splitFragment, UnreachableError } from '../../client/src/pairing/iceServers.ts';
import { signalingServer } from '../../client/src/session/settings.ts';

export interface Introduction {
  readonly server: string;
  readonly iceServers: RTCIceServer[];
}

/** What to do with the STUN and TURN servers that a link brings: they learn this machine's address, so a tab asks. */
export const linkServersChoices = ['use', 'ignore'] as const;
export type LinkServers = (typeof linkServersChoices)[number];

/** For the first answer of the page's host. */
const answerMs = 15_000;

/**
 * As a tab that opens the link: `?signaling=`, then the page's `settings.json`; servers behind the invite, then its `ice.json`.
 * @param linkServers what the user has said of servers behind the invite
 * @throws Error where the page does not answer, its server is none, or it is not said what to do with the link's servers
 */
export async function introductionOf(link: string, linkServers?: LinkServers): Promise<Introduction> {
  const { hash } = new URL(link);
  const { servers } = splitFragment(hash);
  if (!servers) throw new Error('--connect: the link has STUN or TURN servers that are none');
  if (servers.length > 0 && linkServers === undefined) {
    const urls = servers.flatMap(({ urls }) => urls).join(', ');
    throw new Error(
      `--connect: the link names ${urls}, which would learn this machine's address: say --link-servers use, or --link-servers ignore`,
    );
  }
  const page = await arrivalOf(link.split('#')[0]);
  const { search } = new URL(page);
  try {
    const named = await signalingServer(search, page);
    if (named === null)
      throw new Error(`${page}: no server introduces its guests; people carry texts over, which takes a browser`);
    return {
      server: named ?? new URL('/', page).href,
      iceServers: servers.length > 0 && linkServers === 'use' ? servers : await fetchIceServers(page),
    };
  } catch (error) {
    if (error instanceof UnreachableError) throw new Error(`${page}: does not answer`);
    throw error;
  }
}

/** Where redirections lead: a tab's address is that. @throws Error when nobody answers */
async function arrivalOf(page: string): Promise<string> {
  const response = await fetch(page, { signal: AbortSignal.timeout(answerMs) }).catch(() => undefined);
  if (!response) throw new Error(`${page}: does not answer`);
  await response.body?.cancel();
  return response.url;
}
