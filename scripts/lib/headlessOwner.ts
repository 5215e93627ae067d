/**
 * An owner without a screen: a room for each guest, each with a link and codes of its own, all served at once. The
 * protocol runs in a few threads; this one has the connections. Its log says what happens and when, and has no links, codes,
 * words or addresses in it.
 */
import { availableParallelism } from 'node:os';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { Logger } from 'pino';
import type { Invite } from '../../client/src/pairing/invite.ts';
import type { OwnerPairing } from '../../client/src/pairing/ownerPairing.ts';
import type { PeerLink } from '../../client/src/pairing/peerLink.ts';
import { relay } from '../../protocols/channel/messagePort.ts';
import { type Answer, type ArtifactFiles, dataChannelWire, type MessagePortLike } from '../../protocols/index.ts';
import type { OpenSession, OwnerWorkerData, SessionNews } from './ownerWorker.ts';

export interface HeadlessOwnerOptions {
  /** The model's. */
  readonly files: ArtifactFiles;
  readonly answer: Answer;
  /** Address of the signaling server. */
  readonly server: string;
  /** How many guests at once. */
  readonly rooms: number;
  /** Answers for each room. */
  readonly limit: number;
  /** See SessionOptions. */
  readonly otChecks?: boolean;
  /** Threads for each session's answers of ring-LWE. */
  readonly workers?: number;
  readonly iceServers: () => RTCIceServer[];
  readonly log: Logger;
  /** The protocol's threads. */
  readonly threads?: number;
  /** What a thread runs; other than `ownerWorker.ts` in tests alone. */
  readonly threadModule?: URL;
  /** Threads fail again and again: nobody can be served any more. */
  readonly onBroken?: (error: Error) => void;
  /** Every room has reached its limit. */
  readonly onDone?: () => void;
  /** A typed code of a room, each time that there is another; for who asked to see them. */
  readonly onCode?: (room: number, code: string) => void;
}

/** The last answer is on its way to the client: it comes before the word that the session ends. */
const lingerMs = 500;
/** For what is being classified when the owner stops. */
const graceMs = 10_000;

/** A thread that failed is replaced as often, over all of them. */
const maxReplacements = 3;

interface Thread {
  readonly worker: Worker;
  /** It has the model. */
  readonly ready: Promise<void>;
  sessions: number;
}

interface Room {
  readonly index: number;
  pairing: OwnerPairing;
  /** Answers given over all of its sessions. */
  answers: number;
  session: number | undefined;
}

export class HeadlessOwner {
  readonly #rooms: Room[] = [];
  readonly #threads: Thread[];
  readonly #sessions = new Map<number, { room: Room; thread: Thread; startedMs: number }>();
  #nextSession = 0;
  #failed = 0;
  #pairings = 0;
  #replacements = 0;
  #stopping = false;
  #onIdle = () => {};

  private constructor(private readonly options: HeadlessOwnerOptions) {
    this.#threads = Array.from({ length: options.threads ?? availableParallelism() }, () => this.#startThread());
  }

  #startThread(): Thread {
    const { files, answer, otChecks = false, workers = 0, threadModule, log } = this.options;
    const data: OwnerWorkerData = { files, answer, otChecks, workers };
    const module = threadModule ?? new URL('ownerWorker.ts', import.meta.url);
    const worker = new Worker(new URL('typescriptWorker.mjs', import.meta.url), {
      workerData: { ...data, module: module.href },
      execArgv: [], // see thread.ts
    });
    let failure = new Error('a thread ended early');
    worker.on('error', (error: unknown) => {
      failure = error instanceof Error ? error : new Error(String(error));
    });
    const ready = new Promise<void>((resolve, reject) => {
      worker.on('message', (news: SessionNews | 'ready') => (news === 'ready' ? resolve() : this.#onNews(news)));
      worker.on('exit', () => {
        reject(failure);
        if (this.#stopping) return;
        log.error({ error: failure.message }, 'a thread failed');
        this.#replace(thread, failure);
      });
    });
    ready.catch(() => {}); // `open` hears of it, or who replaces the thread
    const thread: Thread = { worker, ready, sessions: 0 };
    return thread;
  }

  /** Its sessions end; another thread serves from now on, unless threads fail again and again. */
  #replace(thread: Thread, error: Error): void {
    const place = this.#threads.indexOf(thread);
    if (place < 0) return; // while it was being made
    for (const [id, session] of this.#sessions)
      if (session.thread === thread) this.#onNews({ id, news: 'failed', code: 'internal', message: error.message });
    if (this.#replacements++ < maxReplacements) this.#threads[place] = this.#startThread();
    else {
      for (const { pairing } of this.#rooms) pairing.close();
      this.options.log.fatal({ error: error.message }, 'threads fail again and again: nobody is served any more');
      this.options.onBroken?.(error);
    }
  }

  /** Opens all rooms, once every thread has the model. @throws RefusedError; what a thread could not do, such as read the model */
  static async open(options: HeadlessOwnerOptions): Promise<{ owner: HeadlessOwner; invites: Invite[] }> {
    const owner = new HeadlessOwner(options);
    const invites: Invite[] = [];
    try {
      await Promise.all(owner.#threads.map(({ ready }) => ready));
      for (let index = 0; index < options.rooms; index++) invites.push(await owner.#openRoom(index));
    } catch (error) {
      await owner.stop();
      throw error;
    }
    options.log.info({ rooms: options.rooms, limit: owner.#limitText, answer: options.answer }, 'serving');
    return { owner, invites };
  }

  get figures() {
    return {
      rooms: this.#rooms.length,
      clients: this.#sessions.size,
      pairings: this.#pairings,
      answers: this.#rooms.reduce((sum, { answers }) => sum + answers, 0),
      failed: this.#failed,
      rssMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
    };
  }

  /** Answers of each room. */
  get answers(): number[] {
    return this.#rooms.map(({ answers }) => answers);
  }

  /** Lets no new client in, waits a while for what is being classified, and says goodbye. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const { pairing, session } of this.#rooms) if (session === undefined) pairing.close();
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = () => this.#sessions.size === 0 && resolve();
      this.#onIdle();
    });
    const tooLong = new Promise<void>((resolve) => setTimeout(resolve, graceMs).unref());
    await Promise.race([idle, tooLong]);
    for (const { pairing } of this.#rooms) pairing.close();
    await new Promise((resolve) => setTimeout(resolve, lingerMs)); // for the server to hear of it
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
    this.options.log.info(this.figures, 'stopped');
  }

  get #limitText(): number | 'none' {
    return Number.isFinite(this.options.limit) ? this.options.limit : 'none';
  }

  async #openRoom(index: number): Promise<Invite> {
    const { OwnerPairing } = await import('../../client/src/pairing/ownerPairing.ts');
    const { log, server, iceServers, onCode } = this.options;
    const pairing = new OwnerPairing(
      {
        onSignaling: (state) => state === 'offline' && log.warn({ room: index }, 'no connection to the server'),
        onLink: () => {},
        onCode: ({ text, previous }) => {
          if (previous) log.warn({ room: index, previous }, 'wrong codes were typed');
          if (text !== undefined) onCode?.(index, text);
        },
        onSecrets: () => {}, // nothing is kept of a room when this program ends
        onLost: () => log.info({ room: index }, 'the client is gone, and may come back'),
        onRoomLost: () => log.error({ room: index }, 'the server did not give the room back'),
        onCompareWords: () => {},
        onChannel: (link) => this.#serve(room, link),
        onEnded: (end) => log.info({ room: index, end }, 'the connection ended'),
      },
      iceServers,
      server,
    );
    const room: Room = { index, pairing, answers: 0, session: undefined };
    this.#rooms.push(room);
    return pairing.open();
  }

  #serve(room: Room, link: PeerLink): void {
    const thread = this.#threads.reduce((least, each) => (each.sessions < least.sessions ? each : least));
    const id = this.#nextSession++;
    const { port1, port2 } = new MessageChannel();
    relay(port1 as unknown as MessagePortLike, dataChannelWire(link.channel));
    thread.sessions++;
    room.session = id;
    this.#sessions.set(id, { room, thread, startedMs: performance.now() });
    const open: OpenSession = { id, port: port2, limit: this.options.limit, answersBefore: room.answers };
    thread.worker.postMessage(open, [port2]);
  }

  #onNews(news: SessionNews): void {
    const session = this.#sessions.get(news.id);
    if (!session) return;
    const { room, thread, startedMs } = session;
    const { log, limit } = this.options;
    const about = { room: room.index, session: news.id };
    if (news.news === 'open') {
      this.#pairings++;
      log.info(about, 'a client is connected');
    } else if (news.news === 'answer') {
      room.answers = news.answers;
      log.info({ ...about, answers: news.answers, elapsedMs: news.elapsedMs }, 'answered');
    } else {
      this.#sessions.delete(news.id);
      thread.sessions--;
      const elapsedMs = Math.round(performance.now() - startedMs);
      if (news.news === 'closed') log.info({ ...about, elapsedMs }, 'the client has finished');
      else {
        // A client that is gone, or gives up, is no failure of this side.
        const isOurs = !['closed', 'peer-aborted', 'refused', 'cancelled'].includes(news.code);
        if (isOurs) this.#failed++;
        log[isOurs ? 'error' : 'info'](
          { ...about, elapsedMs, code: news.code, error: news.message },
          'the session ended',
        );
      }
      // A newer session may have the room already.
      if (room.session === news.id) {
        room.session = undefined;
        if (this.#stopping || room.answers >= limit) {
          if (!this.#stopping)
            log.info({ room: room.index, answers: room.answers }, 'the limit is reached: the room is closed');
          room.pairing.close({ afterMs: lingerMs });
          if (!this.#stopping && this.#rooms.every(({ answers }) => answers >= limit)) this.options.onDone?.();
        } else room.pairing.dropPeer(lingerMs);
      }
      this.#onIdle();
    }
  }
}
