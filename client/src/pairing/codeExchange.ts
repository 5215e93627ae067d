/**
 * From a typed code to an invite: CPace (cpace.ts) with key confirmation, relayed by the signaling server.
 *
 * Computes: a 256-bit secret that replaces the link's, known to these two tabs only. The code of the owner's room, which is a hash of its key, is in what the run
 * authenticates, so what follows is as with a link.
 * Who learns what: the server sees the locator and every message, and still has to guess the password's 20 bits: one
 * guess in a run with the owner (who counts wrong ones, ownerCode.ts) or with the client (who types the code again).
 * The client confirms first, so that a run which is broken off tells nothing and counts for nothing.
 */
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import * as v from 'valibot';
import { CodeSignal } from '../../../signaling-server/events.ts';
import { tagsEqual } from './authenticate.ts';
import { CPaceError, type CPaceInputs, type CPaceKeys, CPaceParty, lengthValue } from './cpace.ts';
import type { Invite } from './invite.ts';
import type { TypedCode } from './typedCode.ts';

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
const version = 'blindsight typed code 2';
/** Each side's associated data begins with its role: no message, and no tag, can pass for one of the other side. */
export const roleData = { client: lengthValue(utf8ToBytes('client')), owner: lengthValue(utf8ToBytes('owner')) };

/** @throws WrongCodeError, ExchangeError; and what `wire.receive` rejects with. */
export async function exchangeAsClient(wire: ExchangeWire, code: TypedCode, random = webRandom): Promise<Invite> {
  // Owner → client: a nonce. Client → owner: another, and its share. Both nonces make the session unique (§10.9).
  const hello = expectKind(await wire.receive(), 'code-hello');
  const nonce = random(nonceBytes);
  const inputs = cpaceInputs(code, hexToBytes(hello.nonce), nonce);
  const party = new CPaceParty('initiator', inputs, roleData.client, random(32));
  wire.send({ kind: 'code-share', nonce: bytesToHex(nonce), share: bytesToHex(party.message.share) });

  // Owner → client: its share, and the room, for which the key vouches. Client → owner: its tag.
  const { share, room } = expectKind(await wire.receive(), 'code-answer');
  const keys = finish(party, share, ownerData(room));
  wire.send({ kind: 'code-confirm', tag: bytesToHex(keys.tag) });

  // Owner → client: its tag, or that the client's did not fit.
  const verdict = expectKind(await wire.receive(), 'code-accept', 'code-reject');
  if (verdict.kind === 'code-reject') throw new WrongCodeError(verdict.triesLeft);
  const { tag } = verdict;
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
  code: TypedCode,
  room: string,
  countWrong: () => number,
  random = webRandom,
): Promise<Uint8Array> {
  const nonce = random(nonceBytes);
  wire.send({ kind: 'code-hello', nonce: bytesToHex(nonce) });

  const message = expectKind(await wire.receive(), 'code-share');
  const inputs = cpaceInputs(code, nonce, hexToBytes(message.nonce));
  const party = new CPaceParty('responder', inputs, ownerData(room), random(32));
  const keys = finish(party, message.share, roleData.client);
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
function cpaceInputs({ locator, password }: TypedCode, ownerNonce: Uint8Array, clientNonce: Uint8Array): CPaceInputs {
  return {
    password: utf8ToBytes(password),
    channel: lengthValue(...[version, 'client', 'owner', locator].map(utf8ToBytes)),
    session: concatBytes(ownerNonce, clientNonce),
  };
}

const ownerData = (room: string): Uint8Array => concatBytes(roleData.owner, lengthValue(utf8ToBytes(room)));

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

/** The other side may be anybody: each field is checked before it is used. */
function expectKind<K extends CodeSignal['kind']>(signal: unknown, ...kinds: K[]): Extract<CodeSignal, { kind: K }> {
  const parsed = v.safeParse(CodeSignal, signal);
  if (!parsed.success || !kinds.includes(parsed.output.kind as K))
    throw new ExchangeError(`codeExchange: expected ${kinds.join(' or ')}`);
  return parsed.output as Extract<CodeSignal, { kind: K }>;
}

const webRandom = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));
