import { expect, test } from 'vitest';
import {
  derivePairingKeys,
  shortCode,
  tagAnswer,
  tagLink,
  tagOffer,
  tagsEqual,
} from '../../client/src/pairing/authenticate.ts';
import { formatInvite, newSecret, parseInvite } from '../../client/src/pairing/invite.ts';
import { words } from '../../client/src/pairing/words.ts';

const code = 'AAECAwQFBgcICQoLDA0ODw';
const sdp = (byte: string) => `v=0\r\na=fingerprint:sha-256 ${Array(32).fill(byte).join(':')}\r\na=setup:actpass\r\n`;

test('an invite survives the link, whose query stays', () => {
  const secret = newSecret();
  const link = formatInvite('http://localhost:3000/?ice=stun:s.example#old', { code, secret });
  expect(new URL(link).search).toBe('?ice=stun:s.example');
  expect(parseInvite(link)).toEqual({ code, secret });
  expect(parseInvite(new URL(link).hash)).toEqual({ code, secret });
});

test.each(['', '#', '#how', 'http://localhost:3000/', `#${code}`, `#${code}.abc`, `#${code}.${'A'.repeat(44)}`])(
  '"%s" is no invite',
  (text) => {
    expect(parseInvite(text)).toBeUndefined();
  },
);

test('tags depend on secret, room, role and all of both SDPs', () => {
  const secret = newSecret();
  const keys = derivePairingKeys({ code, secret });
  const others = [
    derivePairingKeys({ code, secret: newSecret() }),
    derivePairingKeys({ code: `B${code.slice(1)}`, secret }),
  ];
  const offer = sdp('AA');
  const tags = [
    tagOffer(keys, offer),
    tagOffer(keys, sdp('AB')),
    // Lines that some browsers read as a second fingerprint and others do not.
    ...['a=fingerprint\tsha-256 BB\r\n', 'a= fingerprint:sha-256 BB\r\n', '\r\n'].map((line) =>
      tagOffer(keys, offer + line),
    ),
    tagAnswer(keys, offer, sdp('BB')),
    tagAnswer(keys, sdp('AB'), sdp('BB')),
    tagAnswer(keys, offer, sdp('BC')),
    tagAnswer(keys, sdp('BB'), offer),
    tagAnswer(keys, `${offer}a`, sdp('BB').slice(1)),
    tagLink(keys, offer, sdp('BB')),
    tagLink(keys, sdp('AB'), sdp('BB')),
    tagLink(keys, offer, sdp('BC')),
    ...others.map((other) => tagOffer(other, offer)),
  ];
  expect(new Set(tags).size).toBe(tags.length);
  expect(tagOffer(derivePairingKeys({ code, secret }), offer)).toBe(tags[0]);
});

test('both sides show the same four words; another certificate shows others', () => {
  const keys = derivePairingKeys({ code, secret: new Uint8Array(32) });
  expect(shortCode(keys, sdp('AA'), sdp('BB'))).toHaveLength(4);
  expect(shortCode(keys, sdp('AA'), sdp('BB'))).not.toEqual(shortCode(keys, sdp('AA'), sdp('BC')));
  expect(words).toHaveLength(256);
  expect(new Set(words).size).toBe(256);
});

test('tags are compared in full', () => {
  expect(tagsEqual('ab', 'ab')).toBe(true);
  expect(tagsEqual('ab', 'ac')).toBe(false);
  expect(tagsEqual('ab', 'abc')).toBe(false);
});
