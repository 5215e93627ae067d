/**
 * STUN and TURN servers. None by default: in one network, or on one machine, the tabs find each other without, and
 * nobody else learns that they met. For tabs in different networks there are two ways:
 * - `ice.json` beside the page, for everybody: a list of RTCIceServer objects, by whoever runs the server;
 * - the fragment of an address, which no server sees: `#ice=stun:stun.example.org` at the owner's page, or
 *   `#ice=turn:turn.example.org&iceUsername=…&iceCredential=…` (`ice` may be repeated). The invite link carries them on
 *   behind the invite. Such a server learns this tab's address, and whoever made the link has chosen it: a tab asks before it
 *   uses one (`confirmIce`).
 */
import * as v from 'valibot';

const maxServers = 4;
const Url = v.pipe(
  v.string(),
  v.maxLength(256),
  v.regex(/^(stun|turn)s?:(\[[\da-f:.]+\]|[\w.-]+)(:\d{1,5})?(\?transport=(udp|tcp))?$/i),
);
const Text = v.pipe(v.string(), v.maxLength(512));
const IceServer = v.object({
  urls: v.union([Url, v.pipe(v.array(Url), v.minLength(1), v.maxLength(maxServers))]),
  username: v.optional(Text),
  credential: v.optional(Text),
});
const IceServers = v.pipe(v.array(IceServer), v.maxLength(maxServers));

/** What the servers of a fragment are, and what it says besides; `servers` is undefined for what is no such list. */
export function splitFragment(hash: string): { rest: string; servers: RTCIceServer[] | undefined } {
  const [, rest = '', list] = /^#?(?:(?!ice=)([^&]*)&?)?(.*)$/s.exec(hash)!;
  const query = new URLSearchParams(list);
  const account = (
    [
      ['username', 'iceUsername'],
      ['credential', 'iceCredential'],
    ] as const
  ).flatMap(([key, name]) => {
    const value = query.get(name);
    return value === null ? [] : [[key, value]];
  });
  const parsed = v.safeParse(
    IceServers,
    query.getAll('ice').map((urls) => ({ urls, ...(/^turn/i.test(urls) && Object.fromEntries(account)) })),
  );
  const isWhole = [...query.keys()].every((key) => ['ice', 'iceUsername', 'iceCredential'].includes(key));
  return { rest, servers: parsed.success && isWhole ? (parsed.output as RTCIceServer[]) : undefined };
}

/** The end of a fragment that carries these servers on. */
export function formatIce(servers: readonly RTCIceServer[]): string {
  const query = new URLSearchParams();
  for (const { urls } of servers) for (const url of [urls].flat()) query.append('ice', url);
  const account = servers.find(({ username }) => username !== undefined);
  if (account) {
    query.set('iceUsername', account.username!);
    query.set('iceCredential', account.credential ?? '');
  }
  return query.toString();
}

const key = 'blindsight ice';

/** This tab uses them from now on, also after a reload; with none, those of `ice.json`. */
export function confirmIce(servers: readonly RTCIceServer[]): void {
  confirmed = servers;
  try {
    sessionStorage.setItem(key, JSON.stringify(servers));
  } catch {
    // Where the browser keeps nothing, a reload asks again.
  }
}

let confirmed: readonly RTCIceServer[] | undefined;

/** Undefined before anything was confirmed. */
export function confirmedIce(): readonly RTCIceServer[] | undefined {
  try {
    confirmed ??= v.parse(IceServers, JSON.parse(sessionStorage.getItem(key) ?? '')) as RTCIceServer[];
  } catch {
    // Nothing is kept.
  }
  return confirmed;
}

/** Whether these are the ones that the user has agreed to. */
export const isConfirmed = (servers: readonly RTCIceServer[]): boolean =>
  formatIce(confirmedIce() ?? []) === formatIce(servers);

/** The list is none, or one that this browser refuses: TURN without credentials, say. */
export class IceServersError extends Error {}

/** The server that has the list does not answer. */
export class UnreachableError extends Error {}

/** The ones to use. @throws IceServersError, UnreachableError */
export async function iceServers(): Promise<RTCIceServer[]> {
  try {
    const own = confirmedIce();
    const servers = own?.length ? [...own] : await fetchIceServers();
    new RTCPeerConnection({ iceServers: servers }).close();
    return servers;
  } catch (error) {
    if (error instanceof UnreachableError) throw error;
    throw new IceServersError((error as Error).message);
  }
}

/** The same anew, for another connection: credentials end. `before` where they cannot be had now. */
export const renewed = (before: RTCIceServer[]): Promise<RTCIceServer[]> => iceServers().catch(() => before);

/** A server that takes the connection and says nothing would have the tab wait for ever. */
const answerMs = 15_000;

/**
 * A small file of the page's folder, as JSON; undefined where there is none.
 * @param page its address; undefined for this page. @throws UnreachableError, SyntaxError
 */
export async function readBeside(page: string | undefined, name: string): Promise<unknown> {
  const unreachable = () => {
    throw new UnreachableError();
  };
  const options = { signal: AbortSignal.timeout(answerMs), cache: 'no-cache' } as const;
  const response = await fetch(page ? new URL(name, page).href : name, options).catch(unreachable);
  return response.ok ? JSON.parse(await response.text().catch(unreachable)) : undefined;
}

/** Those of `ice.json`. @param page whose; this one by default. @throws UnreachableError, SyntaxError, v.ValiError */
export async function fetchIceServers(page?: string): Promise<RTCIceServer[]> {
  return v.parse(IceServers, (await readBeside(page, 'ice.json')) ?? []) as RTCIceServer[];
}
