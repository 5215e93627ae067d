/**
 * From a short code to an invite: CPace (cpace.ts) with key confirmation, relayed by the signaling server.
 *
 * Computes: a 256-bit secret that replaces the link's, known to these two tabs only. What follows is as with a link.
 * Who learns what: the server sees the locator and every message, and still has to guess the password's 20 bits: one
 * guess in a run with the owner (who counts wrong ones, ownerCode.ts) or with the client (who types the code again).
 * The client confirms first, so that a run which is broken off tells nothing and counts for nothing.
 */
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { CodeSignal } from '../../../signaling-server/events.ts';
import { tagsEqual } from './authenticate.ts';
import { CPaceError, type CPaceInputs, type CPaceKeys, CPaceParty, lengthValue } from './cpace.ts';
import type { Invite } from './invite.ts';
import type { ShortCode } from './shortCode.ts';

/** The other tab, by way of the untrusted server. */
export interface ExchangeWire {
  send(signal: CodeSignal): void;
  /** Rejects when the other tab left or took too long. */
  receive(): Promise<CodeSignal>;
}

/** The other side has another code, or somebody in between tried one. */
export class WrongCodeError extends Error {
  constructor(/** Unauthenticated: whoever answered says so. */ readonly triesLeft: number) {
    super(`The code does not fit; ${triesLeft} tries left`);
  }
}

/** The messages do not follow the protocol. */
export class ExchangeError extends Error {}

const nonceBytes = 16;
const version = 'blindsight short code 1';

/** @throws WrongCodeError, ExchangeError; and what `wire.receive` rejects with. */
export async function exchangeAsClient(wire: ExchangeWire, code: ShortCode, random = webRandom): Promise<Invite> {
  // Owner → client: a nonce. Client → owner: another, and its share. Both nonces make the session unique (§10.9).
  const hello = expectKind(await wire.receive(), 'code-hello');
  const nonce = random(nonceBytes);
  const inputs = cpaceInputs(code, hexToBytes(hello.nonce), nonce);
  const party = new CPaceParty('initiator', inputs, new Uint8Array(), random(32));
  wire.send({ kind: 'code-share', nonce: bytesToHex(nonce), share: bytesToHex(party.message.share) });

  // Owner → client: its share, and the room, for which the key vouches. Client → owner: its tag.
  const { share, room } = expectKind(await wire.receive(), 'code-answer');
  const keys = finish(party, share, utf8ToBytes(room));
  wire.send({ kind: 'code-confirm', tag: bytesToHex(keys.tag) });

  // Owner → client: its tag, or that the client's did not fit.
  const verdict = await wire.receive();
  if (verdict.kind === 'code-reject') throw new WrongCodeError(verdict.triesLeft);
  const { tag } = expectKind(verdict, 'code-accept');
  if (!tagsEqual(tag, bytesToHex(keys.otherTag))) throw new ExchangeError('codeExchange: expected the owner’s tag');
  return { code: room, secret: deriveSecret(keys, inputs) };
}

/**
 * @param countWrong called when the client's tag does not fit; answers with how many tries are left.
 * @returns the secret that the client has now.
 * @throws WrongCodeError, ExchangeError; and what `wire.receive` rejects with.
 */
export async function exchangeAsOwner(
  wire: ExchangeWire,
  code: ShortCode,
  room: string,
  countWrong: () => number,
  random = webRandom,
): Promise<Uint8Array> {
  const nonce = random(nonceBytes);
  wire.send({ kind: 'code-hello', nonce: bytesToHex(nonce) });

  const message = expectKind(await wire.receive(), 'code-share');
  const inputs = cpaceInputs(code, nonce, hexToBytes(message.nonce));
  const party = new CPaceParty('responder', inputs, utf8ToBytes(room), random(32));
  const keys = finish(party, message.share, new Uint8Array());
  wire.send({ kind: 'code-answer', share: bytesToHex(party.message.share), room });

  const { tag } = expectKind(await wire.receive(), 'code-confirm');
  if (!tagsEqual(tag, bytesToHex(keys.otherTag))) {
    const triesLeft = countWrong();
    wire.send({ kind: 'code-reject', triesLeft });
    throw new WrongCodeError(triesLeft);
  }
  wire.send({ kind: 'code-accept', tag: bytesToHex(keys.tag) });
  return deriveSecret(keys, inputs);
}

/** The channel names what the key is for, the roles (initiator first, §10.1.1) and the code's public half. */
function cpaceInputs({ locator, password }: ShortCode, ownerNonce: Uint8Array, clientNonce: Uint8Array): CPaceInputs {
  return {
    password: utf8ToBytes(password),
    channel: lengthValue(...[version, 'client', 'owner', locator].map(utf8ToBytes)),
    session: concatBytes(ownerNonce, clientNonce),
  };
}

function finish(party: CPaceParty, share: string, data: Uint8Array): CPaceKeys {
  try {
    return party.finish({ share: hexToBytes(share), data });
  } catch (error) {
    if (error instanceof CPaceError) throw new ExchangeError(error.message);
    throw error;
  }
}

const deriveSecret = ({ key }: CPaceKeys, { session }: CPaceInputs): Uint8Array =>
  hkdf(sha512, key, session, utf8ToBytes(`${version} secret`), 32);

function expectKind<K extends CodeSignal['kind']>(signal: CodeSignal, kind: K): Extract<CodeSignal, { kind: K }> {
  if (signal.kind !== kind) throw new ExchangeError(`codeExchange: expected ${kind}, got ${signal.kind}`);
  return signal as Extract<CodeSignal, { kind: K }>;
}

const webRandom = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));
