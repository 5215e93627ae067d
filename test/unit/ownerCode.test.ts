/** An owner's codes against a server that does what it likes; the guesses that it gets are what counts. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { secretId } from '../../client/src/pairing/authenticate.ts';
import { exchangeAsClient, type WrongCodeError } from '../../client/src/pairing/codeExchange.ts';
import { Inbox } from '../../client/src/pairing/inbox.ts';
import { type CodeState, maxWrong, OwnerCode, triesPerCode } from '../../client/src/pairing/ownerCode.ts';
import { RoomSecrets } from '../../client/src/pairing/roomSecrets.ts';
import type { Signaling } from '../../client/src/pairing/signaling.ts';
import { parseTypedCode, type TypedCode } from '../../client/src/pairing/typedCode.ts';
import { loadOwner, saveOwner } from '../../client/src/session/savedRoom.ts';
import type { CodeSignal } from '../../signaling-server/events.ts';

const room = 'AAECAwQFBgcICQoLDA0ODw';
const lifetimeMs = 600_000;
/** Any element of ristretto255: RFC 9496, appendix A.1. */
const basePoint = 'e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76';

class Server {
  states: CodeState[] = [];
  secrets: Uint8Array[] = [];
  dismissed = 0;
  withdrawn = 0;
  wrong = 0;
  refuses = false;
  #granted = 0;
  #toClient = new Inbox<CodeSignal>();
  readonly owner = new OwnerCode(
    {
      grantLocator: async () => {
        if (this.refuses) throw new Error('busy');
        return { locator: `000${this.#granted++ % 10}`, lifetimeMs };
      },
      withdrawLocator: async () => void this.withdrawn++,
      signal: async (signal: CodeSignal) => this.#toClient.put(signal),
      dismiss: async () => void this.dismissed++,
    } as unknown as Signaling,
    {
      onChange: (state) => void this.states.push(state),
      onWrong: () => void this.wrong++,
      onSecret: (secret) => void this.secrets.push(secret),
    },
  );

  get code(): TypedCode {
    return parseTypedCode(this.states.at(-1)!.text!)!;
  }

  get wrongCode(): TypedCode {
    const { locator, password } = this.code;
    return { locator, password: password === '0000' ? '0001' : '0000' };
  }

  /** A whole exchange of somebody with this code. */
  async try(code: TypedCode): Promise<unknown> {
    const inbox = (this.#toClient = new Inbox());
    const admitted = this.owner.admit(room);
    const result = await exchangeAsClient(
      { send: (signal) => this.owner.receive(signal), receive: () => inbox.next(60_000) },
      code,
    ).catch((error: unknown) => error);
    this.owner.abort();
    await admitted;
    return result;
  }

  /** The client's first two messages, and no more. */
  async breakOff(): Promise<void> {
    const admitted = this.owner.admit(room);
    this.owner.receive({ kind: 'code-share', nonce: '00'.repeat(16), share: basePoint });
    await new Promise((resolve) => setTimeout(resolve)); // the owner answers
    this.owner.abort();
    await admitted;
  }
}

let server: Server;
beforeEach(async () => {
  server = new Server();
  await server.owner.renew();
});
afterEach(() => {
  server.owner.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('a right code gives one secret, and is replaced', async () => {
  const { code } = server;
  expect(await server.try(code)).toEqual({ code: room, secret: server.secrets[0] });
  expect(server.code).not.toEqual(code);
  expect(await server.try(code)).toBeInstanceOf(Error);
  expect(server.secrets).toHaveLength(1);
});

test('three wrong tries, and the code is void; the next one says why', async () => {
  const { code, wrongCode } = server;
  for (const left of [2, 1, 0]) {
    expect(((await server.try(wrongCode)) as WrongCodeError).triesLeft).toBe(left);
  }
  expect(server.states.at(-1)).toMatchObject({ previous: 'used-up', triesLeft: triesPerCode });
  expect(await server.try(code)).toBeInstanceOf(Error);
  expect(server.secrets).toEqual([]);
});

test('nine in a row, and there is none until the owner asks for one', async () => {
  for (let i = 0; i < 9; i++) await server.try(server.wrongCode);
  expect(server.states.at(-1)).toMatchObject({ text: undefined, previous: 'stopped' });
  expect(server.withdrawn).toBe(1);
  const { dismissed } = server;
  await server.owner.admit(room); // the server lets somebody in all the same
  expect(server.dismissed).toBe(dismissed + 1);
  await server.owner.renew(); // as it would after the connection was lost
  expect(server.states.at(-1)).toMatchObject({ text: undefined, previous: 'stopped' });
  await server.owner.renewByHand();
  expect(await server.try(server.code)).toMatchObject({ code: room });
});

test('a server that ends codes early gets no more guesses in all', async () => {
  let guesses = 0;
  for (let i = 0; i < 20 && server.states.at(-1)!.text; i++, guesses++) {
    await server.try(server.wrongCode);
    await server.owner.renew();
  }
  expect(guesses).toBe(maxWrong);
});

test('right codes in between give whoever guesses no more tries', async () => {
  let guesses = 0;
  for (; guesses < 30 && server.states.at(-1)!.text; guesses++) {
    await server.try(server.wrongCode);
    if (server.states.at(-1)!.text) await server.try(server.code);
  }
  expect(guesses).toBe(maxWrong);
  expect(server.wrong).toBe(maxWrong);
  expect(server.secrets.length).toBeGreaterThan(0);
});

test('a reload of the owner’s tab gives no more tries either', async () => {
  const { wrongTries } = server.owner;
  expect(wrongTries).toBe(0);
  for (let i = 0; i < 4; i++) await server.try(server.wrongCode);
  expect(server.owner.wrongTries).toBe(4);
  const next = new Server();
  next.owner.wrongTries = server.owner.wrongTries;
  await next.owner.renew();
  let guesses = 0;
  for (; guesses < 30 && next.states.at(-1)!.text; guesses++) await next.try(next.wrongCode);
  expect(guesses).toBe(maxWrong - 4);
  next.owner.close();
});

test('runs that are broken off count for nothing, and run one after the other', async () => {
  for (let i = 0; i < 20; i++) await server.breakOff();
  expect(server.states.at(-1)!.triesLeft).toBe(triesPerCode);
  // A second client while the first is at it: the first one's run is over.
  const first = server.owner.admit(room);
  const result = await server.try(server.code);
  await first;
  expect(result).toMatchObject({ code: room });
});

test('a code is replaced when it expires; without a server there is none', async () => {
  vi.useFakeTimers();
  await server.owner.renew();
  const { code } = server;
  await vi.advanceTimersByTimeAsync(lifetimeMs);
  expect(server.code).not.toEqual(code);
  server.refuses = true;
  await vi.advanceTimersByTimeAsync(lifetimeMs);
  expect(server.states.at(-1)).toMatchObject({ text: undefined, previous: undefined });
});

test('a code that came in place of another lives its own ten minutes', async () => {
  vi.useFakeTimers();
  await server.owner.renew();
  await vi.advanceTimersByTimeAsync(lifetimeMs / 2);
  await server.owner.renew();
  const { code } = server;
  await vi.advanceTimersByTimeAsync(lifetimeMs / 2);
  expect(server.code).toEqual(code);
  expect(vi.getTimerCount()).toBe(1);
});

test('a room knows its clients by the secrets they have', () => {
  const secret = (i: number) => Uint8Array.from({ length: 32 }, (_, k) => (k === 0 ? i >> 8 : i));
  const secrets = new RoomSecrets(new Uint8Array(32).fill(7), secret(0));
  const id = (i: number) => secretId({ code: secrets.code, secret: secret(i) });
  for (let i = 1; i <= 256; i++) secrets.add(secret(i));
  expect(secrets.find(id(0))).toEqual(secret(0));
  expect(secrets.find(id(1))).toEqual(secret(1)); // it was here last
  secrets.add(secret(257));
  expect(secrets.find(id(2))).toBeUndefined(); // 256 at most
  expect(secrets.find(id(1))).toEqual(secret(1));
  const { key, secret: link, guests } = secrets.save();
  const again = new RoomSecrets(key, link, guests);
  expect(again.code).toBe(secrets.code);
  expect(again.find(id(5))).toEqual(secret(5));
});

test('an owner’s room survives in the tab’s storage, and what is no room there does not', () => {
  const storage = new Map<string, string>();
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => storage.get(key) ?? null,
    setItem: (key: string, value: string) => storage.set(key, value),
  });
  expect(loadOwner()).toBeUndefined();
  const saved = {
    room: {
      key: new Uint8Array(32).fill(2),
      secret: new Uint8Array(32).fill(3),
      guests: [new Uint8Array(32).fill(4)],
      wrongTries: 5,
    },
    bundled: 'cifar10',
    served: 2,
    toldBits: 260,
    sharesSamples: false,
    sessions: 3,
    limit: 5,
    answer: 'label' as const,
  };
  for (const limit of [5, null]) {
    saveOwner({ ...saved, limit });
    expect(loadOwner()).toEqual({ ...saved, limit });
  }
  // Who says nothing of a limit has the default.
  storage.set('blindsight room', JSON.stringify({ ...JSON.parse([...storage.values()][0]), limit: undefined }));
  expect(loadOwner()?.limit).toBe(100);
  const [key, text] = [...storage][0];
  for (const broken of ['', 'null', '{}', text.replace(/"secret":"[^"]{5}/, '"secret":"'), text.slice(0, -3)]) {
    storage.set(key, broken);
    expect(loadOwner()).toBeUndefined();
  }
});
