import type { FromImageWorker, PreparedImage, Preprocessing, ToImageWorker } from './messages.ts';
import { maxPixels as defaultMaxPixels, PictureError } from './pictureFile.ts';

/** The Worker's script did not load, or failed. */
export class ImageWorkerError extends Error {}

/** The page's handle on the Worker that decodes images. */
export class ImageWorker {
  readonly #worker = new Worker(new URL('./image.worker.ts', import.meta.url), { type: 'module', name: 'image' });
  readonly #waiting = new Map<number, { resolve(image: PreparedImage): void; reject(error: Error): void }>();
  #nextId = 0;
  #failed = false;

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<FromImageWorker>) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ('image' in data) waiting?.resolve(data.image);
      else waiting?.reject(new PictureError(data.problem, data.width, data.height));
    };
    this.#worker.onerror = () => {
      this.#failed = true;
      for (const { reject } of this.#waiting.values()) reject(new ImageWorkerError());
      this.#waiting.clear();
    };
  }

  /** @param maxPixels that the file may have. @throws PictureError, ImageWorkerError */
  prepare(file: Blob, preprocessing: Preprocessing, maxPixels = defaultMaxPixels): Promise<PreparedImage> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.#failed) return reject(new ImageWorkerError());
      this.#waiting.set(id, { resolve, reject });
      const message: ToImageWorker = { id, file, preprocessing, maxPixels };
      this.#worker.postMessage(message);
    });
  }

  terminate(): void {
    this.#worker.terminate();
  }
}
