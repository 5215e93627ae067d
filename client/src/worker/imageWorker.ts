import type { FromImageWorker, ImageProblem, PreparedImage, Preprocessing, ToImageWorker } from './messages.ts';

/** The image cannot be used; says why, in units that a message can name. */
export class ImageError extends Error {
  constructor(
    readonly problem: ImageProblem,
    readonly width?: number,
    readonly height?: number,
  ) {
    super(problem);
  }
}

/** The page's handle on the Worker that decodes images. */
export class ImageWorker {
  readonly #worker = new Worker(new URL('./image.worker.ts', import.meta.url), { type: 'module', name: 'image' });
  readonly #waiting = new Map<number, { resolve(image: PreparedImage): void; reject(error: ImageError): void }>();
  #nextId = 0;

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<FromImageWorker>) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ('image' in data) waiting?.resolve(data.image);
      else waiting?.reject(new ImageError(data.problem, data.width, data.height));
    };
  }

  /** @throws ImageError */
  prepare(file: Blob, preprocessing: Preprocessing): Promise<PreparedImage> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      const message: ToImageWorker = { id, file, preprocessing };
      this.#worker.postMessage(message);
    });
  }

  terminate(): void {
    this.#worker.terminate();
  }
}
