/** Two tabs that are introduced by two texts: the stores of both sides, with real pairings and connections. */
import '../support/webRtc.ts';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { de } from '../../client/src/language/de.ts';
import { showLanguage } from '../../client/src/language/language.ts';
import { packSignals, unpackSignals } from '../../client/src/pairing/byText.ts';
import { parseInvite } from '../../client/src/pairing/invite.ts';
import type { PairingEnd } from '../../client/src/pairing/ownerPairing.ts';
import { ClientStore } from '../../client/src/session/clientStore.svelte.ts';
import { endNotice, failureNotice, finishedNotice, stoppedNotice } from '../../client/src/session/notices.ts';
import { OwnerStore } from '../../client/src/session/ownerStore.svelte.ts';
import { FakeWorker, fakePage } from '../support/fakePage.ts';

const closers: (() => void)[] = [];
beforeEach(() => fakePage({ 'settings.json': { signaling: null }, 'ice.json': [] }));
afterEach(() => {
  for (const close of closers.splice(0)) close();
  vi.unstubAllGlobals();
});

async function openOwner(): Promise<OwnerStore> {
  const owner = new OwnerStore();
  closers.push(() => owner.close());
  const file = new Blob([]);
  const files = { manifest: file, weightsIndex: file, weights: file };
  owner.model = { title: '', files, bundled: 'tiny', samples: [] };
  await owner.openRoom();
  await waitForInvite(owner);
  return owner;
}

async function waitForInvite(owner: OwnerStore, before?: string): Promise<void> {
  await expect.poll(() => owner.invite !== undefined && owner.invite !== before).toBe(true);
  expect(owner.link).toBe('closed'); // so invite and field are on the screen
}

/** A tab that was opened by the link, or reloaded. */
function openClient(invite: string): ClientStore {
  const client = new ClientStore(parseInvite(invite)!);
  closers.push(() => client.close());
  void client.connect();
  return client;
}

async function answerOf(client: ClientStore): Promise<string> {
  await expect.poll(() => client.answerText).toBeDefined();
  return `https://example.org/app/#answer.${client.answerText}`;
}

async function connect(owner: OwnerStore) {
  const client = openClient(owner.invite!);
  const answer = await answerOf(client);
  expect(owner.takeAnswer(answer)).toBe('taken');
  expect(owner.link).toBe('connecting');
  await expect.poll(() => [owner.link, client.link]).toEqual(['connected', 'connected']);
  expect(client.words).toEqual(owner.words);
  return { client, answer };
}

const ended = (client: ClientStore) => (client.state.name === 'ended' ? client.state.notice : undefined);
const askForLink = 'This link has served its one connection: ask the owner for a new link.';

describe('after an end', () => {
  /** The owner's Worker first, then the client's: in the order in which they were made. */
  const workers = () => FakeWorker.all.filter(({ name }) => name === 'protocol');
  const failed = (code: string) => ({ type: 'failed', failure: { code, message: '', peerCode: 'cancelled' } });
  const ends: [string, (owner: OwnerStore, client: ClientStore) => void][] = [
    ['the client leaves', (_, client) => client.close()],
    ['the owner sends it away', (owner) => owner.disconnect()],
    ['the client has finished', () => workers()[0].say({ type: 'closed' })],
    ['the protocol fails', () => workers()[0].say(failed('peer-aborted'))],
    ['the connection breaks', () => workers().forEach((worker) => worker.say(failed('closed')))],
  ];

  test.each(ends)('%s: the owner shows a new link, and the next client comes by that one', async (name, end) => {
    const owner = await openOwner();
    const first = owner.invite!;
    const { client, answer } = await connect(owner);
    end(owner, client);
    await waitForInvite(owner, first);
    // What happened stays on the screen, unless the owner did it.
    if (name === 'the owner sends it away') expect(owner.notice).toBeUndefined();
    else expect(owner.notice!.text).toContain('Your room is still open, with a new link');

    // What belongs to the link before changes nothing.
    const shown = owner.invite;
    for (const old of [answer, await answerOf(new OldTab(first))]) {
      expect(owner.takeAnswer(old)).toBe('earlier');
      expect([owner.link, owner.invite]).toEqual(['closed', shown]);
    }
    vi.stubGlobal('sessionStorage', undefined); // another tab
    await connect(owner);
    expect(owner.notice).toBeUndefined();
  });

  test.each(ends.slice(1))('%s: the client asks for a new link, and answers to the old one no more', async (_, end) => {
    const owner = await openOwner();
    const first = owner.invite!;
    const { client, answer } = await connect(owner);
    end(owner, client);
    await expect.poll(() => ended(client)).toBeDefined();
    expect(client.state).toMatchObject({ name: 'ended', asked: false });
    expect(ended(client)).toMatchObject({ isFinal: true });
    expect(ended(client)!.text).toContain(askForLink);

    // By hand, and by a reload of the tab.
    await client.connect();
    const reloaded = openClient(first);
    for (const tab of [client, reloaded]) {
      expect(ended(tab)).toMatchObject({ isFinal: true, title: 'This link was used before.', text: askForLink });
    }
    expect(answer.endsWith(client.answerText!)).toBe(true);
    expect(reloaded.answerText).toBeUndefined();
  });
});

/** A tab that has only the old link. */
class OldTab extends ClientStore {
  constructor(invite: string) {
    super(parseInvite(invite)!);
    closers.push(() => this.close());
    const kept = sessionStorage;
    vi.stubGlobal('sessionStorage', undefined);
    void this.connect();
    vi.stubGlobal('sessionStorage', kept);
  }
}

test('a client that reloads before the owner has its answer makes another, which works', async () => {
  const owner = await openOwner();
  const before = openClient(owner.invite!);
  await answerOf(before);
  before.close('unload');
  await connect(owner);
});

test('answers to other owners, and texts that are none, leave link and field as they are', async () => {
  const [owner, other] = [await openOwner(), await openOwner()];
  const shown = owner.invite;
  expect(owner.takeAnswer(await answerOf(openClient(other.invite!)))).toBe('earlier');
  expect(owner.takeAnswer('hello')).toBe('unreadable');
  expect(owner.takeAnswer(owner.invite!.split('.').at(-1)!)).toBe('unreadable'); // its own offer
  expect([owner.link, owner.invite, owner.notice]).toEqual(['closed', shown, undefined]);
  await connect(owner);
});

test('an answer from nobody with the link is refused, and the owner goes on with a new one', async () => {
  const owner = await openOwner();
  const first = owner.invite!;
  const answer = (await answerOf(openClient(first))).split('#answer.')[1];
  const [head, ...candidates] = unpackSignals(answer, 'answer')!;
  const forged = packSignals([{ ...head, tag: '0'.repeat(64) } as typeof head, ...candidates]);
  expect(owner.takeAnswer(forged)).toBe('taken');
  await waitForInvite(owner, first);
  expect(owner.notice?.title).toBe('The connection could not be verified, so it was stopped.');
  await connect(owner);
});

test('the owner’s candidates go to whom has answered, and not into the link', async () => {
  const owner = await openOwner();
  const first = owner.invite;
  await connect(owner);
  await new Promise((resolve) => setTimeout(resolve, 1000)); // a text is made after 0.7 s
  expect(owner.invite).toBe(first);
});

describe.each(['en', 'de'] as const)('what is said of the link after an end (%s)', (language) => {
  const pairingEnds: PairingEnd[] = [
    ...(['authentication', 'unreachable', 'timeout', 'lost', 'peer-left', 'dismissed'] as const),
    ...(['no-such-room', 'room-full', 'server'] as const),
  ];
  const codes = [
    ...['cancelled', 'closed', 'peer-aborted', 'silent', 'refused', 'version', 'plan', 'manifest', 'length'],
    ...['checksum', 'value', 'internal'],
  ];
  const same = language === 'en' ? /same link|link works again|Connect again/i : /selben? Link|Link geht wieder/i;
  beforeEach(async () => {
    vi.stubGlobal('document', { documentElement: {} });
    await showLanguage(language);
  });
  afterEach(async () => {
    vi.stubGlobal('document', { documentElement: {} });
    await showLanguage('en');
  });
  const notices = (reader: Parameters<typeof endNotice>[1]) => [
    ...pairingEnds.map((end) => endNotice(end, reader)),
    ...codes.map((code) => failureNotice({ code, message: '', peerCode: 'cancelled' }, reader)),
    reader.role === 'owner' ? finishedNotice(reader) : stoppedNotice(reader),
  ];

  test.each(['client', 'owner'] as const)('%s: by text, nothing promises that it works again', (role) => {
    for (const { title, text, isFinal } of notices({ role, isByText: true })) {
      expect(`${title} ${text}`).not.toMatch(same);
      expect(isFinal ?? false).toBe(role === 'client');
    }
  });

  test.each(['version', 'plan', 'manifest'] as const)('%s: the same words, whichever side found out', (code) => {
    const reader = { role: 'client', isByText: false } as const;
    const ours = failureNotice({ code, message: '' }, reader);
    const theirs = failureNotice({ code: 'peer-aborted', message: '', peerCode: code }, reader);
    expect([theirs.title, theirs.text]).toEqual([ours.title, ours.text]);
  });

  test('by a server, it does', () => {
    for (const role of ['client', 'owner'] as const) {
      const texts = notices({ role, isByText: false }).map(({ text }) => text);
      expect(texts.filter((text) => same.test(text)).length).toBeGreaterThan(8);
      for (const { owner, client } of [de.notices.again.byText]) {
        for (const text of texts) expect(text).not.toContain(role === 'owner' ? owner : client);
      }
    }
  });
});
