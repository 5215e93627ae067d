import { describe, expect, test } from 'vitest';
import { formatIce, splitFragment } from '../../client/src/pairing/iceServers.ts';
import { formatInvite, newSecret, parseInvite } from '../../client/src/pairing/invite.ts';

const code = 'AAECAwQFBgcICQoLDA0ODw';

test('an invite survives the link, whose query stays', () => {
  const secret = newSecret();
  const link = formatInvite('http://localhost:3000/?lang=de#old', { code, secret });
  expect(new URL(link).search).toBe('?lang=de');
  expect(parseInvite(link)).toEqual({ code, secret });
  expect(parseInvite(new URL(link).hash)).toEqual({ code, secret });
});

test('a link fits a QR code that a telephone reads from a screen: version 6 at most', () => {
  const link = formatInvite('https://blindsight.example.org/', { code, secret: newSecret() });
  expect(link.length).toBeLessThanOrEqual(134); // bytes that version 6 holds at level L
});

test.each([
  '',
  '#',
  '#how',
  'http://localhost:3000/',
  `#${code}`,
  `#${code}.abc`,
  `#${code}.${'A'.repeat(44)}`,
  `#${code}.${'A'.repeat(42)}B`, // 258 bits
])('"%s" is no invite', (text) => {
  expect(parseInvite(text)).toBeUndefined();
});

describe('STUN and TURN servers in a fragment', () => {
  const servers = [
    { urls: 'stun:s.example' },
    { urls: 'turn:t.example:3478?transport=tcp', username: 'a&b', credential: 'c#=d' },
  ];

  test('follow the invite, and what is read is what was written', () => {
    const invite = { code, secret: newSecret() };
    const link = formatInvite('http://localhost:3000/', invite, servers);
    expect(new URL(link).search).toBe('');
    expect(parseInvite(link)).toEqual(invite);
    expect(splitFragment(new URL(link).hash)).toEqual({
      rest: new URL(formatInvite('http://x/', invite)).hash.slice(1),
      servers,
    });
    expect(splitFragment(`#${formatIce(servers)}`)).toEqual({ rest: '', servers });
  });

  test.each(['', '#', '#how', `#${code}`])('there are none in "%s"', (hash) => {
    expect(splitFragment(hash)).toEqual({ rest: hash.replace('#', ''), servers: [] });
  });

  test.each([
    ['another scheme', '#ice=http://s.example'],
    ['a host that is none', '#ice=stun:<script>'],
    ['an address with a user in it', '#ice=turn:user@t.example'],
    ['a long one', `#ice=stun:${'a'.repeat(300)}`],
    ['a long password', `#ice=turn:t.example&iceUsername=a&iceCredential=${'b'.repeat(600)}`],
    ['many', `#${Array(5).fill('ice=stun:s.example').join('&')}`],
    ['something else beside them', '#ice=stun:s.example&next=1'],
    ['something else', '#CODE&next=1'],
  ])('%s is no list', (_, hash) => {
    expect(splitFragment(hash).servers).toBeUndefined();
  });
});
