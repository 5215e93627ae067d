// One private classification after another with the bundled model, both parties in one process, without a dealer: CPU time of both together.
import { cpuUsage } from 'node:process';
import {
  ClientSession,
  evaluateReference,
  FramedChannel,
  inputOf,
  memoryWirePair,
  OwnerSession,
} from '../../protocols/index.ts';
import { modelFolder, modelNames, readModel } from '../../scripts/lib/models.ts';
import { picture } from '../support/pairing.ts';
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
      if (i > 0) figures.offlineCpuMs!.push(cpuMs() - cpu);
      cpu = cpuMs();
      await client.classify(pixels);
      const { phases } = client.report();
      if (i > 0) figures.onlineCpuMs!.push(cpuMs() - cpu);
      if (i > 0) figures.offlineMs!.push(phases.offline.elapsedMs);
      if (i > 0) figures.onlineMs!.push(phases.online.elapsedMs);
      const start = performance.now();
      evaluateReference(model.plan, model.weights, inputOf(pixels, architecture));
      if (i > 0) figures.referenceMs!.push(performance.now() - start);
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
  }
  return results;
}
