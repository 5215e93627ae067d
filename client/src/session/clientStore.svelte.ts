import type { Classification } from '../../../protocols/index.ts';
import type { Manifest } from '../../../protocols/inference/manifest.ts';
import type { Confidence } from '../client/confidenceLevels.ts';
import { t } from '../language/language.ts';
import { clientByText, markUsed, wasUsed } from '../pairing/byText.ts';
import { ClientPairing } from '../pairing/clientPairing.ts';
import { iceServers, renewed } from '../pairing/iceServers.ts';
import type { Introduce } from '../pairing/introduction.ts';
import type { Invite } from '../pairing/invite.ts';
import type { LinkState, PeerLink } from '../pairing/peerLink.ts';
import { RefusedError, type SignalingState } from '../pairing/signaling.ts';
import { thumbnail } from '../ui/thumbnail.ts';
import { ImageWorker } from '../worker/imageWorker.ts';
import type { PreparedImage } from '../worker/messages.ts';
import { ProtocolWorker } from '../worker/protocolWorker.ts';
import { LinkStatistics } from './linkStatistics.svelte.ts';
import { fetchConfidence, listSamples, type Sample } from './models.ts';
import {
  BusyError,
  EndedError,
  endNotice,
  failureNotice,
  final,
  iceNotice,
  imageNotice,
  linkUsedNotice,
  type Notice,
  type Reader,
  refusalNotice,
  SampleError,
  stoppedNotice,
} from './notices.ts';
import { drawSamples, type OwnSample, receiveSamples } from './ownSamples.ts';
import { PictureQueue } from './pictureQueue.svelte.ts';
import { lingerMs, type MeterRow, SessionView, type Totals } from './sessionView.svelte.ts';
import { signalingServer } from './settings.ts';

export interface ChosenImage extends PreparedImage {
  /** Of its file, or what a sample is labelled. */
  name?: string;
  /** What a sample is labelled; unknown for the user's own images. */
  truth: string | undefined;
}

/** A classification that is finished, with the image it belongs to and what it cost. */
export interface Result {
  classification: Classification;
  image: ChosenImage;
  date: Date;
  /** As it crossed the wire. */
  maskedImage: Uint8Array | undefined;
  offline: Totals;
  online: Totals;
  /** The meters at the end, step by step. */
  layers: (Totals & Pick<MeterRow, 'name' | 'protocol' | 'phase'>)[];
}

/**
 * What the client's tab is doing; the screen and its title are read off it. `asked`: to classify the picture as soon as
 * everything for it is there.
 */
export type ClientState =
  /** To the owner, or back to it by hand. Until its model is known. */
  | { readonly name: 'connecting'; readonly asked: boolean }
  /** Correlations for one image are being made. */
  | { readonly name: 'preparing'; readonly asked: boolean }
  /** They are there. If asked, a picture is still being decoded. */
  | { readonly name: 'ready'; readonly asked: boolean }
  | { readonly name: 'classifying' }
  /** The connection was lost, and another is being made, on the `attempt`th try. */
  | { readonly name: 'reconnecting'; readonly asked: boolean; readonly retry?: { attempt: number; of: number } }
  /** `isLost`: the owner was there, and is given up. What was asked for is done after connecting again. */
  | { readonly name: 'ended'; readonly asked: boolean; readonly notice: Notice; readonly isLost: boolean };

/** What was pasted or photographed has none. */
const nameOf = (file: Blob): string | undefined => (file instanceof File ? file.name : undefined);

/** Everything the client's screen shows, and what its buttons do. */
export class ClientStore {
  state = $state.raw<ClientState>({ name: 'connecting', asked: false });
  signaling = $state<SignalingState>('closed');
  link = $state<LinkState>('closed');
  words = $state.raw<string[]>([]);
  imageNotice = $state.raw<Notice>();
  session = $state.raw<SessionView>();
  image = $state.raw<ChosenImage>();
  /** While a file is being decoded, whatever the session does. */
  decoding = $state(false);
  /** The owner's where it sent some, else the bundled model's that the owner's is called like. */
  samples = $derived.by(() => (this.#owners.length > 0 ? this.#owners : this.#bundled));
  /** Its plaintext is here. */
  isBundled = $derived.by(() => this.#bundled.length > 0);
  #owners = $state.raw<Sample[]>([]);
  #bundled = $state.raw<Sample[]>([]);
  /** That came over this connection. */
  #received: readonly OwnSample[] = [];
  /** The text that the owner needs, where no server carries it over. */
  answerText = $state<string>();
  /** What was measured of this model's answers. */
  confidence = $state.raw<Confidence>();
  /** The last answer, until the next classification begins. */
  result = $state.raw<Result>();
  /** The picture is being classified, or is going to be, by this connection or one that is being made. */
  isUnderway = $derived(this.state.name === 'classifying' || (this.state.name !== 'ended' && this.state.asked));
  /** The answer to show: none while the next is under way. */
  shownResult = $derived(this.isUnderway ? undefined : this.result);
  /** The picture to show: that of the answer to show, or the one that is chosen. */
  shownImage = $derived(this.shownResult?.image ?? this.image);
  /** A picture that is classified after connecting again. */
  waitingImage = $derived(this.state.name === 'ended' && this.state.asked ? this.image : undefined);
  /** Pictures that were chosen together. */
  readonly queue = new PictureQueue();
  readonly statistics = new LinkStatistics();
  /** What `image` was made from. */
  #file: { file: Blob; name: string | undefined; truth: string | undefined } | undefined;
  #pairing: ClientPairing | undefined;
  #worker: ProtocolWorker | undefined;
  readonly #images = new ImageWorker();
  #decodeId = 0;
  /** The manifest that `image` was prepared for. */
  #model: string | undefined;
  /** Counts attempts to connect: one that was overtaken, or left, goes no further. */
  #attempt = 0;

  /** @param introduce the way to the owner; by the invite, or as settings.json says, by default. */
  constructor(
    private readonly invite: Invite,
    private readonly introduce?: Introduce,
  ) {}

  /** Joins the owner's room; also to start again after a failure. */
  async connect(): Promise<void> {
    this.#stop();
    if (this.#isUsed()) {
      this.state = { name: 'ended', asked: false, notice: linkUsedNotice(), isLost: false };
      return;
    }
    this.state = { name: 'connecting', asked: this.asked };
    const attempt = ++this.#attempt;
    this.signaling = 'connecting';
    let servers: RTCIceServer[];
    let way: Introduce | string | undefined | null;
    try {
      servers = await iceServers();
      way = this.introduce ?? this.#byText() ?? (await signalingServer(location.search)) ?? undefined;
    } catch (error) {
      if (attempt !== this.#attempt) return;
      this.#stop();
      this.state = { name: 'ended', asked: this.asked, notice: iceNotice(error), isLost: false };
      return;
    }
    if (attempt !== this.#attempt) return;
    const pairing: ClientPairing = new ClientPairing(
      this.invite,
      {
        // One that was stopped lingers for a moment; it has no say any more.
        onSignaling: (state) => this.#pairing === pairing && (this.signaling = state),
        onLink: (state) => {
          if (this.#pairing !== pairing) return;
          this.link = state;
          if (state === 'connected') this.#markUsed();
        },
        onCompareWords: (words) => this.#pairing === pairing && (this.words = words),
        onChannel: (link) => this.#pairing === pairing && this.#startSession(link),
        onLost: () => this.#pairing === pairing && this.#suspendSession(),
        onRetry: (attempt, of) => {
          if (this.#pairing === pairing)
            this.state = { name: 'reconnecting', asked: this.asked, retry: { attempt, of } };
        },
        onEnded: (end) => {
          if (this.#pairing === pairing)
            this.#end(endNotice(end, this.#reader), { isLost: end === 'lost' || end === 'no-such-room' });
        },
      },
      () => renewed(servers),
      way,
    );
    this.#pairing = pairing;
    try {
      await pairing.join();
    } catch (error) {
      if (this.#pairing !== pairing) return;
      const code = error instanceof RefusedError ? error.code : 'timeout';
      // A link that worked before is not mistyped.
      const isGone = code === 'no-such-room' && this.session !== undefined;
      const said = isGone ? endNotice(code, this.#reader) : refusalNotice(code);
      this.#end(this.#reader.isByText ? final(said) : said);
    }
  }

  /**
   * Decodes `file` and shows what the model will see. From the second image on it is classified right away. What was asked
   * before waits until the new image is there, and is then asked of that one.
   * @param name of the file; what was pasted or photographed has none
   */
  async chooseImage(file: Blob, name = nameOf(file)): Promise<void> {
    await this.#choose(async () => file, name);
  }

  /**
   * One is shown, several wait in line: the first is shown, and when it has its answer each of the others is classified as
   * soon as everything for it is prepared.
   */
  async chooseImages(files: readonly Blob[]): Promise<void> {
    if (!this.session?.manifest) return;
    if (files.length === 1 && !this.queue.isRunning) return this.chooseImage(files[0]);
    if (this.#isOver) {
      this.imageNotice = imageNotice(new EndedError(), nameOf(files[0]), undefined);
      return;
    }
    const isRunning = this.queue.isRunning;
    this.queue.add(files);
    // Where nothing is going on; else the next preparation's end takes one.
    if (!isRunning && this.state.name !== 'classifying' && !(this.result && this.state.name !== 'ready'))
      await this.#nextInQueue();
  }

  /** Shows the next picture that can be read, and classifies it if there was an answer before. */
  async #nextInQueue(): Promise<void> {
    for (let next = this.queue.take(); next; next = this.queue.take()) {
      await this.chooseImage(next.file, next.name);
      if (this.#file?.file === next.file) return this.queue.shown(next.file, thumbnail(this.image!.preview));
      if (!this.imageNotice) return; // another was chosen meanwhile
      this.queue.unreadable(next.file, this.imageNotice);
      this.imageNotice = undefined; // the list says it
    }
  }

  async chooseSample(sample: Sample): Promise<void> {
    await this.#choose(
      async () => {
        if (sample.file) return sample.file;
        const response = await fetch(sample.url).catch(() => undefined);
        if (!response?.ok) throw new SampleError();
        return response.blob();
      },
      t().client.picker.sample(sample.label),
      sample.label,
    );
  }

  /** No link leads back. */
  get #isOver(): boolean {
    return this.state.name === 'ended' && this.state.notice.isFinal === true;
  }

  /** @param truth what a sample is labelled */
  async #choose(load: () => Promise<Blob>, name: string | undefined, truth?: string): Promise<void> {
    const preprocessing = this.session?.manifest?.preprocessing;
    if (!preprocessing) return;
    if (this.state.name === 'classifying') {
      this.imageNotice = imageNotice(new BusyError(), name, undefined);
      return;
    }
    if (this.#isOver) {
      this.imageNotice = imageNotice(new EndedError(), name, undefined);
      return;
    }
    const id = ++this.#decodeId;
    this.imageNotice = undefined;
    this.decoding = true;
    try {
      const file = await load();
      const image = await this.#images.prepare(file, preprocessing);
      if (id !== this.#decodeId) return;
      this.#file = { file, name, truth };
      this.image = { ...image, ...(name ? { name } : {}), truth };
      if (this.session) this.session.maskedImage = undefined; // that of the image before
      if (this.result) this.classify();
    } catch (error) {
      if (id === this.#decodeId) this.imageNotice = imageNotice(error, name, this.image);
    } finally {
      if (id === this.#decodeId) {
        this.decoding = false;
        this.#classifyWhenPrepared();
      }
    }
  }

  /** Whether the picture that was chosen last, or is being decoded, is to be classified when that can begin. */
  get asked(): boolean {
    return 'asked' in this.state && this.state.asked;
  }

  classify(): void {
    if (!this.image || !('asked' in this.state)) return;
    this.state = { ...this.state, asked: true };
    this.#classifyWhenPrepared();
  }

  /** Gives up on an owner who was lost. */
  cancelReconnecting(): void {
    this.#end(stoppedNotice(this.#reader), { asked: false });
  }

  /** Stops what is going on; the owner is told. */
  cancel(): void {
    this.#worker?.cancel();
  }

  /** @param reason `unload` when the page is closed or reloaded: the owner then keeps the place for a while. */
  close(reason: 'closed' | 'unload' = 'closed'): void {
    this.#stop(0, reason);
    this.#images.terminate();
  }

  get #reader(): Reader {
    return { role: 'client', isByText: !this.introduce && this.invite.offer !== undefined };
  }

  /** Whether the offer in the invite has served a connection: an answer to it again would reach nobody. */
  #isUsed(): boolean {
    return this.#reader.isByText && wasUsed(this.invite.offer!);
  }

  #markUsed(): void {
    if (this.#reader.isByText) markUsed(this.invite.offer!);
  }

  #byText(): Introduce | undefined {
    const { offer } = this.invite;
    return offer === undefined ? undefined : clientByText(offer, (text) => (this.answerText = text));
  }

  #classifyWhenPrepared(): void {
    if (this.state.name !== 'ready' || !this.state.asked || !this.image || this.decoding) return;
    this.state = { name: 'classifying' };
    this.result = undefined;
    this.#worker!.classify(this.image.pixels);
  }

  #startSession(link: PeerLink): void {
    const session = new SessionView('client', this.statistics);
    // After a loss the figures from before stay until there are new ones.
    this.session ??= session;
    this.statistics.start(link);
    const worker = new ProtocolWorker({
      onEvent: (event) => {
        session.apply(event);
        if (event.type !== 'manifest') return;
        this.session = session;
        this.state = { name: 'preparing', asked: this.asked };
        void this.#onManifest(event.manifest);
      },
      onMaskedImage: (bytes) => (session.maskedImage = bytes),
      onOpened: () => worker.prepare(),
      onPrepared: () => {
        this.state = { name: 'ready', asked: this.asked };
        this.#classifyWhenPrepared();
        if (this.state.name === 'ready' && !this.asked && this.result) void this.#nextInQueue();
      },
      onClassified: (classification) => {
        const { offline, online } = session.totals;
        const layers = session.rows.map((row) => row.snapshot());
        const { maskedImage } = session;
        this.result = { classification, image: this.image!, date: new Date(), maskedImage, offline, online, layers };
        if (this.#file) this.queue.answered(this.#file.file, { classification, offline, online });
        this.state = { name: 'preparing', asked: false };
        worker.prepare(); // for the next image, while the user looks at this result
      },
      onFailed: (failure) => {
        if (this.#worker !== worker) return;
        if (failure.code === 'closed') this.#pairing?.peerLost();
        else {
          const asked = this.asked && failure.code !== 'cancelled';
          this.#end(failureNotice(failure, this.#reader), { afterMs: lingerMs, asked });
        }
      },
    });
    this.#worker = worker;
    this.#received = [];
    receiveSamples(link.samples, (samples) => {
      if (this.#worker !== worker) return;
      this.#received = samples;
      if (session.manifest) void this.#showSamples(session.manifest);
    });
    worker.openClient(link.channel);
  }

  async #showSamples({ preprocessing }: Manifest): Promise<void> {
    const received = this.#received;
    const drawn = await drawSamples(received, this.#images, preprocessing);
    if (this.#received === received) this.#owners = drawn;
  }

  /** The connection is being made again. What the user asked for and did not get is done then. */
  #suspendSession(): void {
    this.statistics.stop();
    this.#worker?.terminate();
    this.#worker = undefined;
    this.session?.interrupt();
    this.state = { name: 'reconnecting', asked: this.asked || this.state.name === 'classifying' };
    this.words = [];
  }

  async #onManifest(manifest: Manifest): Promise<void> {
    // Another model may crop differently and know other things: an image from before is prepared anew.
    const model = JSON.stringify(manifest);
    const isSame = this.#model === model;
    this.#model = model;
    if (this.#file && !isSame) {
      this.result = undefined;
      const { file, name, truth } = this.#file;
      await this.#choose(async () => file, name, truth);
    }
    void this.#showSamples(manifest);
    const [samples, confidence] = await Promise.all([
      listSamples(manifest.name).catch(() => []),
      fetchConfidence(manifest).catch(() => undefined),
    ]);
    if (this.#model !== model) return;
    this.#bundled = samples;
    this.confidence = confidence;
  }

  /** @param asked whether connecting again goes on with the picture: not where the user has stopped it. */
  #end(said: Notice, { afterMs = 0, isLost = false, asked = this.asked } = {}): void {
    // What failed first says why; what follows from it (the connection closes) would hide that.
    if (!this.#pairing) return;
    this.#stop(afterMs);
    if (this.answerText !== undefined) this.#markUsed();
    this.state = { name: 'ended', asked: asked && !said.isFinal, notice: said, isLost };
    if (said.isFinal) this.queue.end();
  }

  #stop(afterMs = 0, reason: 'closed' | 'unload' = 'closed'): void {
    this.#attempt++;
    this.statistics.stop();
    const [worker, pairing] = [this.#worker, this.#pairing];
    this.#worker = this.#pairing = undefined;
    this.signaling = this.link = 'closed';
    const free = () => {
      worker?.terminate();
      pairing?.close(reason);
    };
    if (afterMs > 0) setTimeout(free, afterMs);
    else free();
    this.session?.interrupt();
    this.words = [];
  }
}
