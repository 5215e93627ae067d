/**
 * What a tab and the signaling server say to each other; this and locator.ts are the only files that both import.
 *
 * The server introduces two tabs and then relays SDP and ICE between them, nothing else. It is not trusted: `tag`
 * authenticates an SDP's DTLS fingerprint with a key that only the two tabs have (client/src/pairing/authenticate.ts).
 */
import * as v from 'valibot';
import { alphabet, locatorLength } from './locator.ts';

/** A room's code: 128 random bits, base64url. Knowing it is what admits to the room. */
export const roomCodeBytes = 16;
export const RoomCode = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{22}$/));

/** The half of a short code that finds a room; the other half never comes here. */
export const Locator = v.pipe(v.string(), v.regex(new RegExp(`^[${alphabet}]{${locatorLength}}$`)));
export const locatorLifetimeMs = 10 * 60_000;

/** Tells the owner which of its secrets the client has: 64 bits derived from it, of which nothing follows. */
export const KeyId = hexadecimal(8);

/** HMAC-SHA-256. */
const Tag = hexadecimal(32);

/** An SDP of one data channel takes about 500 bytes, and a candidate 150; the limits leave room for more interfaces. */
const maxSdpLength = 8192;
const maxCandidateLength = 512;
/** Bytes of the longest event. */
export const maxEventBytes = 16_384;

const text = (max: number) => v.pipe(v.string(), v.maxLength(max));

function hexadecimal(bytes: number) {
  return v.pipe(v.string(), v.regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`)));
}

/** The run of CPace by which a short code becomes an invite (client/src/pairing/codeExchange.ts), in message order. */
const codeSignals = [
  v.strictObject({ kind: v.literal('code-hello'), nonce: hexadecimal(16) }),
  v.strictObject({ kind: v.literal('code-share'), nonce: hexadecimal(16), share: hexadecimal(32) }),
  v.strictObject({ kind: v.literal('code-answer'), share: hexadecimal(32), room: RoomCode }),
  v.strictObject({ kind: v.literal('code-confirm'), tag: hexadecimal(64) }),
  v.strictObject({ kind: v.literal('code-accept'), tag: hexadecimal(64) }),
  v.strictObject({
    kind: v.literal('code-reject'),
    triesLeft: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(100)),
  }),
] as const;
export type CodeSignal = v.InferOutput<(typeof codeSignals)[number]>;

export const Signal = v.variant('kind', [
  v.strictObject({
    kind: v.literal('sdp'),
    type: v.picklist(['offer', 'answer']),
    sdp: text(maxSdpLength),
    tag: Tag,
  }),
  v.strictObject({
    kind: v.literal('ice'),
    candidate: text(maxCandidateLength),
    sdpMid: v.nullable(text(32)),
    sdpMLineIndex: v.nullable(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(16))),
  }),
  ...codeSignals,
]);
export type Signal = v.InferOutput<typeof Signal>;
/** What makes a connection, apart from what makes an invite. */
export type LinkSignal = Exclude<Signal, CodeSignal>;

/** Why a tab leaves a room; passed on to the other. `unload`: the page is closed or reloaded, and may come back. */
export const LeaveReason = v.picklist(['closed', 'unload', 'authentication']);
export type LeaveReason = v.InferOutput<typeof LeaveReason>;

/**
 * Why an owner sends a client out of its room. `room-full`: it serves another, whom this server has forgotten. `lost`: it
 * does not have the connection that the client says it has.
 */
export const DismissReason = v.picklist(['closed', 'room-full', 'authentication', 'unreachable', 'lost']);
export type DismissReason = v.InferOutput<typeof DismissReason>;

/** `lost`: the other tab's connection to the server, or with this tab, ended without a word. */
export type PeerLeftReason = LeaveReason | DismissReason;

export const JoinOptions = v.strictObject({
  keyId: KeyId,
  /**
   * Takes the place again after the connection to the server was lost: of the connection that it still has with the owner,
   * who knows the tag and sends anybody else out.
   */
  linkTag: v.nullable(Tag),
});
export type JoinOptions = v.InferOutput<typeof JoinOptions>;

export type RefusalCode =
  | 'malformed' // the request does not have the form stated here
  | 'no-such-room' // mistyped, or the owner's tab is closed
  | 'no-such-code' // no room has this locator: mistyped, expired or used
  | 'room-full' // two are in it already
  | 'no-peer' // nobody to relay to
  | 'rate' // too many requests
  | 'busy'; // the server holds as many rooms as it can

export type Reply<T = unknown> = ({ ok: true } & T) | { ok: false; code: RefusalCode };

export interface TabToServerEvents {
  /** The owner opens a room. `code` reopens one after the connection to the server was lost; null for a new one. */
  open(code: string | null, reply: (reply: Reply<{ code: string }>) => void): void;
  /** The owner asks for a locator for its room, in place of the one before. */
  grantLocator(reply: (reply: Reply<{ locator: string; lifetimeMs: number }>) => void): void;
  withdrawLocator(reply: (reply: Reply) => void): void;
  /** The client takes the second place. */
  join(code: string, options: JoinOptions, reply: (reply: Reply) => void): void;
  /** The same by the locator, to turn a short code into an invite. */
  joinByLocator(locator: string, reply: (reply: Reply) => void): void;
  signal(signal: Signal, reply: (reply: Reply) => void): void;
  /** The owner frees the client's place. */
  dismiss(reason: DismissReason, reply: (reply: Reply) => void): void;
  /** The reply comes when the peer was told; a connection that is closed before may take the event with it. */
  leave(reason: LeaveReason, reply: (reply: Reply) => void): void;
}

export interface ServerToTabEvents {
  /** To the owner: a client is in the room, with the secret of this id; null for one that has a short code. */
  peerJoined(keyId: string | null, linkTag: string | null): void;
  peerLeft(reason: PeerLeftReason): void;
  signal(signal: Signal): void;
  /** The server stops, and is expected back; a connection between the tabs is not affected. */
  restarting(): void;
}
