import { type Answer, defaultLimit } from '../../../protocols/index.ts';
import { maxManifestBytes } from '../../../protocols/inference/manifest.ts';
import { secretId } from '../pairing/authenticate.ts';
import { type AnswerFate, type OwnerByText, ownerByText } from '../pairing/byText.ts';
import { confirmedIce, iceServers, renewed } from '../pairing/iceServers.ts';
import type { Introduce } from '../pairing/introduction.ts';
import { formatInvite, type Invite } from '../pairing/invite.ts';
import type { CodeState } from '../pairing/ownerCode.ts';
import { OwnerPairing } from '../pairing/ownerPairing.ts';
import type { LinkState, PeerLink } from '../pairing/peerLink.ts';
import { RefusedError, type SignalingState } from '../pairing/signaling.ts';
import { ImageWorker } from '../worker/imageWorker.ts';
import { checkOwnerFiles, ProtocolWorker } from '../worker/protocolWorker.ts';
import { BundleError } from './bundle.ts';
import { LinkStatistics } from './linkStatistics.svelte.ts';
import { type ChosenModel, fetchBundledModel, listBundledModels } from './models.ts';
import {
  endNotice,
  failureNotice,
  finishedNotice,
  iceNotice,
  type Notice,
  notice,
  type Reader,
  refusalNotice,
} from './notices.ts';
import { type DrawnSample, drawSamples, type OwnSample, sendSamples } from './ownSamples.ts';
import { type ModelPrice, modelPrice } from './price.ts';
import { forgetOwner, loadOwner, type SavedOwner, saveOwner } from './savedRoom.ts';
import { lingerMs, SessionView } from './sessionView.svelte.ts';
import { signalingServer } from './settings.ts';

const roomGoneNotice = notice('error', ({ ends }) => ends.roomLost);

/** Everything the owner's screen shows, and what its buttons do. */
export class OwnerStore {
  model = $state.raw<ChosenModel>();
  /** Of one answer of it. */
  price = $state.raw<ModelPrice>();
  /** While a model's files are being fetched and checked. */
  loading = $state(false);
  invite = $state<string>();
  signaling = $state<SignalingState>('closed');
  link = $state<LinkState>('closed');
  words = $state.raw<string[]>([]);
  /** The last client went without a goodbye that said why. */
  lost = $state(false);
  /** The typed code that leads to this room. */
  code = $state.raw<CodeState>();
  notice = $state.raw<Notice>();
  /** Present while a client is connected, and kept after it left for its figures. */
  session = $state.raw<SessionView>();
  /** Answers given, as the Worker counts them. */
  served = $state(0);
  /** What a dishonest client could have learned from them, in bits. */
  toldBits = $state(0);
  /** Of the model's weights. */
  weightBits = $state<number>();
  /** Connections over which they were, or could have been, served. */
  sessions = $state(0);
  /** Answers after which the Worker refuses more and the room closes; undefined for no limit. */
  limit = $state<number | undefined>(defaultLimit);
  isAtLimit = $derived(this.limit !== undefined && this.served >= this.limit);
  /** What clients of this model can be told. */
  answers = $state.raw<readonly Answer[]>(['logits', 'label']);
  /** What the next client learns. */
  answer = $state<Answer>('logits');
  /** That came with an own model, */
  samples = $state.raw<readonly DrawnSample[]>([]);
  /** and that guests are shown. */
  sharesSamples = $state(true);
  /** The owner closed the room for now. */
  paused = $state(false);
  readonly statistics = new LinkStatistics();
  /** People carry the client's answer over; `takeAnswer` takes it. */
  isByText = $state(false);
  #byText: OwnerByText | undefined;
  #offer: string | undefined;
  #invite: Invite | undefined;
  #pairing: OwnerPairing | undefined;
  #worker: ProtocolWorker | undefined;
  /** Shows the session of the connection that was made last. */
  #begin: (() => void) | undefined;
  /** For a client that was lost. */
  #isWaiting = false;
  /** The room from before a reload, until it is open again. */
  #saved: SavedOwner | undefined;
  /** The owner left: what is still loading goes no further. */
  #closed = false;
  /** Counts rooms that were opened or closed: an opening that was overtaken goes no further. */
  #attempt = 0;
  /** The server has given the room away. */
  #roomIsGone = false;

  /** @param introduce how clients come here; as settings.json says by default. */
  constructor(private readonly introduce?: Introduce) {}

  /** After a reload of the tab: the same room, link and limit, with the same model if it is a bundled one. */
  async restore(): Promise<void> {
    const saved = loadOwner();
    if (!saved) return forgetOwner();
    this.#saved = saved;
    this.served = saved.served;
    this.toldBits = saved.toldBits;
    this.sessions = saved.sessions;
    this.limit = saved.limit ?? undefined;
    this.answer = saved.answer;
    this.sharesSamples = saved.sharesSamples;
    if (saved.bundled !== undefined) {
      await this.choose(async () => {
        const model = (await listBundledModels()).find(({ name }) => name === saved.bundled);
        return model && fetchBundledModel(model);
      });
    }
    if (!this.model) {
      const isByText = (await signalingServer(location.search).catch(() => undefined)) === null;
      if (this.#closed || this.model || this.loading) return;
      this.notice = notice('info', ({ model: { reloaded } }) => ({
        title: reloaded.title,
        text: isByText ? reloaded.byText : reloaded.text,
      }));
    }
  }

  /** Checks the model, then opens a room for it. */
  async choose(load: () => Promise<ChosenModel | undefined>): Promise<void> {
    if (this.loading) return;
    this.loading = true;
    this.notice = undefined;
    try {
      const model = await load();
      if (this.#closed) return;
      if (!model) {
        this.notice = notice('error', ({ model }) => model.missingFile);
        return;
      }
      const [checked, price] = await Promise.all([
        checkOwnerFiles(model.files),
        // One that is too long is refused; then this is no JSON either.
        model.files.manifest.slice(0, maxManifestBytes).text().then(modelPrice),
      ]);
      const samples = await drawOnce(model.samples);
      if (this.#closed) return;
      if ('failure' in checked)
        this.notice = failureNotice(
          { ...checked.failure, code: checked.failure.code === 'internal' ? 'internal' : 'manifest' },
          this.#reader,
        );
      else {
        [this.model, this.samples, this.price] = [model, samples, price];
        this.answers = checked.answers;
        this.weightBits = checked.weightBits;
        if (!checked.answers.includes(this.answer)) {
          // Chosen for the model from before a reload. Nobody may learn more than the owner has said.
          this.paused = true;
          this.answer = 'logits';
          this.notice = notice('error', ({ model }) => model.cannotHide);
        } else if (this.isAtLimit) this.#closeAtLimit();
        else await this.openRoom();
      }
    } catch (error) {
      this.notice =
        error instanceof BundleError
          ? notice('error', ({ model }) => model.noBundle, error.message)
          : notice('error', ({ model }) => model.notLoaded);
    } finally {
      this.loading = false;
    }
  }

  /** Opens the room that this tab had before it was reloaded, or a new one. */
  async openRoom(): Promise<void> {
    const attempt = ++this.#attempt;
    this.#stopWorker(); // a client may have stayed when the room was lost
    this.#pairing?.close();
    this.#pairing = undefined;
    this.#isWaiting = this.#roomIsGone = false;
    this.notice = this.invite = this.code = undefined;
    this.words = [];
    this.link = 'closed';
    this.signaling = 'connecting';
    let servers: RTCIceServer[];
    let way: Introduce | string | undefined | null;
    try {
      servers = await iceServers();
      way = this.introduce ?? (await signalingServer(location.search));
    } catch (error) {
      if (attempt !== this.#attempt) return;
      this.signaling = 'closed';
      this.notice = iceNotice(error);
      return;
    }
    if (attempt !== this.#attempt || this.#closed) return;
    this.#byText =
      way === null
        ? ownerByText(
            (offer) => isCurrent() && this.#showInvite({ offer }),
            () => secretId(this.#invite!),
          )
        : undefined;
    this.isByText = way === null;
    const isCurrent = () => this.#pairing === pairing;
    const pairing: OwnerPairing = new OwnerPairing(
      {
        // One that was closed lingers for a moment; it has no say any more.
        onSignaling: (state) => isCurrent() && (this.signaling = state),
        // An offer that waits for its answer is no connection that is being made.
        onLink: (state) =>
          isCurrent() && (this.link = state === 'connecting' && this.#byText?.isAnswered === false ? 'closed' : state),
        onCompareWords: (words) => isCurrent() && (this.words = words),
        onCode: (code) => isCurrent() && (this.code = code),
        onSecrets: () => isCurrent() && this.#save(),
        onChannel: (link) => isCurrent() && this.#startSession(link),
        onLost: () => isCurrent() && this.#suspendSession(),
        onRoomLost: () => isCurrent() && this.#onRoomLost(),
        onEnded: (end) => {
          if (!isCurrent()) return;
          this.#endSession(endNotice(end, this.#reader));
          this.lost = end === 'lost' || end === 'peer-left';
        },
      },
      () => renewed(servers),
      this.#byText?.introduce ?? way ?? undefined,
    );
    this.#pairing = pairing;
    try {
      const invite = await pairing.open(this.#saved?.room);
      if (!isCurrent()) return;
      this.#saved = undefined;
      this.#invite = invite;
      if (!this.isByText) this.#showInvite({});
      this.#save();
    } catch (error) {
      if (!isCurrent()) return;
      pairing.close();
      this.notice = refusalNotice(error instanceof RefusedError ? error.code : 'timeout');
    }
  }

  /** Takes a client's answer to the link that is shown; what is none changes nothing. */
  takeAnswer(text: string): AnswerFate {
    const fate = this.#byText?.receive(text) ?? 'unreadable';
    if (fate === 'taken') {
      this.link = 'connecting';
      this.#begin?.();
    }
    return fate;
  }

  setLimit(limit: number | undefined): void {
    this.limit = limit;
    this.#worker?.setLimit(limit);
    this.#save();
  }

  shareSamples(shares: boolean): void {
    this.sharesSamples = shares;
    this.#save();
  }

  setAnswer(answer: Answer): void {
    this.answer = answer;
    this.#save();
  }

  renewCode(): void {
    void this.#pairing?.renewCode();
  }

  /** Ends the session with the client that is connected; the room stays open. */
  disconnect(): void {
    this.#pairing?.disconnectPeer();
    this.#endSession(undefined);
  }

  /** Ends the session and closes the room; a new one has a new link. */
  pause(): void {
    this.#attempt++;
    this.#roomIsGone = false;
    this.#stopWorker();
    this.#pairing?.close();
    this.#pairing = undefined;
    forgetOwner();
    this.#saved = undefined;
    this.invite = this.code = undefined;
    this.words = [];
    this.signaling = this.link = 'closed';
    this.paused = true;
  }

  /** Opens a new room, unless the limit is reached: the owner raises it first. */
  async resume(): Promise<void> {
    if (this.isAtLimit) return;
    this.paused = false;
    await this.openRoom();
  }

  /** The owner leaves. */
  close(): void {
    this.#closed = true;
    forgetOwner();
    this.#stopWorker();
    this.#pairing?.close();
    this.#pairing = undefined;
  }

  /** The page is closed or reloaded: after a reload the room is there again, and the client with it. */
  suspend(): void {
    this.#closed = true;
    this.#save();
    this.#stopWorker();
    this.#pairing?.close({ reason: 'unload' });
  }

  get #reader(): Reader {
    return { role: 'owner', isByText: this.isByText };
  }

  #showInvite({ offer }: { offer?: string }): void {
    if (offer !== undefined) this.#offer = offer;
    if (!this.#invite || (this.isByText && this.#offer === undefined)) return;
    const { code, secret } = this.#invite;
    const invite = { code, secret, ...(this.isByText ? { offer: this.#offer! } : {}) };
    this.invite = formatInvite(location.href, invite, confirmedIce());
  }

  #save(): void {
    const room = this.#pairing?.save() ?? this.#saved?.room;
    if (!room) return;
    const bundled = this.model ? this.model.bundled : this.#saved?.bundled;
    const { served, toldBits, sessions, limit = null, answer, sharesSamples } = this;
    saveOwner({ room, bundled, served, toldBits, sessions, limit, answer, sharesSamples });
  }

  /** The server was away, and has not given the room back. */
  #onRoomLost(): void {
    this.invite = this.code = undefined;
    this.#roomIsGone = true;
    this.notice = roomGoneNotice;
  }

  #closeAtLimit(): void {
    // The scores are on their way to the client: they come before the word that the session ends.
    setTimeout(() => {
      this.pause();
      const { served } = this;
      this.notice = notice('info', ({ ends: { limitReached } }) => ({
        title: limitReached.title,
        text: limitReached.text(served),
      }));
    }, lingerMs);
  }

  #startSession(link: PeerLink): void {
    this.#stopWorker();
    this.#isWaiting = false;
    const session = new SessionView('owner', this.statistics);
    this.#begin = () => {
      this.lost = false;
      this.notice = undefined;
      this.session = session;
      this.statistics.start(link);
    };
    // Until an offer has its answer nobody is there: what is said of the session before stays.
    if (this.#byText?.isAnswered !== false) this.#begin();
    if (this.sharesSamples) void sendSamples(link.samples, this.samples);
    const worker = new ProtocolWorker({
      onEvent: (event) => {
        session.apply(event);
        if (event.type === 'manifest') this.sessions++;
        if (event.type === 'answer') {
          this.served = event.answers;
          this.toldBits += event.bits;
          this.#save();
        }
        if (event.type === 'state' && event.state === 'done' && this.isAtLimit) this.#closeAtLimit();
      },
      onMaskedImage: (bytes) => (session.maskedImage = bytes),
      onPassing: (bytes) => (session.passing = bytes),
      onClosed: () => this.#endSession(finishedNotice(this.#reader)),
      onFailed: (failure) => {
        if (this.#worker !== worker) return;
        // An answer counts from when it leaves: the connection may have broken before it had arrived.
        if (this.isAtLimit) this.#closeAtLimit();
        else if (failure.code === 'closed') this.#pairing?.peerLost();
        else this.#endSession(failureNotice(failure, this.#reader), lingerMs);
      },
    });
    this.#worker = worker;
    worker.openOwner(link.channel, this.model!.files, this.answer, this.limit, this.served);
  }

  /** The client is gone and may come back. */
  #suspendSession(): void {
    this.#stopWorker();
    this.words = [];
    this.#isWaiting = true;
  }

  #endSession(said: Notice | undefined, afterMs = 0): void {
    // What failed first says why; what follows from it (the connection closes) would hide that.
    if (!this.#worker && !this.#isWaiting) return;
    this.#isWaiting = false;
    this.#pairing?.dropPeer(afterMs);
    this.#byText?.renew(); // the link that is shown has served its one connection
    this.#stopWorker(afterMs);
    this.words = [];
    this.notice = this.#roomIsGone ? roomGoneNotice : said; // it has the button that opens another
  }

  #stopWorker(afterMs = 0): void {
    this.statistics.stop();
    this.session?.interrupt();
    const worker = this.#worker;
    this.#worker = undefined;
    if (afterMs > 0) setTimeout(() => worker?.terminate(), afterMs);
    else worker?.terminate();
  }
}

/** What guests will see of them. */
async function drawOnce(samples: readonly OwnSample[]): Promise<DrawnSample[]> {
  if (samples.length === 0) return [];
  const images = new ImageWorker();
  try {
    return await drawSamples(samples, images, { shorterSide: 1, crop: 1 });
  } finally {
    images.terminate();
  }
}
