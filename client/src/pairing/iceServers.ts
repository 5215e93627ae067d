/**
 * STUN and TURN servers. None by default: in one network, or on one machine, the tabs find each other without, and
 * nobody else learns that they met. For tabs in different networks, by URL:
 * `?ice=stun:stun.example.org` or `?ice=turn:turn.example.org&iceUsername=…&iceCredential=…` (`ice` may be repeated);
 * the invite link carries it on. Or for everyone, in `client/public/ice.json`: a list of RTCIceServer objects.
 * @throws IceServersError, UnreachableError
 */
export async function iceServers(search: string): Promise<RTCIceServer[]> {
  try {
    const servers = await readIceServers(search);
    new RTCPeerConnection({ iceServers: servers }).close();
    return servers;
  } catch (error) {
    if (error instanceof UnreachableError) throw error;
    throw new IceServersError((error as Error).message);
  }
}

/** The list is none, or one that this browser refuses: TURN without credentials, say. */
export class IceServersError extends Error {}

/** The server that has the list does not answer. */
export class UnreachableError extends Error {}

async function readIceServers(search: string): Promise<RTCIceServer[]> {
  const query = new URLSearchParams(search);
  const urls = query.getAll('ice').filter((url) => /^(stun|turn)s?:\S+$/.test(url));
  if (urls.length > 0) {
    const username = query.get('iceUsername');
    const credential = query.get('iceCredential');
    return urls.map((url) =>
      username !== null && credential !== null ? { urls: url, username, credential } : { urls: url },
    );
  }
  const response = await fetch('ice.json').catch(() => {
    throw new UnreachableError();
  });
  return response.ok ? await response.json() : [];
}
