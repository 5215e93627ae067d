/**
 * npx tsx test/bench/cores.ts [MODEL] [WORKERS]: what each thread of one private classification computes until the image is awaited (keys and a
 * preparation), with so many Workers for the owner's answers (4). The longest of them is a bound on how fast a machine with a core for each could
 * be; it is computed, for here they share the cores there are. Linux only: the kernel's count of a thread's processor time is read.
 */
import { MessageChannel } from 'node:worker_threads';
import { type MessagePortLike, messagePortWire, OwnerSession } from '../../protocols/index.ts';
import { AnswerPool } from '../../protocols/offline/rlwe/pool.ts';
import { defaultModel, modelFolder, readModel } from '../../scripts/lib/models.ts';
import { startOtThread } from '../../scripts/lib/otThread.ts';
import { startThread } from '../../scripts/lib/thread.ts';
import { type FromClient, type Report, roleModule, threadMs, untilReports } from './coresThread.ts';

const [name = defaultModel, workers = '4'] = process.argv.slice(2);
const model = await readModel(await modelFolder(name));
const fail = (error: Error) => {
  throw error;
};
const pool = new AnswerPool(Number(workers), (onFailure) => startThread(roleModule('owner, answers'), onFailure));
pool.open();
const { port1, port2 } = new MessageChannel();
const client = startThread(roleModule('client, ring-LWE and session'), fail);
const said = new Map<FromClient, () => void>();
const until = (what: FromClient) => new Promise<void>((resolve) => said.set(what, resolve));
client.onmessage = ({ data }: { data: FromClient }) => said.get(data)?.();
client.postMessage(port2, [port2 as unknown as MessagePortLike]);
const { channel, ot } = startOtThread(roleModule('owner, OT')).open(
  messagePortWire(port1 as unknown as MessagePortLike),
);

const opened = until('opened');
const session = await OwnerSession.open(channel, model, { onEvent: () => {}, ot, pool });
await opened;
const ownMs = (): Report => ({ role: 'owner, ring-LWE and session', ms: threadMs() });
// One for each thread: the client's two, the owner's transfers, the Workers.
const threads = 3 + pool.size;
const before = [ownMs(), ...(await untilReports(threads))];
const startMs = performance.now();
const prepared = until('prepared');
client.postMessage('prepare', []);
const served = session.serve();
await prepared;
const elapsedMs = performance.now() - startMs;
const after = [ownMs(), ...(await untilReports(threads))];
const used = after
  .map(({ role, ms, id, memoryMiB }) => ({
    role,
    memoryMiB,
    ms: ms - (before.find((each) => each.id === id)?.ms ?? 0),
  }))
  .sort((a, b) => b.ms - a.ms);
for (const { role, ms, memoryMiB } of used)
  process.stdout.write(
    `${(ms / 1000).toFixed(2).padStart(8)} s  ${role}${memoryMiB ? `, ${memoryMiB.toFixed(0)} MiB of the kernel’s memory` : ''}\n`,
  );
process.stdout.write(`${(elapsedMs / 1000).toFixed(2).padStart(8)} s  by the clock, on the cores there are\n`);
process.stdout.write(`memory of the process: ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB\n`);
client.postMessage('close', []);
await served;
process.exit(0);
