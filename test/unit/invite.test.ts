import { expect, test } from 'vitest';
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
