// Inner products over a field, from ring-LWE's slots and the carries' OTs: exactly the ideal functionality's, at exactly the plan's cost.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocateWords, nttKernel, type Residues } from '../../protocols/kernels/ntt.ts';
import type { OleSpec, ProductShare } from '../../protocols/offline/correlations.ts';
import { offlineCost, preparationCost, setupCost } from '../../protocols/offline/division.ts';
import { answerCarries, carryOts, chooseCarries, finishCarries } from '../../protocols/offline/rlwe/carry.ts';
import { rlweLayout } from '../../protocols/offline/rlwe/costs.ts';
import { TwoPartyClient, TwoPartyOwner } from '../../protocols/offline/twoParty.ts';
import { ShareSums } from '../../protocols/rlwe/answer.ts';
import { tail } from '../../protocols/rlwe/noise.ts';
import { toCoefficients } from '../../protocols/rlwe/slots.ts';
import {
  fieldBits,
  fieldOf,
  fieldPrimes,
  fieldToRing,
  intoField,
  squaresBits,
  squaresPrime,
  timesInField,
} from '../../protocols/sharing/field.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { channelPair, smallParameters } from '../ideal/otPair.ts';
import { deviationOf, drawRlweOperands, idealResult, type Operands, rlwePair } from '../ideal/rlwe.ts';
import { keyOf } from '../support/keys.ts';

const seed = new Uint8Array(32).fill(11);
const ole = (rows: number, cols: number, terms: number, modulus = 1417217): OleSpec => ({
  kind: 'ole',
  key: keyOf(`ole ${terms}·${rows}·${cols} mod ${modulus}`),
  ringBits: fieldBits(modulus),
  modulus,
  terms,
  rows,
  cols,
});

/** Both parties, one stage: shares add up to the ideal results, and bytes are the plan's. */
async function provideAndCheck(stages: readonly (readonly Operands[])[], random = seed) {
  const channels = channelPair();
  const specs = stages.flat().map(({ client }) => client.spec);
  const options = { parameters: smallParameters };
  const [client, owner] = await Promise.all([
    TwoPartyClient.setup(channels.client.channel, new Prg(random, 'client'), specs, options),
    TwoPartyOwner.setup(channels.owner.channel, new Prg(random, 'owner'), specs, () => [], options),
  ]);
  const { bytesSent, bytesReceived } = channels.client.channel.counters;
  expect({ bytesClientToOwner: bytesSent, bytesOwnerToClient: bytesReceived }).toEqual(
    setupCost(specs, smallParameters),
  );
  const shares: ProductShare[][] = [];
  for (const operands of stages) {
    const [mine, theirs] = await Promise.all([
      client.provide(
        operands.map((each) => each.client),
        () => {},
      ),
      owner.provide(
        operands.map((each) => each.owner),
        () => {},
      ),
    ]);
    operands.forEach((each, i) => {
      const { modulus } = each.client.spec as OleSpec;
      const [c, o] = [(mine[i] as ProductShare).share, (theirs[i] as ProductShare).share];
      expect(c.every((word) => word < modulus) && o.every((word) => word < modulus)).toBe(true);
      expect(c.map((word, at) => (word + o[at]) % modulus)).toEqual(idealResult(each));
      shares.push([mine[i] as ProductShare, theirs[i] as ProductShare]);
    });
  }
  const planned = preparationCost(
    stages.map((stage) => stage.map((each) => each.client.spec)),
    0,
    smallParameters,
  );
  expect(channels.client.channel.counters).toMatchObject({
    bytesSent: bytesSent + planned.bytesClientToOwner,
    bytesReceived: bytesReceived + planned.bytesOwnerToClient,
  });
  client.destroy();
  owner.destroy();
  return shares;
}
const draw = (spec: OleSpec, choice?: Parameters<typeof drawRlweOperands>[2]) =>
  drawRlweOperands(spec, new Prg(seed, spec.key.step), choice);

describe('inner products over a field', () => {
  it.each([
    ['a block of elements, each term a polynomial', [ole(3, 800, 10)]],
    ['terms side by side', [ole(1, 300, 9)]],
    ['one element, one term', [ole(1, 1, 1)]],
    ['exactly full polynomials', [ole(2, 2048, 3)]],
    ['a large field and a small one in a stage', [ole(2, 700, 3, 67084289), ole(5, 7, 4, 114689)]],
    ['the field of squares', [ole(3, 800, 1, squaresPrime)]],
    ['many terms', [ole(1, 2100, 32)]],
  ] as const)('are the ideal functionality’s: %s', async (_name, specs) => {
    await provideAndCheck([specs.map((spec) => draw(spec))]);
  });

  it('of operands at their extremes', async () => {
    const specs = [ole(1, 100, 8), ole(1, 2048, 4, 67084289)];
    for (const choice of ['zero', 'largest', 'smallest'] as const)
      await provideAndCheck([specs.map((spec) => draw(spec, choice))]);
  });

  it('of any shape, several in a stage and several stages', async () => {
    const spec = fc
      .tuple(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 900 }),
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom(...fieldPrimes),
      )
      .map(([rows, cols, terms, p]) => ole(rows, cols, terms, p));
    const stage = fc.array(spec, { minLength: 1, maxLength: 2 });
    await fc.assert(
      fc.asyncProperty(fc.array(stage, { minLength: 1, maxLength: 2 }), fc.nat(255), async (stages, byte) => {
        const named = stages.map((specs, s) =>
          specs.map((each, i) => draw({ ...each, key: keyOf(`${s}.${i}: ${each.key.step}`) })),
        );
        await provideAndCheck(named, new Uint8Array(32).fill(byte));
      }),
      { numRuns: 8 },
    );
  }, 120_000);

  it('leave each party a uniform share', async () => {
    const [[client, owner]] = await provideAndCheck([[draw(ole(2, 2048, 1), 'zero')]]);
    for (const { share } of [client, owner]) {
      const counts = new Uint32Array(16);
      for (const word of share) counts[Math.floor((word * 16) / 1417217)]++;
      const expected = share.length / 16;
      const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
      expect(chiSquare).toBeLessThan(45); // 15 degrees of freedom: exceeded with probability 10^−4
    }
  });

  it('keep the noise below the quarter of a unit that the carry allows, as analysed', () => {
    for (const p of fieldPrimes)
      for (const terms of [1, 16, 32, 64]) {
        const { errorBound, parameters, bits } = rlweLayout(ole(1, 4096, terms, p));
        expect(errorBound, `${p} ${terms} ${parameters.name} ${bits}`).toBeLessThan(1 / 4);
      }
    expect(rlweLayout(ole(197, 197, 1, squaresPrime)).errorBound).toBeLessThan(1 / 4);
    expect(rlweLayout(ole(197, 376, 10)).parameters.name).toBe('n2048q54');
  });

  it('cost what each says, and a COT a coefficient', () => {
    const spec = ole(197, 376, 10);
    const { cots } = offlineCost(spec);
    expect(cots).toBe(37 * 2048);
    expect(carryOts(spec)).toMatchObject({ count: cots, choiceBits: 1 });
  });
});

describe('the carry', () => {
  const p = 114689;
  const spec = ole(1, 1, 1, p);
  it('is put right for every pair of rests, with any mask and choice', () => {
    fc.assert(
      fc.property(
        fc.nat(p - 1),
        fc.nat(p - 1),
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        fc.array(fc.nat(2 ** 32 - 1), { minLength: 6, maxLength: 6 }),
        (client, owner, clientHalf, ownerHalf, choice, words) => {
          const cut = (digit: number, isHalf: boolean) => Uint32Array.of(2 * digit + (isHalf ? 1 : 0));
          const messages = Uint32Array.from(words);
          const chosen = Number(choice);
          const receiver = {
            choices: Uint32Array.of(chosen),
            messages: messages.slice(3 * chosen, 3 * chosen + 3),
          };
          const [c, o] = [cut(client, clientHalf), cut(owner, ownerHalf)];
          const { answer, coefficients } = answerCarries(spec, c, { messages }, chooseCarries(o, receiver));
          const sum = (coefficients[0] + finishCarries(spec, o, receiver, answer)[0]) % p;
          expect(sum).toBe((client + owner + (clientHalf || ownerHalf ? 1 : 0)) % p);
        },
      ),
    );
  });
  it('refuses a correction that is no element of the field', () => {
    const receiver = { choices: Uint32Array.of(0), messages: new Uint32Array(3) };
    const answer = new Uint8Array(3).fill(0xff, 0, 2);
    answer[2] = 1;
    expect(() => finishCarries(spec, Uint32Array.of(0), receiver, answer)).toThrow('expected corrections below');
  });
});

describe('fields', () => {
  it('are prime, split every ring, and divide no modulus', () => {
    for (const p of [...fieldPrimes, squaresPrime]) {
      for (let d = 2; d * d <= p; d++) if (p % d === 0) throw new Error(`${p} is ${d}·${p / d}`);
      expect(p % 8192).toBe(1);
      expect(p).toBeLessThan(p === squaresPrime ? 2 ** squaresBits : 2 ** 26);
      for (const [x, y] of [
        [p - 1, p - 1],
        [p >> 1, p - 2],
        [12345, p - 7],
      ])
        expect(BigInt(timesInField(x, y, p))).toBe((BigInt(x) * BigInt(y)) % BigInt(p));
    }
    expect([...fieldPrimes].sort((a, b) => a - b)).toEqual(fieldPrimes);
    expect(fieldOf(1e6)).toBe(1032193);
    expect(() => fieldOf(2 ** 26)).toThrow('field: expected at most 67084289 elements');
  });
  it('are circles: what wraps in the field wraps in the ring', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...fieldPrimes),
        fc.integer({ min: 2, max: 32 }),
        fc.nat(),
        fc.nat(),
        (p, bits, a, b) => {
          const [x, share] = [a % p, b % p];
          const sum = fieldToRing(share, p, bits) + fieldToRing(intoField(x - share, p), p, bits);
          const error = sum - (x / p) * 2 ** bits;
          const turn = 2 ** bits;
          expect(Math.abs(error - turn * Math.round(error / turn))).toBeLessThan(1.001);
        },
      ),
    );
  });
});

it('the error before shares are cut is as analysed', async () => {
  const spec = ole(1, 2048, 12);
  const { errorBound, bits, parameters } = rlweLayout(spec);
  const each = draw(spec);
  const { cut } = ShareSums.prototype;
  const sums: BigUint64Array[] = [];
  ShareSums.prototype.cut = function (p, offset) {
    sums.push(new BigUint64Array(nttKernel().arena.memory.buffer, this.address, this.count).slice());
    return cut.call(this, p, offset);
  };
  try {
    const pair = await rlwePair(seed, [each]);
    await pair.provide();
    pair.destroy();
  } finally {
    ShareSums.prototype.cut = cut;
  }
  expect(parameters.degree).toBe(2048);
  const { arena } = nttKernel();
  const wanted = arena.scope((scope) => {
    const poly = allocateWords(2048, scope) as Residues;
    arena.words(poly, 2048).set(idealResult(each));
    toCoefficients(2048, spec.modulus, poly);
    return arena.words(poly, 2048).slice();
  });
  const unit = 2 ** bits / spec.modulus;
  const errors = Array.from(wanted, (value, i) => {
    const error = Number(BigInt.asUintN(bits, sums[0][i] + sums[1][i])) / unit - value;
    return error - spec.modulus * Math.round(error / spec.modulus);
  });
  expect(Math.max(...errors.map(Math.abs))).toBeLessThan(errorBound);
  expect(deviationOf(errors) * tail).toBeLessThan(1.1 * errorBound);
  expect(deviationOf(errors) * tail).toBeGreaterThan(0.5 * errorBound);
});
