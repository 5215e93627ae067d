import { Ntt, nttKernel, type Residues } from '../../protocols/kernels/ntt.ts';
import type { RlweSpec } from '../../protocols/offline/correlations.ts';
import { rlweCost, rlweLayout } from '../../protocols/offline/rlwe/costs.ts';
import { AutomorphismKey, SecretKey } from '../../protocols/rlwe/keys.ts';
import { parameterSets } from '../../protocols/rlwe/parameters.ts';
import { Ring } from '../../protocols/rlwe/ring.ts';
import { sampleUniform } from '../../protocols/sharing/field.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { drawRlweOperands, rlwePair } from '../ideal/rlwe.ts';
import { keyOf } from '../support/keys.ts';
import { nowMs } from '../support/turns.ts';
import { type BenchResult, measure, summarise } from './measure.ts';

const seed = new Uint8Array(32).fill(1);
const microseconds = (elapsedMs: number) => 1000 * elapsedMs;
const milliseconds = (elapsedMs: number) => elapsedMs;

/** Primes below 2^27 that serve every degree up to 8192. */
const primes = [133857281, 133644289, 133611521, 133513217, 133251073, 132825089, 132759553];

export async function run(): Promise<BenchResult[]> {
  const seal = await sealFigures();
  return [
    ...(await kernelFigures()),
    ...(await schemeFigures()),
    ...(await productFigures(seal)),
    ...seal,
    ...(await stageFigures()),
  ];
}

async function kernelFigures(): Promise<BenchResult[]> {
  const { arena, exports } = nttKernel();
  const results: BenchResult[] = [];
  for (const n of [2048, 4096, 8192]) {
    const ntt = new Ntt(n, primes[0]!);
    const poly = arena.allocate(4 * n) as Residues;
    results.push(await measure(`rlwe/ntt${n}`, 'µs', microseconds, () => ntt.forward(poly)));
    ntt.reduce(poly);
    results.push(await measure(`rlwe/inverseNtt${n}`, 'µs', microseconds, () => ntt.inverse(poly)));
    arena.release(poly);
  }
  const [n, terms] = [4096, 16];
  const ntt = new Ntt(n, primes[0]!);
  const polys = Array.from({ length: 3 * terms + 2 }, () => arena.allocate(4 * n + 64) as Residues);
  const list = arena.allocate(12 * terms);
  arena.words(list, 3 * terms).set(polys.slice(2));
  const accumulate = () =>
    exports.dot2(list, terms, 0, n, polys[0]!, polys[1]!, ntt.p, ntt.fold, ntt.foldShoup, ntt.one);
  results.push(await measure('rlwe/multiplyAccumulate', 'ns', (ms) => (1e6 * ms) / (2 * n * terms), accumulate));
  for (const address of [...polys, list]) arena.release(address);
  return results;
}

async function schemeFigures(): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  for (const parameters of parameterSets.slice(0, 2)) {
    const ring = Ring.of(parameters);
    const random = new Prg(seed, 'keys');
    const key = new SecretKey(ring, random);
    const message = ring.allocate();
    ring.clear(message);
    const encrypt = () => key.encrypt(message, random, random);
    results.push(await measure(`rlwe/encrypt/${parameters.name}`, 'ms', milliseconds, encrypt));
    const g = 1 + ring.n / 8;
    const automorphism = new AutomorphismKey(
      ring,
      g,
      key.automorphismKey(g, new Prg(seed, 'a'), random),
      new Prg(seed, 'a'),
    );
    const [source, target] = [ring.allocateCiphertexts(), ring.allocateCiphertexts()];
    ring.clear(source, 2);
    ring.clear(target, 2);
    const keySwitch = () => automorphism.addAutomorphism(source, target);
    results.push(await measure(`rlwe/keySwitch/${parameters.name}`, 'ms', milliseconds, keySwitch));
    for (const address of [message, source, target]) ring.release(address);
    automorphism.release();
  }
  return results;
}

/** Ciphertext times plaintext and ciphertext → NTT form at moduli no smaller than node-seal's in `sealFigures`: 72 and 174 bits. */
async function productFigures(seal: readonly BenchResult[]): Promise<BenchResult[]> {
  const { arena, exports } = nttKernel();
  const results: BenchResult[] = [];
  for (const [n, count] of [
    [4096, 3],
    [8192, 7],
  ] as const) {
    const ntts = primes.slice(0, count).map((p) => new Ntt(n, p));
    const [x, b, a, outB, outA] = Array.from({ length: 5 }, () => arena.allocate(4 * n * count + 64)) as [
      number,
      number,
      number,
      number,
      number,
    ];
    const residue = (poly: number, prime: number) => (poly + 4 * n * prime) as Residues;
    for (const poly of [x, b, a])
      ntts.forEach(({ p }, i) => sampleUniform(new Prg(seed, 'poly'), p, arena.words(residue(poly, i), n)));
    const list = arena.allocate(12);
    arena.words(list, 3).set([x, b, a]);
    const multiply = () => {
      ntts.forEach(({ p, fold, foldShoup, one }, i) => {
        exports.dot2(list, 1, 4 * n * i, n, residue(outB, i), residue(outA, i), p, fold, foldShoup, one);
      });
    };
    const transform = () => {
      for (const poly of [b, a]) for (const [i, ntt] of ntts.entries()) ntt.forward(residue(poly, i));
    };
    for (const [name, work] of [
      ['multiplyPlain', multiply],
      ['cipherToNtt', transform],
    ] as const) {
      const ours = await measure(`rlwe/${name}${n}`, 'ms', milliseconds, work);
      results.push(ours);
      const theirs = seal.find((each) => each.name === `rlwe/seal/${name}${n}`);
      if (theirs !== undefined) {
        results.push({
          name: `rlwe/sealOverOurs/${name}${n}`,
          unit: '×',
          value: theirs.value / ours.value,
          min: theirs.min / ours.max,
          max: theirs.max / ours.min,
        });
      }
    }
    for (const address of [x, b, a, outB, outA, list]) arena.release(address);
  }
  return results;
}

/** The same with node-seal 6, where it is installed and loads. */
async function sealFigures(): Promise<BenchResult[]> {
  const seal = await import('node-seal').then(({ default: load }) => load()).catch(() => undefined);
  if (seal === undefined) return [];
  const results: BenchResult[] = [];
  for (const [n, bits] of [
    [4096, [36, 36, 37]],
    [8192, [43, 43, 44, 44, 44]],
  ] as const) {
    const parameters = seal.EncryptionParameters(seal.SchemeType.bfv);
    parameters.setPolyModulusDegree(n);
    parameters.setCoeffModulus(seal.CoeffModulus.Create(n, Int32Array.from(bits)));
    parameters.setPlainModulus(seal.PlainModulus.Batching(n, 20));
    const context = seal.Context(parameters, true, seal.SecurityLevel.tc128);
    const encryptor = seal.Encryptor(context, seal.KeyGenerator(context).createPublicKey());
    const evaluator = seal.Evaluator(context);
    const plain = seal.BatchEncoder(context).encode(Int32Array.from({ length: n }, (_, i) => i))!;
    const cipher = encryptor.encrypt(plain)!;
    const [plainNtt, cipherNtt, out] = [seal.PlainText(), seal.CipherText(), seal.CipherText()];
    evaluator.plainTransformToNtt(plain, context.firstParmsId, plainNtt);
    evaluator.cipherTransformToNtt(cipher, cipherNtt);
    const multiply = () => evaluator.multiplyPlain(cipherNtt, plainNtt, out);
    const transform = () => evaluator.cipherTransformToNtt(cipher, out);
    results.push(await measure(`rlwe/seal/multiplyPlain${n}`, 'ms', milliseconds, multiply));
    results.push(await measure(`rlwe/seal/cipherToNtt${n}`, 'ms', milliseconds, transform));
  }
  return results;
}

/** Correlations of the shipped plans, both roles in one thread: processor time of each role, and bytes. */
async function stageFigures(): Promise<BenchResult[]> {
  const specs: readonly RlweSpec[] = [
    {
      kind: 'linear',
      key: keyOf('qkv'),
      ringBits: 32,
      tokens: 64,
      inputs: 256,
      outputs: 768,
      weights: 'qkv',
      weightBits: 12,
    },
    {
      kind: 'linear',
      key: keyOf('proj'),
      ringBits: 28,
      tokens: 64,
      inputs: 256,
      outputs: 256,
      weights: 'proj',
      weightBits: 12,
    },
    { kind: 'matmul', key: keyOf('scores'), ringBits: 29, batch: 4, rows: 64, inner: 64, cols: 64 },
    { kind: 'sumOfSquares', key: keyOf('sumOfSquares'), ringBits: 30, rows: 64, cols: 256 },
    { kind: 'scale', key: keyOf('scale'), ringBits: 27, rows: 64, cols: 256 },
  ];
  const results: BenchResult[] = [];
  for (const spec of specs) {
    const operands = drawRlweOperands(spec, new Prg(seed, spec.key.step));
    const { client, owner, destroy } = await rlwePair(seed, [operands]);
    const [clientMs, ownerMs]: [number[], number[]] = [[], []];
    for (let i = 0; i < 12; i++) {
      const start = nowMs();
      await client.send([operands.client]);
      const sent = nowMs();
      const uploads = await owner.receive([operands.owner]);
      await owner.send([operands.owner], uploads);
      const answered = nowMs();
      await client.receive([operands.client]);
      if (i < 3) continue;
      clientMs.push(sent - start + nowMs() - answered);
      ownerMs.push(answered - sent);
    }
    destroy();
    const { bytesClientToOwner, bytesOwnerToClient } = rlweCost(spec);
    results.push(
      summarise(`rlwe/${spec.key.step}/client`, 'ms', clientMs),
      summarise(`rlwe/${spec.key.step}/owner`, 'ms', ownerMs),
      summarise(`rlwe/${spec.key.step}/${rlweLayout(spec).parameters.name}`, 'kB', [
        (bytesClientToOwner + bytesOwnerToClient) / 1000,
      ]),
    );
  }
  return results;
}
