/** Pictures that were chosen together: one after the other is classified, and what came of each stays in a list. */
import type { Classification } from '../../../protocols/index.ts';
import type { Notice } from './notices.ts';
import type { Totals } from './sessionView.svelte.ts';

/** What came of a picture. */
export interface Answered {
  readonly classification: Classification;
  readonly offline: Totals;
  readonly online: Totals;
}

export interface QueuedPicture {
  readonly id: number;
  readonly file: Blob;
  /** Of the file; what was pasted has none. */
  readonly name: string | undefined;
  /** `left`: it had no answer when the connection ended for good. */
  readonly state: 'waiting' | 'current' | 'answered' | 'unreadable' | 'left';
  /** A small picture of it as a data URL, once it was decoded. */
  readonly thumbnail?: string;
  readonly answered?: Answered;
  /** Why it could not be read. */
  readonly notice?: Notice;
}

export class PictureQueue {
  pictures = $state.raw<readonly QueuedPicture[]>([]);
  #nextId = 0;

  get waiting(): number {
    return this.#count('waiting');
  }

  get isRunning(): boolean {
    return this.waiting > 0 || this.#count('current') > 0;
  }

  /** @param files to come after those that wait; a list that is through makes room for them. */
  add(files: readonly Blob[]): void {
    const before = this.isRunning ? this.pictures : [];
    const added = files.map((file): QueuedPicture => {
      const name = file instanceof File ? file.name : undefined;
      return { id: this.#nextId++, file, name, state: 'waiting' };
    });
    this.pictures = [...before, ...added];
  }

  /** The next one, which is the current one from now on. One that was overtaken by another choice waits again. */
  take(): QueuedPicture | undefined {
    for (const { id, state } of this.pictures) if (state === 'current') this.#change(id, { state: 'waiting' });
    const next = this.pictures.find(({ state }) => state === 'waiting');
    if (next) this.#change(next.id, { state: 'current' });
    return next;
  }

  shown(file: Blob, thumbnail: string): void {
    this.#ofFile(file, { thumbnail });
  }

  answered(file: Blob, answered: Answered): void {
    this.#ofFile(file, { state: 'answered', answered });
  }

  unreadable(file: Blob, notice: Notice): void {
    this.#ofFile(file, { state: 'unreadable', notice });
  }

  /** Those that wait are left out. */
  stop(): void {
    this.pictures = this.pictures.filter(({ state }) => state !== 'waiting');
  }

  /** No further answer can come. */
  end(): void {
    for (const { id, state } of this.pictures)
      if (state === 'waiting' || state === 'current') this.#change(id, { state: 'left' });
  }

  /** Of those that have an answer; undefined where none has. */
  get mean(): { offlineMs: number; onlineMs: number; offlineBytes: number; onlineBytes: number } | undefined {
    const all = this.pictures.flatMap(({ answered }) => (answered ? [answered] : []));
    if (all.length === 0) return undefined;
    const mean = (of: (one: Answered) => number) => all.reduce((sum, one) => sum + of(one), 0) / all.length;
    const bytes = (totals: Totals) => totals.bytesClientToOwner + totals.bytesOwnerToClient;
    return {
      offlineMs: mean(({ offline }) => offline.elapsedMs),
      onlineMs: mean(({ online }) => online.elapsedMs),
      offlineBytes: mean(({ offline }) => bytes(offline)),
      onlineBytes: mean(({ online }) => bytes(online)),
    };
  }

  #count(wanted: QueuedPicture['state']): number {
    return this.pictures.filter(({ state }) => state === wanted).length;
  }

  #ofFile(file: Blob, change: Partial<QueuedPicture>): void {
    const current = this.pictures.find((picture) => picture.state === 'current' && picture.file === file);
    if (current) this.#change(current.id, change);
  }

  #change(id: number, change: Partial<QueuedPicture>): void {
    this.pictures = this.pictures.map((picture) => (picture.id === id ? { ...picture, ...change } : picture));
  }
}
