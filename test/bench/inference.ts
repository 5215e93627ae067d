// One private classification after another with the bundled model, both parties in one process, without a dealer.
import { cpuUsage } from 'node:process';
import {
  ClientSession,
  evaluateReference,
  FramedChannel,
  inputOf,
  memoryWirePair,
  type OwnerModel,
  OwnerSession,
} from '../../protocols/index.ts';
import { twoParty } from '../../protocols/inference/offline.ts';
import { prepareClient, prepareOwner } from '../../protocols/inference/prepare.ts';
import type { LinearSpec, Provider } from '../../protocols/offline/correlations.ts';
import { isServedByRlwe, offlineCost } from '../../protocols/offline/division.ts';
import { otStep, rlweStep } from '../../protocols/offline/twoParty.ts';
import { systemPrg } from '../../protocols/sharing/prg.ts';
import { modelFolder, modelNames, readModel } from '../../scripts/lib/models.ts';
import { channels, picture } from '../support/pairing.ts';
import { type TurnChannel, takingTurns } from '../support/turns.ts';
import { type BenchResult, summarise } from './measure.ts';

const runs = 5;

export async function run(): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  for (const name of await modelNames()) {
    const model = await readModel(await modelFolder(name));
    const { architecture } = model.manifest;
    const [a, b] = memoryWirePair();
    const options = { onEvent: () => {} };
    const [client, owner] = await Promise.all([
      ClientSession.open(new FramedChannel(a), options),
      OwnerSession.open(new FramedChannel(b), model, options),
    ]);
    const served = owner.serve();
    const figures: Record<string, number[]> = {
      offlineMs: [],
      offlineCpuMs: [],
      onlineMs: [],
      onlineCpuMs: [],
      referenceMs: [],
    };
    const cpuMs = () => (cpuUsage().user + cpuUsage().system) / 1000;
    for (let i = 0; i < runs; i++) {
      const pixels = picture(architecture.imageSize, i);
      let cpu = cpuMs();
      await client.prepare();
      if (i > 0) figures.offlineCpuMs.push(cpuMs() - cpu);
      cpu = cpuMs();
      await client.classify(pixels);
      const { phases } = client.report();
      if (i > 0) figures.onlineCpuMs.push(cpuMs() - cpu);
      if (i > 0) figures.offlineMs.push(phases.offline.elapsedMs);
      if (i > 0) figures.onlineMs.push(phases.online.elapsedMs);
      const start = performance.now();
      evaluateReference(model.plan, model.weights, inputOf(pixels, architecture));
      if (i > 0) figures.referenceMs.push(performance.now() - start);
    }
    const { phases } = client.report();
    await client.close();
    await served;
    for (const [figure, values] of Object.entries(figures))
      results.push(summarise(`inference/${name}/${figure}`, 'ms', values));
    for (const phase of ['setup', 'offline', 'online'] as const) {
      const { bytesClientToOwner, bytesOwnerToClient, flights } = phases[phase];
      results.push(summarise(`inference/${name}/${phase}Bytes`, 'bytes', [bytesClientToOwner + bytesOwnerToClient]));
      results.push(summarise(`inference/${name}/${phase}Flights`, 'flights', [flights]));
    }
    results.push(...(await workFigures(name, model)));
  }
  return results;
}

/** Each party's own working time in a preparation, by protocol, beside the plan's prediction. */
async function workFigures(name: string, { plan, weights }: OwnerModel): Promise<BenchResult[]> {
  const [a, b] = takingTurns(channels());
  const options = (channel: TurnChannel) => ({ onStep: (step: string) => channel.enterStep(step, 'offline') });
  const [client, owner] = await Promise.all([
    a.run(() => twoParty.client(a, plan, systemPrg('client'), options(a))),
    b.run(() => twoParty.owner(b, plan, weights, systemPrg('owner'), options(b))),
  ]);
  // What is done between the stages: random words, and the client's shares from layer to layer.
  const between = 'shares';
  const marked = <R, C>(channel: TurnChannel, provider: Provider<R, C>): Provider<R, C> => ({
    source: provider.source,
    provide: async (requests, progress) => {
      const results = await provider.provide(requests, progress);
      channel.enterStep(between, 'offline');
      return results;
    },
    destroy: () => provider.destroy(),
  });
  const drawing = {
    ...marked(a, client),
    draw: async (specs: readonly LinearSpec[]) => {
      const drawn = await client.draw(specs);
      a.enterStep(between, 'offline');
      return drawn;
    },
  };
  const times = new Map<string, number[]>();
  for (let i = 0; i < runs; i++) {
    for (const channel of [a, b]) {
      channel.busyMs.clear();
      channel.enterStep(between, 'offline');
    }
    await Promise.all([
      a.run(() => prepareClient(plan, drawing, systemPrg('client'), () => {})),
      b.run(() => prepareOwner(plan, weights, marked(b, owner), systemPrg('owner'), () => {})),
    ]);
    if (i === 0) continue;
    for (const [party, { busyMs }] of [['client', a] as const, ['owner', b] as const]) {
      for (const step of [otStep, rlweStep, between]) {
        const key = `${party}/${step}`;
        times.set(key, [...(times.get(key) ?? []), busyMs.get(step)!]);
      }
    }
  }
  const planned = new Map<string, number>();
  for (const spec of plan.stages.flat()) {
    const { clientMs, ownerMs } = offlineCost(spec);
    const step = isServedByRlwe(spec) ? rlweStep : otStep;
    planned.set(`client/${step}`, (planned.get(`client/${step}`) ?? 0) + clientMs);
    planned.set(`owner/${step}`, (planned.get(`owner/${step}`) ?? 0) + ownerMs);
  }
  return [...times].flatMap(([key, values]) => {
    const title = `inference/${name}/work/${key}`;
    const measured = summarise(title, 'ms', values);
    if (!planned.has(key)) return [measured];
    return [
      measured,
      summarise(`${title}Planned`, 'ms', [planned.get(key)!]),
      summarise(`${title}/planned÷measured`, '×', [planned.get(key)! / measured.value]),
    ];
  });
}
