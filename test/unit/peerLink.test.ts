/**
 * Real WebRTC connections between two links, with a server in between that does what it likes. Each attack alters what one
 * side sees, and that side by itself has to notice.
 */
import '../support/webRtc.ts';
import { afterEach, describe, expect, test } from 'vitest';
import { ClientHandshake, OwnerHandshake, type Pairing, RoomKey } from '../../client/src/pairing/authenticate.ts';
import { newSecret } from '../../client/src/pairing/invite.ts';
import { type LinkFailure, type LinkState, PeerLink } from '../../client/src/pairing/peerLink.ts';
import { type LinkSignal, maxCandidates } from '../../signaling-server/events.ts';
import { nowMs } from '../support/turns.ts';

const room = new RoomKey();
const secret = newSecret();
const invite = { code: room.code, secret };

class Side {
  states: LinkState[] = [];
  failures: LinkFailure[] = [];
  pairing: Pairing | undefined;
  /** What this side has sent, in order. */
  sent: LinkSignal[] = [];
  readonly link: PeerLink;

  constructor(handshake: OwnerHandshake | ClientHandshake, deliver: (signal: LinkSignal) => void) {
    this.link = new PeerLink({
      handshake,
      iceServers: [],
      listener: {
        onState: (state) => this.states.push(state),
        onPaired: (pairing) => (this.pairing = pairing),
        onFailed: (failure) => this.failures.push(failure),
        send: (signal) => {
          this.sent.push(signal);
          deliver(signal);
        },
      },
    });
    sides.push(this);
  }
}

const sides: Side[] = [];
afterEach(() => {
  for (const side of sides.splice(0)) side.link.close();
});

/** What the server delivers in place of a signal: nothing, one or several. */
type Server = (signal: LinkSignal) => LinkSignal[];

function connect(server: { toClient?: Server; toOwner?: Server } = {}): { owner: Side; client: Side } {
  const { toClient = (signal) => [signal], toOwner = (signal) => [signal] } = server;
  // Later, as over a network: the links exist by then.
  const owner: Side = new Side(new OwnerHandshake(room, secret), (signal) =>
    setTimeout(() => {
      for (const each of toClient(signal)) client.link.receive(each);
    }),
  );
  const client: Side = new Side(new ClientHandshake(invite), (signal) =>
    setTimeout(() => {
      for (const each of toOwner(signal)) owner.link.receive(each);
    }),
  );
  return { owner, client };
}

const isConnected = ({ states }: Side) => states.includes('connected');
const within = { timeout: 15_000 };

describe('without an attack', () => {
  test('two links connect, and share words, tag and secret', async () => {
    const { owner, client } = connect();
    await expect.poll(() => isConnected(owner) && isConnected(client), within).toBe(true);
    expect(owner.pairing).toEqual(client.pairing);
    expect(owner.link.tag).toBe(client.link.tag);
  });

  test('candidates that come before the answer are kept; the owner’s addresses leave only after it', async () => {
    let sentBefore: LinkSignal[] = [];
    const { owner, client } = connect({
      // The answer comes last: all of the client's candidates are there before it.
      toOwner: (signal) => {
        if (signal.kind !== 'answer') return [signal];
        setTimeout(() => {
          sentBefore = [...owner.sent];
          owner.link.receive(signal);
        }, 300);
        return [];
      },
    });
    await expect.poll(() => isConnected(owner) && isConnected(client), within).toBe(true);
    expect(sentBefore.map(({ kind }) => kind)).toEqual(['offer']);
    expect(JSON.stringify(sentBefore)).not.toContain('candidate');
    expect(owner.sent.length).toBeGreaterThan(1);
    expect(client.sent[0].kind).toBe('answer');
    expect(client.sent.length).toBeGreaterThan(1);
  });
});

describe('who alters one side’s view is found out by that side', () => {
  const moved = (sdp: string) => sdp.replace(/a=fingerprint:.*/, (line) => `${line.slice(0, -2)}00`);

  test('the offer: the client does not answer', async () => {
    const { client } = connect({ toClient: (s) => (s.kind === 'offer' ? [{ ...s, sdp: moved(s.sdp) }] : [s]) });
    await expect.poll(() => client.failures, within).toEqual(['authentication']);
    expect(client.sent).toEqual([]);
    expect(client.pairing).toBeUndefined();
  });

  test('the offer, by another guest who knows the link and plays the owner: the client does not answer', async () => {
    const mallory = new OwnerHandshake(new RoomKey(), secret);
    const { client } = connect({ toClient: (s) => (s.kind === 'offer' ? [mallory.offer(s.sdp)] : [s]) });
    await expect.poll(() => client.failures, within).toEqual(['authentication']);
    expect(client.sent).toEqual([]);
  });

  test('the answer: the owner does not connect', async () => {
    const { owner } = connect({ toOwner: (s) => (s.kind === 'answer' ? [{ ...s, sdp: moved(s.sdp) }] : [s]) });
    await expect.poll(() => owner.failures, within).toEqual(['authentication']);
    expect(owner.pairing).toBeUndefined();
    expect(owner.states).not.toContain('connected');
  });

  test('a second answer, the same again or another guest’s: the first one stays', async () => {
    const guest = new ClientHandshake(invite);
    const { owner, client } = connect({
      toOwner: (signal) => {
        if (signal.kind !== 'answer') return [signal];
        return [signal, signal, guest.answer(signal.sdp).answer];
      },
      toClient: (signal) => {
        if (signal.kind === 'offer') guest.accept(signal);
        return [signal];
      },
    });
    await expect.poll(() => isConnected(owner) && isConnected(client), within).toBe(true);
    expect(owner.failures).toEqual([]);
    expect(owner.link.tag).toBe(client.link.tag);
  });

  test('a second offer, be it signed: the client goes on with the first', async () => {
    const second = new OwnerHandshake(room, secret);
    const { owner, client } = connect({
      toClient: (signal) => (signal.kind === 'offer' ? [signal, signal] : [signal]),
    });
    await expect.poll(() => isConnected(owner) && isConnected(client), within).toBe(true);
    client.link.receive(second.offer('v=0'));
    expect(client.failures).toEqual(['authentication']);
  });
});

test('candidates that are none, early and late, are as if they had not come', async () => {
  const bad = (signal: LinkSignal): LinkSignal[] =>
    signal.kind === 'ice'
      ? [
          { ...signal, sdpMid: null, sdpMLineIndex: null },
          { ...signal, candidate: 'x' },
          { ...signal, sdpMid: 'nowhere' },
          { ...signal, candidate: 'candidate:1 1 UDP 1 999.0.2.1 9 typ host' },
          signal,
        ]
      : [signal];
  const { owner, client } = connect({ toOwner: bad, toClient: bad });
  await expect.poll(() => isConnected(owner) && isConnected(client), within).toBe(true);
  const { attempt } = owner.sent[0];
  for (const { link } of [owner, client])
    for (const late of bad({ kind: 'ice', attempt, candidate: 'candidate:1', sdpMid: '0', sdpMLineIndex: 0 }))
      link.receive(late);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect([...owner.failures, ...client.failures]).toEqual([]);
  expect(await client.link.check()).toBe(true);
});

test('50,000 candidates: few are read, in no time', async () => {
  const { owner, client } = connect({ toOwner: () => [] });
  await expect.poll(() => client.sent.length, within).toBeGreaterThan(0);
  const offer = owner.sent[0];
  let added = 0;
  client.link.connection.addIceCandidate = async () => void added++;
  const startMs = nowMs();
  for (let i = 0; i < 50_000; i++) {
    const candidate = `candidate:${i} 1 UDP 1 127.0.0.1 ${1024 + (i % 60_000)} typ host`;
    client.link.receive({ kind: 'ice', attempt: offer.attempt, candidate, sdpMid: '0', sdpMLineIndex: 0 });
  }
  expect(nowMs() - startMs).toBeLessThan(1000);
  expect(added).toBe(maxCandidates);
});

test('what belongs to another try to connect is not taken', async () => {
  const other = 'f'.repeat(16);
  const { owner, client } = connect({
    toClient: (s) =>
      s.kind === 'ice' ? [{ ...s, attempt: other, candidate: 'candidate:1 1 UDP 1 192.0.2.1 9 typ host' }, s] : [s],
    toOwner: (s) => [{ ...s, attempt: other }, s],
  });
  await expect.poll(() => isConnected(owner) && isConnected(client), within).toBe(true);
  expect([...owner.failures, ...client.failures]).toEqual([]);
});
