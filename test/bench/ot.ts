// Both parties take turns in one thread, so that a party's time is its own.
import type { SquareSpec } from '../../protocols/offline/correlations.ts';
import { OtClient, OtOwner, setupCost, specCost } from '../../protocols/offline/ot.ts';
import { CotClient, CotOwner, drawCost } from '../../protocols/ot/cot.ts';
import { systemPrg } from '../../protocols/sharing/prg.ts';
import { drawOperands } from '../ideal/ot.ts';
import { channelPair } from '../ideal/otPair.ts';
import { type BenchResult, summarise } from './measure.ts';

const million = 1e6;

export async function run(): Promise<BenchResult[]> {
  const rates = { client: [] as number[], owner: [] as number[] };
  const setupSeconds: number[] = [];

  const { client, owner } = channelPair();
  const timedSetup = async () => {
    const start = performance.now();
    const pair = await Promise.all([
      CotClient.setup(client.channel, systemPrg('client')),
      CotOwner.setup(owner.channel, systemPrg('owner')),
    ]);
    setupSeconds.push((performance.now() - start) / 1000);
    return pair;
  };
  let [sender, receiver] = await timedSetup();
  for (let i = 0; i < 4; i++) [sender, receiver] = await timedSetup();

  // 2·10^7 COTs, in draws of as many as a segment of a stage takes; the first draws warm the engine up.
  const count = 2 ** 19;
  for (let i = 0; i < 40; i++) {
    const start = performance.now();
    const { piece, message } = sender.draw(count);
    const middle = performance.now();
    const got = receiver.draw(count, message);
    const end = performance.now();
    sender.kernel.arena.release(piece.address);
    receiver.kernel.arena.release(got.address);
    if (i < 4) continue;
    rates.client.push((count / (middle - start)) * 1000);
    rates.owner.push((count / (end - middle)) * 1000);
  }
  const memory = [sender, receiver].map(({ kernel }) => kernel.arena.memory.buffer.byteLength / 2 ** 20);

  const slower = rates.client.map((rate, i) => Math.min(rate, rates.owner[i]!));
  const setup = setupCost();
  const bits = (8 * (setup.bytesClientToOwner + setup.bytesOwnerToClient + drawCost(0, 10 * million))) / (10 * million);
  const laterBits = (8 * drawCost(10 * million, 1000 * million)) / (990 * million);
  const results = [
    summarise('ot/silentCot', 'COT/s', slower),
    summarise('ot/silentCotClient', 'COT/s', rates.client),
    summarise('ot/silentCotOwner', 'COT/s', rates.owner),
    // Of 10^7 COTs with the set-up, and of what each further one costs: exact figures, without a spread.
    summarise('ot/silentCotBits', 'bit', [bits]),
    summarise('ot/silentCotBitsLater', 'bit', [laterBits]),
    // Of both parties, one after the other.
    summarise('ot/setup', 's', setupSeconds),
    summarise('ot/setupBytes', 'B', [setup.bytesClientToOwner + setup.bytesOwnerToClient]),
  ];

  // Stages of one kind, both parties in one thread, COTs included.
  const channels = channelPair();
  const options = [
    OtClient.setup(channels.client.channel, systemPrg('client')),
    OtOwner.setup(channels.owner.channel, systemPrg('owner')),
  ] as const;
  const [clientProvider, ownerProvider] = await Promise.all(options);
  const stages = {
    'ot/truncationOt': { kind: 'ot', id: 'a', ringBits: 16, count: 2 ** 19, choiceBits: 1, words: 1 },
    'ot/splineOt': { kind: 'ot', id: 'a', ringBits: 27, count: 2 ** 14, choiceBits: 5, words: 3 },
    'ot/square': { kind: 'square', id: 'a', ringBits: 28, count: 2 ** 15 } satisfies SquareSpec,
    'ot/scale': { kind: 'scale', id: 'a', ringBits: 27, rows: 64, cols: 256 },
  } as const;
  for (const [name, spec] of Object.entries(stages)) {
    const elements = spec.kind === 'scale' ? spec.rows * spec.cols : spec.count;
    const perSecond: number[] = [];
    for (let i = 0; i < 9; i++) {
      const operands = drawOperands(spec, systemPrg('operands'));
      const start = performance.now();
      await Promise.all([clientProvider.provide([operands.client]), ownerProvider.provide([operands.owner])]);
      if (i >= 2) perSecond.push((elements / (performance.now() - start)) * 1000);
    }
    results.push(summarise(name, '1/s', perSecond));
    const { cots, bytesClientToOwner, bytesOwnerToClient } = specCost(spec);
    results.push(
      summarise(`${name}Bits`, 'bit', [(cots * laterBits + 8 * (bytesClientToOwner + bytesOwnerToClient)) / elements]),
    );
  }
  memory.push(clientProvider.memoryBytes / 2 ** 20, ownerProvider.memoryBytes / 2 ** 20);
  results.push(summarise('ot/memory', 'MiB', memory));
  return results;
}
