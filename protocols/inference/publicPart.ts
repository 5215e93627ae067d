/**
 * The public part of a model: patch embedding and first blocks that are no secret of the owner's, since most networks are fine-tuned from a
 * published one. The owner sends them as an ONNX file, the client runs it on its own picture, and the protocol begins with what comes out, the
 * residual stream. So the client learns those weights, and the owner learns no more than before.
 *
 * The file is a stranger's. Its length is limited (manifest.ts), its digest is the manifest's, and whoever runs it does so in a sandbox: in
 * WebAssembly (onnxruntime-web), never by a native library, and in a thread that can be ended (onnxThread.ts).
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Channel } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import { inputOf, requirePixels } from './image.ts';
import type { Manifest } from './manifest.ts';
import { inputShape } from './vit.ts';

/** Its file in an artifact. */
export const publicPartFile = 'public.onnx';

/** The step of the setup in which it travels. */
export const publicPartStep = 'public part';

/**
 * Runs an ONNX file: input `image` float32 (1, 3, height, width), RGB 0 to 255; output `stream` float32 (1, rows, dim).
 * @param planar the picture, channel by channel.
 * @param signal ends the run.
 * @returns the output's numbers.
 */
export type OnnxRunner = (
  onnx: Uint8Array,
  planar: Float32Array,
  shape: readonly [1, 3, number, number],
  signal?: AbortSignal,
) => Promise<Float32Array>;

/** What should run the file could not run itself, which says nothing of the file. */
export class OnnxRunnerError extends Error {}

/** The client asks for it once it has the plan, so that nothing large is on its way before the client knows how large. */
const ready = 1;

/** The owner's side. @throws ProtocolError `value` when the client asks for something else. */
export async function sendPublicPart(channel: Channel, file: Uint8Array): Promise<void> {
  const [asked] = await channel.receive(1);
  if (asked !== ready) throw new ProtocolError('value', 'handshake', 'the client asked for something unknown');
  channel.send(file);
  await channel.flush();
}

/** The client's side. @throws ProtocolError `value` when it is not the file that the manifest names. */
export async function receivePublicPart(
  channel: Channel,
  publicPart: NonNullable<Manifest['publicPart']>,
): Promise<Uint8Array> {
  channel.send(Uint8Array.of(ready));
  const file = (await channel.receive(publicPart.bytes)).slice();
  if (bytesToHex(sha256(file)) !== publicPart.sha256)
    throw new ProtocolError('value', 'handshake', 'the public part is not the file that the manifest names');
  return file;
}

/**
 * The plan's input for a picture.
 * @param pixels imageSize×imageWidth×3 RGB bytes.
 * @param onnx the public part, where the manifest has one.
 * @param signal ends its run.
 * @throws RangeError when there are more or fewer pixels; OnnxRunnerError as `run` does; ProtocolError `manifest` when the file cannot be run, or gives something else than
 *   the stream: then the model is at fault, no message was altered.
 */
export async function publicInput(
  pixels: Uint8Array,
  manifest: Manifest,
  onnx: Uint8Array | undefined,
  run: OnnxRunner | undefined,
  signal?: AbortSignal,
): Promise<Int32Array> {
  const { imageSize: height, imageWidth: width = height } = manifest.architecture;
  if (!manifest.publicPart) return inputOf(pixels, manifest.architecture);
  requirePixels(pixels, manifest.architecture);
  if (!onnx || !run)
    throw new ProtocolError('manifest', 'session', 'the model has a public part, which this program does not run');
  const plane = height * width;
  const planar = new Float32Array(3 * plane);
  for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) planar[c * plane + i] = pixels[3 * i + c];
  let stream: Float32Array;
  try {
    stream = await run(onnx, planar, [1, 3, height, width], signal);
  } catch (error) {
    if (error instanceof OnnxRunnerError) throw error;
    throw new ProtocolError('manifest', 'session', `the public part cannot be run: ${(error as Error).message}`);
  }
  return streamIntegers(stream, manifest);
}

/** The stream as integers, cut where the fixed-point plan would wrap. */
function streamIntegers(stream: Float32Array, manifest: Manifest): Int32Array {
  const { rows, cols, fracBits } = inputShape(manifest);
  if (stream.length !== rows * cols || !stream.every(Number.isFinite))
    throw new ProtocolError(
      'manifest',
      'session',
      `the public part: expected ${rows * cols} finite numbers as its output`,
    );
  const limit = 2 ** (fracBits + manifest.fixedPoint.residual.magnitudeBits) - 1;
  return Int32Array.from(stream, (x) => Math.max(-limit, Math.min(limit, Math.round(x * 2 ** fracBits))));
}
