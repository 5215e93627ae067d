/**
 * Who introduces two tabs to each other: `settings.json` beside the page, `{ "signaling": … }`.
 * `"here"`: the server that the page came from. An address: that server. `null`: none; people carry the texts over.
 * `?signaling=ADDRESS` in the page's own address comes before it; the invite link carries it on.
 */
import * as v from 'valibot';
import { readBeside } from '../pairing/iceServers.ts';

/** A server's place has no path: socket.io takes one for a part of the server, which then never answers. */
const Address = v.pipe(
  v.string(),
  v.check(
    (text) => URL.canParse(text) && /^(https?|wss?):$/.test(new URL(text).protocol) && new URL(text).pathname === '/',
    ({ input }) => `expected a signaling server's address without a path, such as https://example.org, got ${input}`,
  ),
);
const Settings = v.object({
  signaling: v.nullable(v.union([v.literal('here'), Address])),
  /** Under which this page's server is reached from its network; it tells them to its own machine only. */
  networkOrigins: v.optional(v.array(v.pipe(v.string(), v.url(), v.regex(/^http:/))), []),
});

/** The page's settings, or what its address says in their place, cannot be used. */
export class SettingsError extends Error {}

/** @throws SettingsError */
function read<T>(schema: v.GenericSchema<unknown, T>, value: unknown): T {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  throw new SettingsError(result.issues[0].message);
}

/** What is wrong with the address of a signaling server; undefined where nothing is. */
export const signalingFault = (address: string): string | undefined =>
  v.safeParse(Address, address).issues?.[0].message;

/**
 * @param search of the page's address. @param page its address; by default this page.
 * @returns a server's address; undefined for the page's own; null for none. @throws UnreachableError, SettingsError
 */
export async function signalingServer(search: string, page?: string): Promise<string | undefined | null> {
  const chosen = new URLSearchParams(search).get('signaling');
  if (chosen !== null) return read(Address, chosen);
  const { signaling } = await readSettings(page);
  return signaling === 'here' ? undefined : signaling;
}

async function readSettings(page?: string): Promise<v.InferOutput<typeof Settings>> {
  const file = await readBeside(page, 'settings.json').catch((error: Error) => {
    throw error instanceof SyntaxError ? new SettingsError(`settings.json: ${error.message}`) : error;
  });
  return read(Settings, file ?? { signaling: 'here' });
}

/** The address by which this page was opened means another machine there. */
export const isThisMachine = (url: string): boolean => /^(localhost|127\.[\d.]+|\[::1\])$/.test(new URL(url).hostname);

/** `link` to this machine, as another device in the same network has to open it. None where the server names no address. */
export async function linksFromNetwork(link: string): Promise<string[]> {
  const { networkOrigins } = await readSettings();
  const { pathname, search, hash } = new URL(link);
  return networkOrigins.map((origin) => new URL(pathname + search + hash, origin).href);
}
