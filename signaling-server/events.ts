/**
 * What a tab and the signaling server say to each other; the only file that both import.
 *
 * The server introduces two tabs and then relays SDP and ICE between them, nothing else. It is not trusted: `tag`
 * authenticates an SDP's DTLS fingerprint with a key that only the two tabs have (client/src/pairing/authenticate.ts).
 */
import * as v from 'valibot';

/** A room's code: 128 random bits, base64url. Knowing it is what admits to the room. */
export const roomCodeBytes = 16;
export const RoomCode = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{22}$/));

/** An SDP of one data channel takes about 500 bytes, and a candidate 150; the limits leave room for more interfaces. */
const maxSdpLength = 8192;
const maxCandidateLength = 512;
/** Bytes of the longest event. */
export const maxEventBytes = 16_384;

const text = (max: number) => v.pipe(v.string(), v.maxLength(max));

export const Signal = v.variant('kind', [
  v.strictObject({
    kind: v.literal('sdp'),
    type: v.picklist(['offer', 'answer']),
    sdp: text(maxSdpLength),
    /** HMAC-SHA-256, hexadecimal. */
    tag: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  }),
  v.strictObject({
    kind: v.literal('ice'),
    candidate: text(maxCandidateLength),
    sdpMid: v.nullable(text(32)),
    sdpMLineIndex: v.nullable(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(16))),
  }),
]);
export type Signal = v.InferOutput<typeof Signal>;

/** Why a tab leaves a room; passed on to the other. */
export const LeaveReason = v.picklist(['closed', 'authentication']);
export type LeaveReason = v.InferOutput<typeof LeaveReason>;

export type RefusalCode =
  | 'malformed' // the request does not have the form stated here
  | 'no-such-room' // mistyped, or the owner's tab is closed
  | 'room-full' // two are in it already
  | 'no-peer' // nobody to relay to
  | 'rate' // too many requests
  | 'busy'; // the server holds as many rooms as it can

export type Reply<T = unknown> = ({ ok: true } & T) | { ok: false; code: RefusalCode };

export interface TabToServerEvents {
  /** The owner opens a room. `code` reopens one after the connection to the server was lost; null for a new one. */
  open(code: string | null, reply: (reply: Reply<{ code: string }>) => void): void;
  /** The client takes the second place. */
  join(code: string, reply: (reply: Reply) => void): void;
  signal(signal: Signal, reply: (reply: Reply) => void): void;
  /** The reply comes when the peer was told; a connection that is closed before may take the event with it. */
  leave(reason: LeaveReason, reply: (reply: Reply) => void): void;
}

export interface ServerToTabEvents {
  /** To the owner: the client is in the room. */
  peerJoined(): void;
  /** `lost`: the other tab's connection to the server ended without a word. */
  peerLeft(reason: LeaveReason | 'lost'): void;
  signal(signal: Signal): void;
  /** The server stops, and is expected back; a connection between the tabs is not affected. */
  restarting(): void;
}
