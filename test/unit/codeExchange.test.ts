import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  ExchangeError,
  type ExchangeWire,
  exchangeAsClient,
  exchangeAsOwner,
  roleData,
  WrongCodeError,
} from '../../client/src/pairing/codeExchange.ts';
import { CPaceError, CPaceParty } from '../../client/src/pairing/cpace.ts';
import { ClosedError, Inbox } from '../../client/src/pairing/inbox.ts';
import { formatTypedCode, newPassword, parseTypedCode, type TypedCode } from '../../client/src/pairing/typedCode.ts';
import type { CodeSignal } from '../../signaling-server/events.ts';

/** Any element of ristretto255: RFC 9496, appendix A.1. */
const basePoint = 'e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76';
const room = 'AAECAwQFBgcICQoLDA0ODw';
const code: TypedCode = { locator: 'K7Q2', password: 'M9XF' };
const hex = (bytes: number, byte = '00') => byte.repeat(bytes);

/** What the server in between does with a message: passes it on (itself), alters it, or answers in the receiver's place. */
type Server = (signal: CodeSignal, from: 'client' | 'owner') => CodeSignal;

/** Both sides over a server; each side's result or error. */
async function run(options: {
  client?: TypedCode;
  owner?: TypedCode;
  server?: Server;
  triesLeft?: number;
}): Promise<{ client: unknown; owner: unknown; wrong: number; seen: CodeSignal[] }> {
  const { server = (signal) => signal } = options;
  const seen: CodeSignal[] = [];
  const inboxes = { client: new Inbox<CodeSignal>(), owner: new Inbox<CodeSignal>() };
  const wire = (from: 'client' | 'owner'): ExchangeWire => ({
    send: (signal) => {
      seen.push(signal);
      inboxes[from === 'client' ? 'owner' : 'client'].put(server(signal, from));
    },
    receive: () => inboxes[from].next(60_000),
  });
  let wrong = 0;
  const countWrong = () => {
    wrong++;
    return options.triesLeft ?? 2;
  };
  // A side that ends leaves the room, which the server tells the other.
  const leave = (side: 'client' | 'owner') => inboxes[side].close();
  const [client, owner] = await Promise.all([
    exchangeAsClient(wire('client'), options.client ?? code)
      .catch((error: unknown) => error)
      .finally(() => leave('owner')),
    exchangeAsOwner(wire('owner'), options.owner ?? code, room, countWrong)
      .catch((error: unknown) => error)
      .finally(() => leave('client')),
  ]);
  return { client, owner, wrong, seen };
}

describe('from a typed code to an invite', () => {
  test('the same code on both sides gives both the same 256-bit secret, a new one each time', async () => {
    const first = await run({});
    expect(first.client).toEqual({ code: room, secret: first.owner });
    expect(first.owner).toHaveLength(32);
    expect(first.wrong).toBe(0);
    expect((await run({})).owner).not.toEqual(first.owner);
  });

  test('the password is in no message', async () => {
    const { seen } = await run({ client: { ...code, password: 'ABCD' }, owner: { ...code, password: 'ABCD' } });
    expect(seen.map(({ kind }) => kind)).toEqual([
      'code-hello',
      'code-share',
      'code-answer',
      'code-confirm',
      'code-accept',
    ]);
    expect(JSON.stringify(seen)).not.toContain('ABCD');
  });

  test('a wrong password fails at the key confirmation, counts once, and the client is told how many tries are left', async () => {
    const { client, owner, wrong } = await run({ client: { ...code, password: 'M9XG' }, triesLeft: 1 });
    expect(client).toEqual(new WrongCodeError(1));
    expect(owner).toBeInstanceOf(WrongCodeError);
    expect(wrong).toBe(1);
  });

  test('an owner with another password fails at the client’s side too, whatever it claims', async () => {
    // The server answers the client by itself, without the password, and accepts.
    const { client } = await run({
      owner: { ...code, password: '0000' },
      server: (signal, from) =>
        from === 'owner' && signal.kind === 'code-reject' ? { kind: 'code-accept', tag: hex(64) } : signal,
    });
    expect(client).toBeInstanceOf(ExchangeError);
  });

  test('codes of different rooms do not fit, even with one password', async () => {
    expect((await run({ client: { ...code, locator: 'K7Q3' } })).client).toBeInstanceOf(WrongCodeError);
  });

  test.each<[string, Server]>([
    ['the owner’s nonce', (s) => (s.kind === 'code-hello' ? { ...s, nonce: hex(16) } : s)],
    ['the client’s nonce', (s) => (s.kind === 'code-share' ? { ...s, nonce: hex(16) } : s)],
    ['the room', (s) => (s.kind === 'code-answer' ? { ...s, room: 'B'.repeat(22) } : s)],
    ['the client’s tag', (s) => (s.kind === 'code-confirm' ? { ...s, tag: hex(64) } : s)],
    [
      'the client’s share, for another element',
      (s) =>
        s.kind === 'code-share'
          ? { ...s, share: 'e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76' }
          : s,
    ],
  ])('a server that alters %s is found out before anybody has a secret', async (_, server) => {
    const { client, owner } = await run({ server });
    expect(client).toBeInstanceOf(Error);
    expect(owner).toBeInstanceOf(WrongCodeError);
  });

  test('a server that alters the owner’s tag is found out by the client', async () => {
    const { client } = await run({ server: (s) => (s.kind === 'code-accept' ? { ...s, tag: hex(64) } : s) });
    expect(client).toBeInstanceOf(ExchangeError);
  });

  /** Without an owner, and without the password: what comes back is what the client itself has sent. */
  test('a server that reflects the client’s share and tag is found out at the share', async () => {
    const inbox = new Inbox<CodeSignal>();
    const sent: CodeSignal[] = [];
    inbox.put({ kind: 'code-hello', nonce: hex(16) });
    const client = exchangeAsClient(
      {
        send: (signal) => {
          sent.push(signal);
          if (signal.kind === 'code-share') inbox.put({ kind: 'code-answer', share: signal.share, room });
          if (signal.kind === 'code-confirm') inbox.put({ kind: 'code-accept', tag: signal.tag });
        },
        receive: () => inbox.next(60_000),
      },
      code,
    );
    await expect(client).rejects.toThrow(ExchangeError);
    expect(sent.map(({ kind }) => kind)).toEqual(['code-share']);
  });

  test('an owner’s share that comes back is found out by the owner, and counts for nothing', async () => {
    // As if the other side knew the owner's randomness: then its share is known ahead, because the nonces are public.
    const random = (length: number) => new Uint8Array(length).fill(9);
    const run = (share: string, onAnswer: (share: string) => void) => {
      const inbox = new Inbox<CodeSignal>();
      inbox.put({ kind: 'code-share', nonce: hex(16), share });
      const send = (signal: CodeSignal) => signal.kind === 'code-answer' && onAnswer(signal.share);
      const countWrong = () => {
        throw new Error('counted');
      };
      return exchangeAsOwner({ send, receive: () => inbox.next(20) }, code, room, countWrong, random);
    };
    let own = '';
    await expect(run(basePoint, (share) => (own = share))).rejects.toThrow(ClosedError);
    expect(own).toHaveLength(64);
    await expect(run(own, () => {})).rejects.toThrow(ExchangeError);
  });

  test('a tag is of one role: the sides’ tags differ even where both have sent the same', () => {
    const inputs = { password: new Uint8Array(4), channel: new Uint8Array(), session: new Uint8Array(32) };
    const a = new CPaceParty('initiator', inputs, roleData.client, new Uint8Array(32).fill(3));
    const b = new CPaceParty('responder', inputs, roleData.owner, new Uint8Array(32).fill(4));
    expect(roleData.client).not.toEqual(roleData.owner);
    const { tag, otherTag } = a.finish(b.message);
    expect(tag).not.toEqual(otherTag);
    expect(b.finish(a.message)).toMatchObject({ tag: otherTag, otherTag: tag });
    expect(() => a.finish(a.message)).toThrow(CPaceError);
  });

  test.each<[string, unknown]>([
    ['nothing', null],
    ['no object', 'code-hello'],
    ['a number for a nonce', { kind: 'code-hello', nonce: 7 }],
    ['a long nonce', { kind: 'code-hello', nonce: hex(17) }],
    ['a nonce in capitals', { kind: 'code-hello', nonce: 'AB'.repeat(16) }],
    ['another field', { kind: 'code-hello', nonce: hex(16), room }],
    ['a room with a long code', { kind: 'code-answer', share: basePoint, room: 'A'.repeat(10_000) }],
    ['tries without an end', { kind: 'code-reject', triesLeft: Number.POSITIVE_INFINITY }],
    ['a tag of null', { kind: 'code-accept', tag: null }],
  ])('%s is refused by either side, at each step', async (_, message) => {
    for (const step of ['code-hello', 'code-answer', 'code-accept', 'code-share', 'code-confirm']) {
      const { client, owner } = await run({ server: (s) => (s.kind === step ? (message as CodeSignal) : s) });
      const side = ['code-share', 'code-confirm'].includes(step) ? owner : client;
      expect(side, step).toBeInstanceOf(ExchangeError);
    }
  });

  test('messages in another order, the identity and non-canonical elements end the exchange', async () => {
    const swapped = await run({ server: (s) => (s.kind === 'code-hello' ? { kind: 'code-accept', tag: hex(64) } : s) });
    expect(swapped.client).toBeInstanceOf(ExchangeError);
    expect(swapped.owner).toBeInstanceOf(ClosedError);
    for (const share of [hex(32), hex(32, 'ff')]) {
      const { client, owner, wrong } = await run({ server: (s) => (s.kind === 'code-share' ? { ...s, share } : s) });
      expect(owner).toBeInstanceOf(ExchangeError);
      expect(client).toBeInstanceOf(ClosedError);
      expect(wrong).toBe(0);
    }
  });

  test('a client that breaks off before its tag counts for nothing', async () => {
    const inbox = new Inbox<CodeSignal>();
    const result = exchangeAsOwner({ send: () => {}, receive: () => inbox.next(60_000) }, code, room, () => {
      throw new Error('counted');
    });
    inbox.close();
    await expect(result).rejects.toThrow(ClosedError);
  });
});

describe('codes as people type them', () => {
  test.each(['K7Q2-M9XF', 'k7q2m9xf', ' k7q2 m9xf ', 'K7Q2–M9XF'])('"%s" is read', (text) => {
    expect(parseTypedCode(text)).toEqual(code);
  });

  test('letters that look like digits are those digits', () => {
    expect(parseTypedCode('oOlL-iI01')).toEqual({ locator: '0011', password: '1101' });
  });

  test.each(['', 'K7Q2', 'K7Q2-M9XFA', 'K7Q2-M9XU', 'K7Q2-M9X!', 'http://localhost:3000/'])(
    '"%s" is no code',
    (text) => {
      expect(parseTypedCode(text)).toBeUndefined();
    },
  );

  test('every password can be typed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (random) => {
        const password = newPassword(random);
        expect(parseTypedCode(formatTypedCode({ locator: 'K7Q2', password }).toLowerCase())?.password).toBe(password);
      }),
    );
    expect(new Set(Array.from({ length: 32 }, (_, i) => newPassword(new Uint8Array(4).fill(i)))).size).toBe(32);
  });
});

describe('an inbox', () => {
  test('keeps what comes at once, for whoever asks next, and no more than eight', async () => {
    const inbox = new Inbox<number>();
    const first = inbox.next(60_000);
    for (let value = 0; value < 2 + 2 * Inbox.maxWaiting; value++) inbox.put(value);
    expect(await first).toBe(0);
    for (let value = 1; value <= Inbox.maxWaiting; value++) expect(await inbox.next(60_000)).toBe(value);
    await expect(inbox.next(1)).rejects.toThrow(ClosedError);
    inbox.put(99);
    inbox.close();
    expect(await inbox.next(60_000)).toBe(99);
    await expect(inbox.next(60_000)).rejects.toThrow(ClosedError);
  });

  describe('leaves no timer behind', () => {
    afterEach(() => void vi.useRealTimers());
    test.each<[string, (inbox: Inbox<number>) => void, unknown]>([
      ['when a value comes', (inbox) => inbox.put(7), 7],
      ['when it is closed', (inbox) => inbox.close(), expect.any(ClosedError)],
      ['when nothing comes in time', () => vi.advanceTimersByTime(60_000), expect.any(ClosedError)],
    ])('%s', async (_, then, outcome) => {
      vi.useFakeTimers();
      const inbox = new Inbox<number>();
      const next = inbox.next(60_000).catch((error: unknown) => error);
      expect(vi.getTimerCount()).toBe(1);
      then(inbox);
      expect(await next).toEqual(outcome);
      expect(vi.getTimerCount()).toBe(0);
    });
  });
});
