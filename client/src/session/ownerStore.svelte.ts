import type { Answer } from '../../../protocols/index.ts';
import { iceServers } from '../pairing/iceServers.ts';
import { formatInvite } from '../pairing/invite.ts';
import { OwnerPairing } from '../pairing/ownerPairing.ts';
import type { LinkState, PeerLink } from '../pairing/peerLink.ts';
import { RefusedError, type SignalingState } from '../pairing/signaling.ts';
import { checkOwnerFiles, ProtocolWorker } from '../worker/protocolWorker.ts';
import { LinkStatistics } from './linkStatistics.svelte.ts';
import type { ChosenModel } from './models.ts';
import { endNotice, failureNotice, type Notice, refusalNotice } from './notices.ts';
import { lingerMs, SessionView } from './sessionView.svelte.ts';

/** Everything the owner's screen shows, and what its buttons do. */
export class OwnerStore {
  model = $state.raw<ChosenModel>();
  /** While a model's files are being fetched and checked. */
  loading = $state(false);
  invite = $state<string>();
  signaling = $state<SignalingState>('closed');
  link = $state<LinkState>('closed');
  words = $state.raw<string[]>([]);
  notice = $state.raw<Notice>();
  /** Present while a client is connected, and kept after it left for its figures. */
  session = $state.raw<SessionView>();
  served = $state(0);
  /** Classifications after which the room closes; undefined for no limit. */
  limit = $state<number>();
  /** What the next client learns. */
  answer = $state<Answer>('logits');
  /** The owner closed the room for now. */
  paused = $state(false);
  readonly statistics = new LinkStatistics();
  #pairing: OwnerPairing | undefined;
  #worker: ProtocolWorker | undefined;

  /** Checks the model, then opens a room for it. */
  async choose(load: () => Promise<ChosenModel | undefined>): Promise<void> {
    if (this.loading) return;
    this.loading = true;
    this.notice = undefined;
    try {
      const model = await load();
      if (!model) {
        this.notice = {
          tone: 'error',
          title: 'A file is missing.',
          text: 'A model has three: manifest.json, weights.json and weights.bin. Choose all of them together.',
        };
        return;
      }
      const failure = await checkOwnerFiles(model.files);
      if (failure)
        this.notice = failureNotice(
          { ...failure, code: failure.code === 'internal' ? 'internal' : 'manifest' },
          'owner',
        );
      else {
        this.model = model;
        await this.openRoom();
      }
    } catch {
      this.notice = {
        tone: 'error',
        title: 'The model could not be loaded.',
        text: 'Check the connection to the server, then try again.',
      };
    } finally {
      this.loading = false;
    }
  }

  async openRoom(): Promise<void> {
    this.#pairing?.close();
    this.notice = undefined;
    this.invite = undefined;
    const pairing = new OwnerPairing(
      {
        onSignaling: (state) => (this.signaling = state),
        onLink: (state) => (this.link = state),
        onShortCode: (words) => (this.words = words),
        onChannel: (link) => this.#startSession(link),
        onEnded: (end) => this.#endSession(endNotice(end, 'owner')),
      },
      await iceServers(location.search),
    );
    this.#pairing = pairing;
    this.signaling = 'connecting';
    try {
      await pairing.open();
      this.invite = formatInvite(location.href, { code: pairing.code!, secret: pairing.secret });
    } catch (error) {
      pairing.close();
      this.notice = refusalNotice(error instanceof RefusedError ? error.code : 'timeout');
    }
  }

  /** Ends the session with the client that is connected; the room stays open. */
  disconnect(): void {
    this.#endSession(undefined);
  }

  /** Ends the session and closes the room; a new one has a new link. */
  pause(): void {
    this.#worker?.cancel();
    this.#stopWorker(lingerMs);
    this.#pairing?.close(lingerMs);
    this.#pairing = undefined;
    this.invite = undefined;
    this.words = [];
    this.link = 'closed';
    this.paused = true;
  }

  async resume(): Promise<void> {
    this.paused = false;
    if (this.limit !== undefined && this.served >= this.limit) this.limit = undefined;
    await this.openRoom();
  }

  close(): void {
    this.#stopWorker();
    this.#pairing?.close();
  }

  #closeAtLimit(): void {
    // The scores are on their way to the client: they come before the word that the session ends.
    setTimeout(() => {
      this.pause();
      this.notice = {
        tone: 'info',
        title: 'Your limit is reached.',
        text: `The model has answered ${this.served} times, and the room is closed.`,
      };
    }, lingerMs);
  }

  #startSession(link: PeerLink): void {
    this.#stopWorker();
    this.notice = undefined;
    const session = new SessionView();
    this.session = session;
    this.statistics.start(link.connection);
    let counted = false;
    this.#worker = new ProtocolWorker({
      onEvent: (event) => {
        session.apply(event);
        if (event.type !== 'state') return;
        if (event.state === 'classifying') counted = false;
        if (event.state === 'done' && !counted) {
          counted = true;
          this.served++;
          if (this.limit !== undefined && this.served >= this.limit) this.#closeAtLimit();
        }
      },
      onMaskedImage: (bytes) => (session.maskedImage = bytes),
      onClosed: () =>
        this.#endSession({
          tone: 'info',
          title: 'The client has finished.',
          text: 'Your room is still open: the same link works again.',
        }),
      onFailed: (failure) => this.#endSession(failureNotice(failure, 'owner'), lingerMs),
    });
    this.#worker.openOwner(link.channel, this.model!.files, this.answer);
  }

  #endSession(notice: Notice | undefined, afterMs = 0): void {
    // What failed first says why; what follows from it (the connection closes) would hide that.
    if (!this.#worker) return;
    this.#pairing?.dropPeer(afterMs);
    this.#stopWorker(afterMs);
    this.words = [];
    this.notice = notice;
  }

  #stopWorker(afterMs = 0): void {
    this.statistics.stop();
    const worker = this.#worker;
    this.#worker = undefined;
    if (afterMs > 0) setTimeout(() => worker?.terminate(), afterMs);
    else worker?.terminate();
  }
}
