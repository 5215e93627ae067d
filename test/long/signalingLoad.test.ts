/**
 * Thousands of rooms and hundreds of pairings a second: a pairing is a join, an offer and an answer through the server, from
 * the client's request to the moment when the owner has the answer. Server and visitors are two processes of one machine.
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { io, type Socket } from 'socket.io-client';
import { expect, test } from 'vitest';
import { RoomKey } from '../../client/src/pairing/authenticate.ts';
import type { ServerToTabEvents, Signal, TabToServerEvents } from '../../signaling-server/events.ts';

type Tab = Socket<ServerToTabEvents, TabToServerEvents>;

const rooms = Number(process.env.LOAD_ROOMS ?? 5000);
const perSecond = Number(process.env.LOAD_PER_SECOND ?? 500);
const seconds = Number(process.env.LOAD_SECONDS ?? 10);
const clients = 500;

const hex = (bytes: number) => '0'.repeat(2 * bytes);
const sdp = 'v=0\r\n'.padEnd(500, 'a=x\r\n');
const offer: Signal = { kind: 'offer', attempt: hex(8), sdp, key: hex(32), share: hex(32), signature: hex(64) };
const answer: Signal = { kind: 'answer', attempt: hex(8), sdp, share: hex(32), tag: hex(32) };

test(`${rooms} rooms, and ${perSecond} pairings a second for ${seconds} s`, async () => {
  const server = spawn(process.execPath, ['--import', 'tsx', path.join(import.meta.dirname, 'support/loadServer.ts')]);
  const tabs: Tab[] = [];
  try {
    const port = await new Promise<number>((resolve) => server.stdout.once('data', (data) => resolve(Number(data))));
    const connect = async () => {
      const tab: Tab = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true });
      tabs.push(tab);
      await new Promise<void>((resolve) => tab.once('connect', resolve));
      return tab;
    };
    const connectAll = async (count: number) => {
      const all: Tab[] = [];
      while (all.length < count)
        all.push(...(await Promise.all(Array.from({ length: Math.min(100, count - all.length) }, connect))));
      return all;
    };
    const owners = await connectAll(rooms);
    const answered = new Map<string, () => void>();
    const codes: string[] = [];
    let startedMs = performance.now();
    for (const owner of owners) {
      const key = new RoomKey();
      const reply = await owner.emitWithAck('open', key.proveFor(owner.id!));
      if (!reply.ok) throw new Error(reply.code);
      codes.push(reply.code);
      owner.on('peerJoined', () => owner.emit('signal', offer, () => {}));
      owner.on('signal', () => answered.get(reply.code)!());
    }
    const openS = (performance.now() - startedMs) / 1000;
    const health = await (await fetch(`http://127.0.0.1:${port}/healthz`)).json();
    expect(health).toMatchObject({ rooms, tabs: rooms });

    const idle = await connectAll(clients);
    for (const client of idle) client.on('signal', () => client.emit('signal', answer, () => {}));
    const waitsMs: number[] = [];
    let started = 0;
    let waitedForClient = 0;
    const running: Promise<void>[] = [];
    const pair = async (code: string, client: Tab) => {
      const beganMs = performance.now();
      const done = new Promise<void>((resolve) => answered.set(code, resolve));
      const joined = await client.emitWithAck('join', code, { keyId: hex(8), linkTag: null });
      if (!joined.ok) throw new Error(joined.code);
      await done;
      waitsMs.push(performance.now() - beganMs);
      await client.emitWithAck('leave', 'closed');
      idle.push(client);
    };
    const serverSeconds = async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return Number(/^process_cpu_seconds_total (\S+)/m.exec(metrics)![1]);
    };
    const secondsBefore = await serverSeconds();
    startedMs = performance.now();
    const total = perSecond * seconds;
    while (started < total) {
      const due = Math.min(total, Math.ceil(((performance.now() - startedMs) / 1000) * perSecond));
      for (; started < due; started++) {
        const client = idle.shift();
        if (!client) {
          waitedForClient++;
          break;
        }
        running.push(pair(codes[started % rooms], client));
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await Promise.all(running);
    const rate = total / ((performance.now() - startedMs) / 1000);
    const millisecondsEach = (1000 * ((await serverSeconds()) - secondsBefore)) / total;
    waitsMs.sort((a, b) => a - b);
    const quantile = (q: number) => waitsMs[Math.ceil(q * waitsMs.length) - 1];
    console.log(
      `${rooms} rooms (opened in ${openS.toFixed(1)} s, keys and signatures included); ${rate.toFixed(0)} pairings/s, ` +
        `p50 ${quantile(0.5).toFixed(1)} ms, p99 ${quantile(0.99).toFixed(1)} ms, worst ${quantile(1).toFixed(1)} ms; ` +
        `the server computed ${millisecondsEach.toFixed(2)} ms for each` +
        (waitedForClient > 0 ? `; ${clients} clients were not enough ${waitedForClient} times` : ''),
    );
    expect(waitsMs).toHaveLength(total);
    expect(rate).toBeGreaterThanOrEqual(0.98 * perSecond);
    expect(quantile(0.99)).toBeLessThanOrEqual(100);
  } finally {
    for (const tab of tabs) tab.disconnect();
    server.kill();
  }
});
