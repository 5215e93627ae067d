import { type ChachaRounds, ChachaStream } from '../../protocols/kernels/chacha.ts';
import { multiplyTransposed, PackedMatrix } from '../../protocols/kernels/matmul.ts';
import { type BenchResult, measure } from './measure.ts';

const ramp = (length: number) => Uint32Array.from({ length }, (_, i) => Math.imul(i, 2654435761));

export async function run(): Promise<BenchResult[]> {
  const [n, k, m] = [64, 192, 768];
  const gmacs = (elapsedMs: number) => (n * k * m) / elapsedMs / 1e6;
  const a = ramp(n * k);
  const b = ramp(k * m);
  const packed = PackedMatrix.fromTransposed(b, k, m);
  const results = [
    await measure('kernels/matmul', 'Gmac/s', gmacs, () => packed.multiply(a, n)),
    await measure('kernels/matmulUnpacked', 'Gmac/s', gmacs, () => multiplyTransposed(a, b, n, k, m)),
  ];
  packed.release();

  const target = new Uint8Array(1 << 20);
  const gigabytes = (elapsedMs: number) => target.length / elapsedMs / 1e6;
  for (const rounds of [8, 12, 20] satisfies ChachaRounds[]) {
    // A stream ends after 256 GiB; each call begins a new one.
    const fill = () => new ChachaStream(new Uint8Array(32), new Uint8Array(12), 0, rounds).fill(target);
    results.push(await measure(`kernels/chacha${rounds}`, 'GB/s', gigabytes, fill));
  }
  return results;
}
