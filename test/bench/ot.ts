// Both parties take turns in one thread, so that a party's time is its own: in Node the processor's, which other programs do not lengthen.

import { otKind } from '../../protocols/offline/kinds.ts';
import { stageCost } from '../../protocols/offline/ot/segments.ts';
import { otMs, otUnits, referenceTimes } from '../../protocols/offline/ot/times.ts';
import { CotClient, CotOwner } from '../../protocols/ot/cot.ts';
import { cotParameters, drawCost, setupCost } from '../../protocols/ot/cotCosts.ts';
import { systemPrg } from '../../protocols/sharing/prg.ts';
import { channelPair } from '../ideal/otPair.ts';
import { derivedCorrelations } from '../support/otStages.ts';
import { nowMs } from '../support/turns.ts';
import { type BenchResult, summarise } from './measure.ts';
import { calibrateOt, calibrationSpecs, median, otStageTimes, runOtStage, turnTakingOtPair } from './otCalibration.ts';

const million = 1e6;

export async function run(): Promise<BenchResult[]> {
  const setupSeconds: number[] = [];

  const { client, owner } = channelPair();
  const setUp = (parameters = cotParameters) =>
    Promise.all([
      CotClient.setup(client.channel, systemPrg('client'), parameters),
      CotOwner.setup(owner.channel, systemPrg('owner'), parameters),
    ]);
  const timedSetup = async () => {
    const start = performance.now();
    const pair = await setUp();
    setupSeconds.push((performance.now() - start) / 1000);
    return pair;
  };
  let [sender, receiver] = await timedSetup();
  for (let i = 0; i < 4; i++) [sender, receiver] = await timedSetup();

  const rates = drawRates(sender, receiver);
  const checkedRates = drawRates(...(await setUp({ ...cotParameters, checks: true })));
  const memory = [sender, receiver].map(({ kernel }) => kernel.arena.memory.buffer.byteLength / 2 ** 20);

  const slower = rates.client.map((rate, i) => Math.min(rate, rates.owner[i]));
  const setup = setupCost();
  const bits = (8 * (setup.bytesClientToOwner + setup.bytesOwnerToClient + drawCost(0, 10 * million))) / (10 * million);
  const laterBits = (8 * drawCost(10 * million, 1000 * million)) / (990 * million);
  const results = [
    summarise('ot/silentCot', 'COT/s', slower),
    summarise('ot/silentCotClient', 'COT/s', rates.client),
    summarise('ot/silentCotOwner', 'COT/s', rates.owner),
    summarise('ot/checkedCotClient', 'COT/s', checkedRates.client),
    summarise('ot/checkedCotOwner', 'COT/s', checkedRates.owner),
    // Of 10^7 COTs with the set-up, and of what each further one costs: exact figures, without a spread.
    summarise('ot/silentCotBits', 'bit', [bits]),
    summarise('ot/silentCotBitsLater', 'bit', [laterBits]),
    // Of both parties, one after the other.
    summarise('ot/setup', 's', setupSeconds),
    summarise('ot/setupBytes', 'B', [setup.bytesClientToOwner + setup.bytesOwnerToClient]),
  ];

  const { results: stages, memoryMiB } = await stageFigures();
  results.push(...stages, summarise('ot/memory', 'MiB', [...memory, ...memoryMiB]));
  return results;
}

/** Each party's COTs per second, over 2·10^7 of them in draws of as many as a segment of a stage takes; the first draws warm the engine up. */
function drawRates(sender: CotClient, receiver: CotOwner) {
  const rates = { client: [] as number[], owner: [] as number[] };
  const count = 2 ** 19;
  for (let i = 0; i < 40; i++) {
    const start = nowMs();
    const { piece, message, prove } = sender.draw(count);
    const middle = nowMs();
    const got = receiver.draw(count, message);
    const end = nowMs();
    got.check?.verify(prove!(got.check.choices));
    sender.kernel.arena.release(piece.address);
    receiver.kernel.arena.release(got.address);
    if (i < 4) continue;
    rates.client.push((count / (middle - start)) * 1000);
    rates.owner.push((count / (end - middle)) * 1000);
  }
  return rates;
}

/**
 * Each derived correlation: what a stage of it draws and sends, which must be what the plan says, and each party's working time beside two
 * predictions, by the times that the plan uses (of the reference machine) and by times that this run has measured itself.
 */
async function stageFigures() {
  const pair = await turnTakingOtPair();
  const names = Object.keys(derivedCorrelations);
  const specs = Object.values(derivedCorrelations);
  const results: BenchResult[] = [];

  for (const [name, spec] of Object.entries(derivedCorrelations)) {
    const planned = stageCost([spec], pair.client.drawn);
    const { cots, bytesClientToOwner, bytesOwnerToClient } = await runOtStage(pair, spec);
    const bits = 8 * (bytesClientToOwner + bytesOwnerToClient);
    const bitsPlanned = 8 * (planned.bytesClientToOwner + planned.bytesOwnerToClient);
    if (cots !== planned.cots || bits !== bitsPlanned) {
      throw new Error(`${name}: planned ${planned.cots} COTs and ${bitsPlanned} bits, drew ${cots} and sent ${bits}`);
    }
    results.push(
      summarise(`ot/${name}/cots`, 'COT', [cots]),
      summarise(`ot/${name}/cotsPlanned`, 'COT', [planned.cots]),
      summarise(`ot/${name}/bits`, 'bit', [bits]),
      summarise(`ot/${name}/bitsPlanned`, 'bit', [bitsPlanned]),
    );
  }

  const times = await otStageTimes(pair, [...calibrationSpecs, ...specs], 11);
  const calibrated = await calibrateOt('this machine', times.slice(0, calibrationSpecs.length));
  for (const [i, name] of names.entries()) {
    const measured = times[calibrationSpecs.length + i];
    const total = { measured: 0, planned: 0, calibrated: 0 };
    for (const party of ['client', 'owner'] as const) {
      const work = otKind(specs[i]).work(specs[i])[party];
      const planned = otMs(work, referenceTimes[party]);
      total.measured += median(measured[party]);
      total.planned += planned;
      total.calibrated += otMs(work, calibrated[party]);
      results.push(
        summarise(`ot/${name}/${party}`, 'ms', [...measured[party]]),
        summarise(`ot/${name}/${party}Planned`, 'ms', [planned]),
      );
    }
    results.push(
      summarise(`ot/${name}/planned÷measured`, '×', [total.planned / total.measured]),
      summarise(`ot/${name}/calibrated÷measured`, '×', [total.calibrated / total.measured]),
    );
  }
  for (const party of ['client', 'owner'] as const) {
    for (const unit of otUnits) results.push(summarise(`ot/unit/${party}/${unit}`, 'ns', [calibrated[party][unit]]));
  }
  return { results, memoryMiB: [pair.client, pair.owner].map(({ memoryBytes }) => memoryBytes / 2 ** 20) };
}
