/** What the owner receives: uniform bytes, fresh in every run, and unrelated to the image. */
import { describe, expect, it } from 'vitest';
import { inputOf } from '../../protocols/inference/image.ts';
import { pack, unpack } from '../../protocols/sharing/packing.ts';
import { channels, modelOf, pair, picture } from '../support/pairing.ts';
import { RecordingChannel } from '../support/recordingChannel.ts';

/** χ² of byte values against the uniform distribution (255 degrees of freedom: mean 255, deviation 22.6). */
function chiSquared(bytes: readonly number[]): number {
  const counts = new Float64Array(256);
  for (const byte of bytes) counts[byte]++;
  const expected = bytes.length / 256;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}
const uniformBelow = 255 + 6 * 22.6;

function correlation(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const n = x.length;
  const mean = (list: ArrayLike<number>) => Array.from(list).reduce((sum, value) => sum + value, 0) / n;
  const [mx, my] = [mean(x), mean(y)];
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [dx, dy] = [x[i] - mx, y[i] - my];
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  }
  return xy / Math.sqrt(xx * yy);
}

describe("the client's messages", () => {
  const model = modelOf();
  const { architecture } = model.manifest;
  const runs = 40;
  // An image with structure: a bright disc on black, where a leak would show.
  const pixels = picture(architecture.imageSize).map((_, i) => {
    const [x, y] = [Math.floor(i / 3) % architecture.imageSize, Math.floor(i / 3 / architecture.imageSize)];
    return (x - 3.5) ** 2 + (y - 3.5) ** 2 < 7 ? 250 : 4;
  });
  const image = inputOf(pixels, architecture);

  it('are uniform, differ from run to run, and do not correlate with the image', async () => {
    const perStep = new Map<string, number[]>();
    const inputs: Uint32Array[] = [];
    for (let run = 0; run < runs; run++) {
      const [a, b] = channels();
      const recorder = new RecordingChannel(b);
      const { client, served } = await pair(model, undefined, [a, recorder]);
      await client.classify(pixels);
      await client.close();
      await served;
      for (const { direction, phase, step, bytes } of recorder.entries) {
        if (direction !== 'received' || phase !== 'online') continue;
        const list = perStep.get(step) ?? [];
        // The last byte is filled up with zeros.
        for (const byte of bytes.subarray(0, -1)) list.push(byte);
        perStep.set(step, list);
        if (step === 'input') inputs.push(unpack(bytes, image.length, model.plan.input.output.ringBits));
      }
    }
    expect([...perStep.keys()].sort()).toEqual(
      model.plan.steps.flatMap(({ name, bytesClientToOwner }) => (bytesClientToOwner > 0 ? [name] : [])).sort(),
    );
    for (const [step, bytes] of perStep)
      if (bytes.length > 5 * 256) expect(chiSquared(bytes), step).toBeLessThan(uniformBelow);
    expect(chiSquared([...perStep.values()].flat())).toBeLessThan(uniformBelow);

    expect(new Set(inputs.map(String)).size).toBe(runs);
    const all = inputs.flatMap((words) => [...words]);
    const repeated = inputs.flatMap(() => [...image]);
    expect(Math.abs(correlation(all, repeated))).toBeLessThan(5 / Math.sqrt(all.length));
    // Averaged over the runs, pixel by pixel, nothing of the picture remains either.
    const mean = image.map((_, i) => inputs.reduce((sum, words) => sum + words[i] / runs, 0));
    expect(Math.abs(correlation(mean, image))).toBeLessThan(5 / Math.sqrt(image.length));
  });

  it('would fail these tests if the image were not masked', () => {
    const { ringBits } = model.plan.input.output;
    const unmasked = pack(new Uint32Array(image), ringBits);
    expect(chiSquared(Array.from({ length: runs }, () => [...unmasked]).flat())).toBeGreaterThan(uniformBelow);
    // A mask of too few bits leaves a correlation.
    const weak = image.map((x, i) => x + ((Math.imul(i + 1, 2654435761) >>> 20) & 255));
    expect(Math.abs(correlation(weak, image))).toBeGreaterThan(5 / Math.sqrt(image.length));
  });
});
