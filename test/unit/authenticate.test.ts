/** Offer and answer, and who can make which: the owner, an invited client, another guest of the same link, the server. */
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { describe, expect, test } from 'vitest';
import {
  AuthenticationError,
  ClientHandshake,
  OwnerHandshake,
  RoomKey,
  secretId,
  tagsEqual,
} from '../../client/src/pairing/authenticate.ts';
import { newSecret } from '../../client/src/pairing/invite.ts';
import { words } from '../../client/src/pairing/words.ts';
import type { Answer, Offer } from '../../signaling-server/events.ts';
import { openingMessage, roomCodeOf } from '../../signaling-server/roomKey.ts';

const sdp = (byte: string) => `v=0\r\na=fingerprint:sha-256 ${Array(32).fill(byte).join(':')}\r\na=setup:actpass\r\n`;
const room = new RoomKey();
const link = newSecret();
const invite = { code: room.code, secret: link };

/** As the owner would, from the words of authenticate.ts. */
function signOffer(offer: Offer): Offer {
  const message = concatBytes(
    utf8ToBytes('blindsight pairing 3 offer'),
    ...[offer.attempt, offer.key, offer.share].map(hexToBytes),
    sha256(utf8ToBytes(offer.sdp)),
  );
  return { ...offer, signature: bytesToHex(room.sign(message)) };
}

function run(
  relay: { offer?(offer: Offer): Offer; answer?(answer: Answer): Answer } = {},
  { client = invite, secret = link, key = room } = {},
) {
  const ownerSide = new OwnerHandshake(key, secret);
  const clientSide = new ClientHandshake(client);
  const offer = ownerSide.offer(sdp('AA'));
  clientSide.accept(relay.offer?.(offer) ?? offer);
  const { answer, pairing } = clientSide.answer(sdp('BB'));
  return { client: pairing, owner: ownerSide.accept(relay.answer?.(answer) ?? answer), offer, answer };
}

describe('an honest run', () => {
  test('both have the same words, tag and secret; every run has others', () => {
    const { client, owner } = run();
    expect(client).toEqual(owner);
    expect(client.compareWords).toHaveLength(4);
    expect(client.nextSecret).toHaveLength(32);
    const again = run().client;
    expect(again.nextSecret).not.toEqual(client.nextSecret);
    expect(again.linkTag).not.toBe(client.linkTag);
    expect(words).toHaveLength(256);
    expect(new Set(words).size).toBe(256);
  });

  test('nothing of the secrets is in a message', () => {
    const { client, offer, answer } = run();
    const sent = JSON.stringify([offer, answer]);
    for (const secret of [link, client.nextSecret, room.secretKey]) expect(sent).not.toContain(bytesToHex(secret));
  });

  test('the id of a secret depends on the room, and is not the secret', () => {
    expect(secretId(invite)).toMatch(/^[0-9a-f]{16}$/);
    expect(secretId(invite)).not.toBe(secretId({ ...invite, code: new RoomKey().code }));
    expect(bytesToHex(link)).not.toContain(secretId(invite));
  });
});

// One side's view only: that the other side would find out later is no reason for this one to go on.
describe('what the client does not take', () => {
  const other = (hex: string) => (hex[0] === '0' ? '1' : '0') + hex.slice(1);
  const accept = (offer: Offer) => () => new ClientHandshake(invite).accept(offer);
  const honest = () => new OwnerHandshake(room, link).offer(sdp('AA'));

  test.each<[string, (offer: Offer) => Offer]>([
    ['another certificate', (offer) => ({ ...offer, sdp: sdp('AC') })],
    // Lines that some browsers read as a second fingerprint and others do not.
    ['a line with a tab', (offer) => ({ ...offer, sdp: `${offer.sdp}a=fingerprint\tsha-256 BB\r\n` })],
    ['a line with a space', (offer) => ({ ...offer, sdp: `${offer.sdp}a= fingerprint:sha-256 BB\r\n` })],
    ['an empty line', (offer) => ({ ...offer, sdp: `${offer.sdp}\r\n` })],
    ['another share', (offer) => ({ ...offer, share: bytesToHex(x25519.keygen().publicKey) })],
    ['another number of the try', (offer) => ({ ...offer, attempt: other(offer.attempt) })],
    ['another signature', (offer) => ({ ...offer, signature: other(offer.signature) })],
    ['another key', (offer) => ({ ...offer, key: bytesToHex(new RoomKey().publicKey) })],
    ['a key that is no point', (offer) => ({ ...offer, key: 'ff'.repeat(32) })],
  ])('%s', (_, alter) => {
    expect(accept(honest())).not.toThrow();
    expect(accept(alter(honest()))).toThrow(AuthenticationError);
  });

  test('an offer of another guest, who has the link', () => {
    expect(accept(new OwnerHandshake(new RoomKey(), link).offer(sdp('CC')))).toThrow(AuthenticationError);
  });

  test('an offer of another guest under the owner’s public key, which everybody sees', () => {
    const mallory = new RoomKey();
    const posing = Object.assign(Object.create(RoomKey.prototype), {
      publicKey: room.publicKey,
      code: room.code,
      secretKey: mallory.secretKey,
    });
    expect(accept(new OwnerHandshake(posing, link).offer(sdp('CC')))).toThrow(AuthenticationError);
  });

  test('what the owner signed for another purpose', () => {
    const offer = honest();
    expect(accept({ ...offer, signature: room.proveFor('connection').signature })).toThrow(AuthenticationError);
    expect(ed25519.verify(hexToBytes(offer.signature), openingMessage('connection'), room.publicKey)).toBe(false);
  });

  test('a second offer, be it the owner’s', () => {
    const client = new ClientHandshake(invite);
    client.accept(honest());
    expect(() => client.accept(honest())).toThrow(AuthenticationError);
  });

  test('an answer to no offer', () => {
    expect(() => new ClientHandshake(invite).answer(sdp('BB'))).toThrow(AuthenticationError);
  });

  test('a share of small order, be it signed by the owner', () => {
    const unsigned = { ...honest(), share: '00'.repeat(32) };
    const client = new ClientHandshake(invite);
    client.accept(signOffer(unsigned));
    expect(() => client.answer(sdp('BB'))).toThrow(AuthenticationError);
  });
});

describe('what the owner does not take', () => {
  const other = (hex: string) => (hex[0] === '0' ? '1' : '0') + hex.slice(1);

  test.each<[string, (answer: Answer) => Answer]>([
    ['another certificate', (answer) => ({ ...answer, sdp: sdp('BC') })],
    ['another share', (answer) => ({ ...answer, share: bytesToHex(x25519.keygen().publicKey) })],
    ['another tag', (answer) => ({ ...answer, tag: other(answer.tag) })],
    ['a share of small order', (answer) => ({ ...answer, share: '00'.repeat(32) })],
  ])('%s', (_, alter) => {
    expect(() => run({ answer: alter })).toThrow(AuthenticationError);
  });

  test('an answer of somebody without the secret', () => {
    expect(() => run({}, { client: { ...invite, secret: newSecret() } })).toThrow(AuthenticationError);
  });

  test('an answer to another offer', () => {
    const first = run();
    const owner = new OwnerHandshake(room, link);
    owner.offer(sdp('AA'));
    expect(() => owner.accept(first.answer)).toThrow(AuthenticationError);
  });

  test('an answer before its offer', () => {
    expect(() => new OwnerHandshake(room, link).accept(run().answer)).toThrow(AuthenticationError);
  });

  test('another guest in the place of a client that comes back: it has the link, and all that was sent', () => {
    const { client } = run();
    const owner = new OwnerHandshake(room, client.nextSecret);
    const guest = new ClientHandshake(invite);
    guest.accept(owner.offer(sdp('AA')));
    expect(() => owner.accept(guest.answer(sdp('CC')).answer)).toThrow(AuthenticationError);
  });
});

test('the code of a room is a hash of its key alone', () => {
  expect(roomCodeOf(room.publicKey)).toBe(room.code);
  expect(new RoomKey(room.secretKey).code).toBe(room.code);
  expect(Buffer.from(room.code, 'base64url')).toHaveLength(16);
});

test('tags are compared in full', () => {
  expect(tagsEqual('ab', 'ab')).toBe(true);
  expect(tagsEqual('ab', 'ac')).toBe(false);
  expect(tagsEqual('ab', 'abab')).toBe(false);
});
