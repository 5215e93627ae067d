/** The float model, by onnxruntime. */
import { InferenceSession, Tensor } from 'onnxruntime-node';

export class PlaintextModel {
  private constructor(readonly session: InferenceSession) {}

  static async load(folder: string, threads = 1): Promise<PlaintextModel> {
    return new PlaintextModel(
      await InferenceSession.create(`${folder}/model.onnx`, { intraOpNumThreads: threads, interOpNumThreads: 1 }),
    );
  }

  /**
   * @param images each size×size×3 RGB bytes.
   * @returns the logits of each.
   */
  async logits(images: readonly Uint8Array[]): Promise<Float32Array[]> {
    const size = Math.round(Math.sqrt(images[0]!.length / 3));
    const plane = size * size;
    const input = new Float32Array(images.length * 3 * plane);
    for (const [n, pixels] of images.entries()) {
      for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) input[(3 * n + c) * plane + i] = pixels[3 * i + c]!;
    }
    const [inputName, outputName] = [this.session.inputNames[0]!, this.session.outputNames[0]!];
    const { [outputName]: output } = await this.session.run({
      [inputName]: new Tensor('float32', input, [images.length, 3, size, size]),
    });
    const values = output!.data as Float32Array;
    const classes = values.length / images.length;
    return images.map((_, n) => values.slice(n * classes, (n + 1) * classes));
  }
}
