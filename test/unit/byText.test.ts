import { base64urlnopad } from '@scure/base';
import { deflateSync, strToU8 } from 'fflate';
import { expect, test, vi } from 'vitest';
import { clientByText, ownerByText, packSignals, unpackSignals } from '../../client/src/pairing/byText.ts';
import { formatInvite, parseInvite } from '../../client/src/pairing/invite.ts';
import { onOnePage } from '../../client/src/pairing/onOnePage.ts';
import { RefusedError, type SignalingListener } from '../../client/src/pairing/signaling.ts';
import type { Signal } from '../../signaling-server/events.ts';

const hex = (bytes: number) => 'ab'.repeat(bytes);
const offer: Signal = {
  kind: 'offer',
  attempt: hex(8),
  sdp: 'v=0\r\na=fingerprint:sha-256 AA:BB\r\n'.repeat(8),
  key: hex(32),
  share: hex(32),
  signature: hex(64),
};
const answer: Signal = { kind: 'answer', attempt: hex(8), sdp: 'v=0\r\n', share: hex(32), tag: hex(32) };
const ice: Signal = {
  kind: 'ice',
  attempt: hex(8),
  candidate: 'candidate:1 1 UDP 1 x.local 9',
  sdpMid: '0',
  sdpMLineIndex: 0,
};

const listener = () => ({ onState: vi.fn(), onPeerJoined: vi.fn(), onPeerLeft: vi.fn(), onSignal: vi.fn() });

test('a text holds an offer, or an answer, and its candidates', () => {
  expect(unpackSignals(packSignals([offer, ice]), 'offer')).toEqual([offer, ice]);
  expect(unpackSignals(packSignals([answer]), 'answer')).toEqual([answer]);
});

test('other texts are none: the other kind, cut off, altered in form, too many, too large', () => {
  const text = packSignals([offer, ice]);
  expect(unpackSignals(text, 'answer')).toBeUndefined();
  for (const cut of [0, 1, 20, text.length - 3]) expect(unpackSignals(text.slice(0, cut), 'offer')).toBeUndefined();
  expect(unpackSignals(packSignals([ice, offer]), 'offer')).toBeUndefined();
  expect(unpackSignals(packSignals([offer, offer]), 'offer')).toBeUndefined();
  expect(unpackSignals(packSignals([{ ...offer, key: 'no key' }]), 'offer')).toBeUndefined();
  expect(unpackSignals(packSignals([offer, ...Array.from({ length: 65 }, () => ice)]), 'offer')).toBeUndefined();
  const bomb = base64urlnopad.encode(deflateSync(strToU8(`[${' '.repeat(2_000_000)}]`)));
  expect(unpackSignals(bomb, 'offer')).toBeUndefined();
});

test('the invite link carries the offer', () => {
  const invite = { code: 'A'.repeat(22), secret: new Uint8Array(32).fill(7), offer: packSignals([offer, ice]) };
  const link = formatInvite('https://example.org/app/', invite);
  expect(parseInvite(link)).toEqual(invite);
  expect(link.length).toBeLessThan(1500); // a QR code holds 2,953 bytes
});

test('owner and client exchange an offer and an answer, and no more', async () => {
  vi.useFakeTimers();
  const texts: string[] = [];
  const byText = ownerByText(
    (text) => texts.push(text),
    () => 'its id',
  );
  const owner = listener();
  const ownerEnd = byText.introduce(owner);
  await ownerEnd.open({} as never);
  await vi.runAllTimersAsync();
  expect(owner.onPeerJoined.mock.calls).toEqual([['its id', null]]);
  void ownerEnd.signal(offer);
  void ownerEnd.signal(ice);
  await vi.runAllTimersAsync();
  expect(texts).toHaveLength(1);

  const client = listener();
  const clientEnd = clientByText(texts[0], (text) => texts.push(text))(client);
  await clientEnd.join('', {} as never);
  await vi.runAllTimersAsync();
  expect(client.onSignal.mock.calls).toEqual([[offer], [ice]]);
  void clientEnd.signal(answer);
  await vi.runAllTimersAsync();
  const foreign = packSignals([{ ...answer, attempt: 'cd'.repeat(8) } as Signal]);
  for (const [text, fate] of [
    [foreign, 'earlier'],
    ['hello', 'unreadable'],
    [texts[0], 'unreadable'],
    [`https://example.org/#answer.${texts[1]}`, 'taken'],
    [texts[1], 'earlier'], // one answer settles it
  ] as const)
    expect(byText.receive(text)).toBe(fate);
  expect(byText.isAnswered).toBe(true);
  expect(owner.onSignal).not.toHaveBeenCalled(); // whoever calls has finished first
  await vi.runAllTimersAsync();
  expect(owner.onSignal.mock.calls).toEqual([[answer]]);
  // The owner's candidates, for whom has answered, make no other link.
  void ownerEnd.signal(ice);
  await vi.runAllTimersAsync();
  expect(texts).toHaveLength(2);
  // The next offer, asked for twice at once.
  byText.renew();
  byText.renew();
  await vi.runAllTimersAsync();
  expect(owner.onPeerJoined).toHaveBeenCalledTimes(2);
  expect(byText.isAnswered).toBe(false);
  expect(byText.receive(texts[1])).toBe('earlier'); // before the next offer is there
  void ownerEnd.signal({ ...offer, attempt: 'cd'.repeat(8) } as Signal);
  await vi.runAllTimersAsync();
  expect(texts).toHaveLength(3);
  expect(byText.receive(texts[1])).toBe('earlier');
  expect(byText.receive(foreign)).toBe('taken');
  await expect(clientEnd.join('', {} as never)).rejects.toThrow(RefusedError);
  vi.useRealTimers();
});

test('on one page each end is told what the other signals, and that it left', async () => {
  const room = onOnePage();
  const [owner, client] = [listener(), listener()];
  const lonely = room.client(listener() as SignalingListener);
  await expect(lonely.join('', { keyId: 'x', linkTag: null })).rejects.toThrow(RefusedError);
  const ownerEnd = room.owner(owner);
  await ownerEnd.open({} as never);
  const clientEnd = room.client(client);
  await clientEnd.join('', { keyId: 'id', linkTag: null });
  expect(owner.onPeerJoined.mock.calls).toEqual([['id', null]]);
  await ownerEnd.signal(offer);
  await clientEnd.signal(answer);
  expect(client.onSignal.mock.calls).toEqual([[offer]]);
  expect(owner.onSignal.mock.calls).toEqual([[answer]]);
  await clientEnd.close();
  expect(owner.onPeerLeft.mock.calls).toEqual([['closed']]);
  await clientEnd.close();
  expect(owner.onPeerLeft).toHaveBeenCalledOnce();
});
