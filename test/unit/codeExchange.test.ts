import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ExchangeError,
  type ExchangeWire,
  exchangeAsClient,
  exchangeAsOwner,
  WrongCodeError,
} from '../../client/src/pairing/codeExchange.ts';
import { ClosedError, Inbox } from '../../client/src/pairing/inbox.ts';
import { formatShortCode, newPassword, parseShortCode, type ShortCode } from '../../client/src/pairing/shortCode.ts';
import type { CodeSignal } from '../../signaling-server/events.ts';

const room = 'AAECAwQFBgcICQoLDA0ODw';
const code: ShortCode = { locator: 'K7Q2', password: 'M9XF' };
const hex = (bytes: number, byte = '00') => byte.repeat(bytes);

/** What the server in between does with a message: passes it on (itself), alters it, or answers in the receiver's place. */
type Server = (signal: CodeSignal, from: 'client' | 'owner') => CodeSignal;

/** Both sides over a server; each side's result or error. */
async function run(options: {
  client?: ShortCode;
  owner?: ShortCode;
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
    receive: () => inboxes[from].next(500),
  });
  let wrong = 0;
  const countWrong = () => {
    wrong++;
    return options.triesLeft ?? 2;
  };
  // A side that ends leaves the room, which the server tells the other.
  const leave = (side: 'client' | 'owner') => setTimeout(() => inboxes[side].close(), 20);
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

describe('from a short code to an invite', () => {
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

  test('a server that reflects the client’s own messages is found out', async () => {
    let share = '';
    const { client } = await run({
      server: (signal, from) => {
        if (signal.kind === 'code-share') share = signal.share;
        if (from === 'owner' && signal.kind === 'code-answer') return { ...signal, share };
        if (from === 'owner' && signal.kind === 'code-reject') return { kind: 'code-accept', tag: hex(64) };
        return signal;
      },
    });
    expect(client).toBeInstanceOf(ExchangeError);
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
    const result = exchangeAsOwner({ send: () => {}, receive: () => inbox.next(500) }, code, room, () => {
      throw new Error('counted');
    });
    inbox.close();
    await expect(result).rejects.toThrow(ClosedError);
  });
});

describe('codes as people type them', () => {
  test.each(['K7Q2-M9XF', 'k7q2m9xf', ' k7q2 m9xf ', 'K7Q2–M9XF'])('"%s" is read', (text) => {
    expect(parseShortCode(text)).toEqual(code);
  });

  test('letters that look like digits are those digits', () => {
    expect(parseShortCode('oOlL-iI01')).toEqual({ locator: '0011', password: '1101' });
  });

  test.each(['', 'K7Q2', 'K7Q2-M9XFA', 'K7Q2-M9XU', 'K7Q2-M9X!', 'http://localhost:3000/'])(
    '"%s" is no code',
    (text) => {
      expect(parseShortCode(text)).toBeUndefined();
    },
  );

  test('every password can be typed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (random) => {
        const password = newPassword(random);
        expect(parseShortCode(formatShortCode({ locator: 'K7Q2', password }).toLowerCase())?.password).toBe(password);
      }),
    );
    expect(new Set(Array.from({ length: 32 }, (_, i) => newPassword(new Uint8Array(4).fill(i)))).size).toBe(32);
  });
});
