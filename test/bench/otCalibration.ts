/** Times of the units that offline/ot/times.ts counts, on this machine: each party's own working time, fitted to stages of few and of many of each unit. */
import { TweakSource } from '../../protocols/kernels/tweaks.ts';
import type { OtBasedSpec } from '../../protocols/offline/correlations.ts';
import { otKind } from '../../protocols/offline/kinds.ts';
import { OtClient, OtOwner } from '../../protocols/offline/ot/provider.ts';
import { type OtTimes, type OtUnit, type OtWork, otMs, otUnits } from '../../protocols/offline/ot/times.ts';
import { CotClient, CotOwner } from '../../protocols/ot/cot.ts';
import { cotParameters } from '../../protocols/ot/cotCosts.ts';
import { refillTrees } from '../../protocols/ot/ferret.ts';
import { systemPrg } from '../../protocols/sharing/prg.ts';
import { drawOperands } from '../ideal/ot.ts';
import { keyOf } from '../support/keys.ts';
import { channels } from '../support/pairing.ts';
import { nowMs, type TurnChannel, takingTurns } from '../support/turns.ts';

export interface OtPair {
  readonly client: OtClient;
  readonly owner: OtOwner;
  readonly channels: readonly [TurnChannel, TurnChannel];
}

/** Both parties of the OT-based offline phase, set up, with the parameters that are used. */
export async function turnTakingOtPair(): Promise<OtPair> {
  const [a, b] = takingTurns(channels());
  const [client, owner] = await Promise.all([
    a.run(() => OtClient.setup(a, systemPrg('client'))),
    b.run(() => OtOwner.setup(b, systemPrg('owner'))),
  ]);
  return { client, owner, channels: [a, b] };
}

export interface PartyTimes {
  readonly client: number;
  readonly owner: number;
}

export interface MeasuredStage extends PartyTimes {
  readonly cots: number;
  readonly bytesClientToOwner: number;
  readonly bytesOwnerToClient: number;
}

/** One stage of one spec: both parties' working times in milliseconds, and what it drew and sent. */
export async function runOtStage(
  { client, owner, channels: [a, b] }: OtPair,
  spec: OtBasedSpec,
): Promise<MeasuredStage> {
  const operands = drawOperands(spec, systemPrg('operands'));
  const before = { drawn: client.drawn, ...a.counters, clientMs: a.totalMs, ownerMs: b.totalMs };
  await Promise.all([a.run(() => client.provide([operands.client])), b.run(() => owner.provide([operands.owner]))]);
  return {
    client: a.totalMs - before.clientMs,
    owner: b.totalMs - before.ownerMs,
    cots: client.drawn - before.drawn,
    bytesClientToOwner: a.counters.bytesSent - before.bytesSent,
    bytesOwnerToClient: a.counters.bytesReceived - before.bytesReceived,
  };
}

/** Both parties' working times for every spec, run by run; the specs take turns, so that a disturbance hits all alike. */
export async function otStageTimes(pair: OtPair, specs: readonly OtBasedSpec[], runs: number): Promise<StageTimes[]> {
  const times = specs.map(() => ({ client: [] as number[], owner: [] as number[] }));
  for (let run = -2; run < runs; run++) {
    for (const [i, spec] of specs.entries()) {
      const { client, owner } = await runOtStage(pair, spec);
      // The first runs warm the engine up.
      if (run < 0) continue;
      times[i].client.push(client);
      times[i].owner.push(owner);
    }
  }
  return times;
}

export interface StageTimes {
  readonly client: readonly number[];
  readonly owner: readonly number[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

const ot = (choiceBits: number, words: number, count: number): OtBasedSpec => ({
  kind: 'ot',
  key: keyOf('ot'),
  ringBits: 20,
  count,
  choiceBits,
  words,
});
const square = (ringBits: number, count: number): OtBasedSpec => ({
  kind: 'square',
  key: keyOf('square'),
  ringBits,
  count,
});
const ringCot = (ringBits: number, factorBits: number, count: number): OtBasedSpec => ({
  kind: 'ringCot',
  key: keyOf('ringCot'),
  ringBits,
  count,
  factorBits,
});
const scale = (ringBits: number, rows: number, cols: number): OtBasedSpec => ({
  kind: 'scale',
  key: keyOf('scale'),
  ringBits,
  rows,
  cols,
});

/** None of these is a shape whose time is then predicted. */
export const calibrationSpecs: readonly OtBasedSpec[] = [
  ot(1, 1, 2 ** 17),
  ot(1, 16, 2 ** 14),
  ot(1, 40, 2 ** 13),
  ot(2, 1, 2 ** 16),
  ot(6, 1, 2 ** 12),
  ot(9, 2, 2 ** 9),
  square(31, 2 ** 12),
  square(20, 2 ** 13),
  square(9, 2 ** 14),
  ringCot(17, 6, 2 ** 13),
  ringCot(25, 14, 2 ** 12),
  scale(20, 512, 1),
  scale(20, 128, 20),
  scale(24, 64, 128),
  scale(8, 64, 1024),
  scale(32, 16, 512),
];

/**
 * Times of all units.
 * @param statistic which of a stage's times counts: their median, or on a machine with other work their minimum.
 */
export async function calibrateOt(
  machine: string,
  stages: readonly StageTimes[],
  statistic: (times: readonly number[]) => number = median,
): Promise<OtTimes> {
  const direct = await directTimes(statistic);
  const works = calibrationSpecs.map((spec) => otKind(spec).work(spec));
  const fitted = (party: 'client' | 'owner') =>
    nonNegativeLeastSquares(
      works.map((work) => work[party]),
      stages.map((times) => statistic(times[party])),
      direct[party],
    );
  return { machine, client: fitted('client'), owner: fitted('owner') };
}

/** What can be told alone: nanoseconds for a COT drawn (the trees that every round keeps for the next are paid by all), a hash and a block. */
async function directTimes(statistic: (times: readonly number[]) => number) {
  const [a, b] = channels();
  const [sender, receiver] = await Promise.all([
    CotClient.setup(a, systemPrg('client')),
    CotOwner.setup(b, systemPrg('owner')),
  ]);
  const count = 2 ** 17;
  const { kernel } = sender;
  const output = kernel.arena.allocate(64 * count);
  const times = { client: [] as number[], owner: [] as number[], hash: [] as number[], block: [] as number[] };
  for (let i = -4; i < 20; i++) {
    const marks = [nowMs()];
    const { piece, message } = sender.draw(count);
    marks.push(nowMs());
    const got = receiver.draw(count, message);
    marks.push(nowMs());
    const tweaks = new TweakSource('forward').segment().piece(count);
    kernel.hash(tweaks.take('output'), piece.address, count, output);
    marks.push(nowMs());
    const messages = { input: piece.address, count, words: 1, mask: 0xffffffff, output, stride: 4 };
    kernel.hashMessages(tweaks.take('message'), messages);
    marks.push(nowMs());
    sender.kernel.arena.release(piece.address);
    receiver.kernel.arena.release(got.address);
    if (i < 0) continue;
    for (const [j, list] of [times.client, times.owner, times.hash, times.block].entries())
      list.push(marks[j + 1] - marks[j]);
  }
  const { main } = cotParameters;
  const amortised = main.trees / (main.trees - refillTrees(main));
  const each = (list: readonly number[]) => (1e6 * statistic(list)) / count;
  const [hash, block] = [each(times.hash), each(times.block)];
  return {
    client: { cot: amortised * each(times.client), hash, block },
    owner: { cot: amortised * each(times.owner), hash, block },
  };
}

/** Least squares of relative errors, with no time below zero: coordinate descent. @param known times that are not to be fitted. */
function nonNegativeLeastSquares(
  works: readonly OtWork[],
  measuredMs: readonly number[],
  known: Partial<Record<OtUnit, number>>,
): Record<OtUnit, number> {
  const times = Object.fromEntries(otUnits.map((unit) => [unit, known[unit] ?? 0])) as Record<OtUnit, number>;
  for (let round = 0; round < 5000; round++) {
    for (const unit of otUnits) {
      if (known[unit] !== undefined) continue;
      let [along, squares] = [0, 0];
      works.forEach((work, i) => {
        const share = (work[unit] ?? 0) / 1e6 / measuredMs[i];
        along += share * (1 - otMs(work, times) / measuredMs[i]);
        squares += share ** 2;
      });
      if (squares > 0) times[unit] = Math.max(0, times[unit] + along / squares);
    }
  }
  return times;
}
