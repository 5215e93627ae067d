/**
 * What a tab and the signaling server say to each other; this, locator.ts and roomKey.ts are the only files that both
 * import. Neither trusts the other: each checks what it receives against these schemas.
 *
 * The server introduces two tabs and then relays SDP and ICE between them, nothing else. It cannot get between them:
 * offers are signed, and answers carry a tag under a key that only the two tabs have (client/src/pairing/authenticate.ts).
 */
import * as v from 'valibot';
import { alphabet, locatorLength } from './locator.ts';

/** A room's code: 128 bits, base64url, a hash of its owner's key (roomKey.ts). Knowing it is what admits to the room. */
export const RoomCode = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{22}$/));

/** The half of a typed code that finds a room; the other half never comes here. */
export const Locator = v.pipe(v.string(), v.regex(new RegExp(`^[${alphabet}]{${locatorLength}}$`)));
export const locatorLifetimeMs = 10 * 60_000;

/** Tells the owner which of its secrets the client has: 64 bits derived from it, of which nothing follows. */
export const KeyId = hexadecimal(8);

/** HMAC-SHA-256. */
export const Tag = hexadecimal(32);

/** An SDP of one data channel takes about 500 bytes, and a candidate 150; the limits leave room for more interfaces. */
const maxSdpLength = 8192;
const maxCandidateLength = 512;
/** Bytes of the longest event. */
export const maxEventBytes = 16_384;

const text = (max: number) => v.pipe(v.string(), v.maxLength(max));

function hexadecimal(bytes: number) {
  return v.pipe(v.string(), v.regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`)));
}

/** The run of CPace by which a typed code becomes an invite (client/src/pairing/codeExchange.ts), in message order. */
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
export const CodeSignal = v.variant('kind', codeSignals);
export type CodeSignal = v.InferOutput<typeof CodeSignal>;

/** The owner's number for one try to connect, so that what is left over from another is told apart. */
const Attempt = hexadecimal(8);

export const Signal = v.variant('kind', [
  v.strictObject({
    kind: v.literal('offer'),
    attempt: Attempt,
    sdp: text(maxSdpLength),
    /** Ed25519, and an X25519 share. */
    key: hexadecimal(32),
    share: hexadecimal(32),
    signature: hexadecimal(64),
  }),
  v.strictObject({
    kind: v.literal('answer'),
    attempt: Attempt,
    sdp: text(maxSdpLength),
    share: hexadecimal(32),
    tag: Tag,
  }),
  /** One of the two says what it is a candidate of, or it is none (WebRTC 1.0, section 4.8.1). */
  v.pipe(
    v.strictObject({
      kind: v.literal('ice'),
      attempt: Attempt,
      candidate: text(maxCandidateLength),
      sdpMid: v.nullable(text(32)),
      sdpMLineIndex: v.nullable(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(16))),
    }),
    v.check(({ sdpMid, sdpMLineIndex }) => sdpMid !== null || sdpMLineIndex !== null),
  ),
  ...codeSignals,
]);
export type Signal = v.InferOutput<typeof Signal>;
/** What makes a connection, apart from what makes an invite. */
export type LinkSignal = Exclude<Signal, CodeSignal>;
export type Offer = Extract<Signal, { kind: 'offer' }>;
export type Answer = Extract<Signal, { kind: 'answer' }>;
/** Candidates that one tab sends in one try to connect: some 20, and more with many interfaces. More are not read. */
export const maxCandidates = 64;

/** Why a tab leaves a room; passed on to the other. `unload`: the page is closed or reloaded, and may come back. */
export const LeaveReason = v.picklist(['closed', 'unload', 'authentication']);
export type LeaveReason = v.InferOutput<typeof LeaveReason>;

/**
 * Why an owner sends a client out of its room. `dismissed`: by hand, or after a short code; the room stays open.
 * `room-full`: it serves another, whom this server has forgotten. `lost`: it does not have the connection that the client
 * says it has.
 */
export const DismissReason = v.picklist(['dismissed', 'room-full', 'authentication', 'unreachable', 'lost']);
export type DismissReason = v.InferOutput<typeof DismissReason>;

/** `lost`: the other tab's connection to the server, or with this tab, ended without a word. */
export const PeerLeftReason = v.picklist([...new Set([...LeaveReason.options, ...DismissReason.options])]);
export type PeerLeftReason = LeaveReason | DismissReason;

/** Shows that the tab has the key of the room that it opens. */
export const OpenOptions = v.strictObject({
  key: hexadecimal(32),
  /** Over `openingMessage` of this connection. */
  signature: hexadecimal(64),
});
export type OpenOptions = v.InferOutput<typeof OpenOptions>;

export const JoinOptions = v.strictObject({
  keyId: KeyId,
  /**
   * Takes the place again after the connection to the server was lost: of the connection that it still has with the owner,
   * who knows the tag and sends anybody else out.
   */
  linkTag: v.nullable(Tag),
});
export type JoinOptions = v.InferOutput<typeof JoinOptions>;

export const RefusalCode = v.picklist([
  'malformed', // the request does not have the form stated here
  'not-owner', // the signature does not fit the key
  'no-such-room', // mistyped, or the owner's tab is closed
  'no-such-code', // no room has this locator: mistyped, expired or used
  'room-full', // two are in it already, or its owner has it open elsewhere
  'no-peer', // nobody to relay to
  'rate', // too many requests
  'busy', // the server holds as many rooms as it can
]);
export type RefusalCode = v.InferOutput<typeof RefusalCode>;

export type Reply<T = unknown> = ({ ok: true } & T) | { ok: false; code: RefusalCode };

const reply = <T extends v.ObjectEntries>(entries: T) =>
  v.variant('ok', [
    v.object({ ok: v.literal(true), ...entries }),
    v.object({ ok: v.literal(false), code: RefusalCode }),
  ]);

/** What a tab takes from the server as an answer. */
export const replies = {
  plain: reply({}),
  opened: reply({ code: RoomCode }),
  located: reply({
    locator: Locator,
    lifetimeMs: v.pipe(v.number(), v.minValue(1000), v.maxValue(locatorLifetimeMs)),
  }),
};

export interface TabToServerEvents {
  /** The owner opens the room of its key, also after the connection to the server was lost. */
  open(options: OpenOptions, reply: (reply: Reply<{ code: string }>) => void): void;
  /** The owner asks for a locator for its room, in place of the one before. */
  grantLocator(reply: (reply: Reply<{ locator: string; lifetimeMs: number }>) => void): void;
  withdrawLocator(reply: (reply: Reply) => void): void;
  /** The client takes the second place. */
  join(code: string, options: JoinOptions, reply: (reply: Reply) => void): void;
  /** The same by the locator, to turn a typed code into an invite. */
  joinByLocator(locator: string, reply: (reply: Reply) => void): void;
  signal(signal: Signal, reply: (reply: Reply) => void): void;
  /** The owner frees the client's place. */
  dismiss(reason: DismissReason, reply: (reply: Reply) => void): void;
  /** The reply comes when the peer was told; a connection that is closed before may take the event with it. */
  leave(reason: LeaveReason, reply: (reply: Reply) => void): void;
}

export interface ServerToTabEvents {
  /** To the owner: a client is in the room, with the secret of this id; null for one that has a typed code. */
  peerJoined(keyId: string | null, linkTag: string | null): void;
  peerLeft(reason: PeerLeftReason): void;
  signal(signal: Signal): void;
  /** The server stops, and is expected back; a connection between the tabs is not affected. */
  restarting(): void;
}
