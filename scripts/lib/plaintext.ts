/** The float model, by onnxruntime. */
import { readFile } from 'node:fs/promises';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { parseManifest } from '../../protocols/index.ts';

export class PlaintextModel {
  private constructor(
    readonly session: InferenceSession,
    readonly height: number,
    readonly width: number,
  ) {}

  static async load(folder: string, threads = 1): Promise<PlaintextModel> {
    const { imageSize, imageWidth = imageSize } = parseManifest(
      await readFile(`${folder}/manifest.json`, 'utf8'),
    ).architecture;
    const options = { intraOpNumThreads: threads, interOpNumThreads: 1 };
    return new PlaintextModel(await InferenceSession.create(`${folder}/model.onnx`, options), imageSize, imageWidth);
  }

  /**
   * @param images each height×width×3 RGB bytes.
   * @returns the logits of each.
   */
  async logits(images: readonly Uint8Array[]): Promise<Float32Array[]> {
    const plane = this.height * this.width;
    const input = new Float32Array(images.length * 3 * plane);
    for (const [n, pixels] of images.entries()) {
      for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) input[(3 * n + c) * plane + i] = pixels[3 * i + c];
    }
    const [inputName, outputName] = [this.session.inputNames[0], this.session.outputNames[0]];
    const { [outputName]: output } = await this.session.run({
      [inputName]: new Tensor('float32', input, [images.length, 3, this.height, this.width]),
    });
    const values = output.data as Float32Array;
    const classes = values.length / images.length;
    return images.map((_, n) => values.slice(n * classes, (n + 1) * classes));
  }
}
