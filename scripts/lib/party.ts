/** One party of `npm run classify`, as a process of its own; its parent carries the signaling and prints the result. */
import { availableParallelism } from 'node:os';
import {
  ClientSession,
  demandOf,
  OwnerSession,
  type Plan,
  type SessionEvent,
  type SessionReport,
} from '../../protocols/index.ts';

import { answerThreads } from './answerThreads.ts';
import { type Classified, classifyEach, pictureFiles, type Unreadable } from './classifyEach.ts';
import { connectParty, type Signal, type Transport } from './connect.ts';
import { readImage } from './images.ts';
import { modelFolder, readModel } from './models.ts';
import { runOnnx } from './onnxRunner.ts';
import { startOtThread } from './otThread.ts';
import { PlaintextModel } from './plaintext.ts';
import { shapeWire } from './shapedWire.ts';

export interface PartyTask {
  readonly party: 'client' | 'owner';
  readonly transport: Transport;
  readonly model: string;
  /** The client's: a file, or a folder. */
  readonly image: string;
  readonly rttMs: number;
  readonly mbps: number;
  readonly otChecks: boolean;
  /** The owner's threads for its answers of ring-LWE; as the cores allow, where it is left out. */
  readonly workers: number | undefined;
}

export type PartyMessage =
  | Signal
  | { readonly progress: Extract<SessionEvent, { type: 'progress' }> }
  | { readonly answered: Classified | Unreadable }
  | { readonly result: PartyResult }
  | { readonly failed: string };

export interface PartyResult {
  /** Of the whole process, Node's own included. */
  readonly peakMemoryMiB: number;
  /** What the plan says that a party holds for one classification at most. */
  readonly plannedMemoryMiB: number;
  /** The client's: of each picture that was answered. */
  readonly plaintextLogits?: number[][];
  /** Blocks that the client computed itself, where the model has a public part. */
  readonly publicBlocks?: number | undefined;
  readonly report: SessionReport;
}

const tell = (message: PartyMessage) => process.send!(message);

async function run(task: PartyTask): Promise<void> {
  const listeners: ((signal: Signal) => void)[] = [];
  process.on('message', (message: Signal) => {
    for (const listener of listeners) listener(message);
  });
  const otThread = startOtThread();
  const pool = answerThreads(task.party === 'owner' ? task.workers : 0);
  pool.open(); // they load while the parties connect
  const wire = await connectParty(task.party, task.transport, {
    send: tell,
    onSignal: (listener) => listeners.push(listener),
  });
  const shaped =
    task.rttMs > 0 || task.mbps > 0
      ? shapeWire(wire, { rttMs: task.rttMs, mbps: task.mbps > 0 ? task.mbps : Number.POSITIVE_INFINITY })
      : wire;
  const { channel, ot } = otThread.open(shaped);
  const { otChecks } = task;
  const onEvent = (event: SessionEvent) => event.type === 'progress' && tell({ progress: event });
  const memory = (plan: Plan) => ({
    peakMemoryMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    plannedMemoryMiB: Math.round((4 * demandOf(plan).sessionWords) / 2 ** 20),
  });

  if (task.party === 'owner') {
    const model = await readModel(await modelFolder(task.model));
    const session = await OwnerSession.open(channel, model, { onEvent, ot, otChecks, pool });
    await session.serve();
    tell({ result: { ...memory(session.plan), report: session.report() } });
  } else {
    const files = await pictureFiles(task.image);
    // A wrong file is found before the owner is asked for anything.
    if (files.length === 1) await readImage(files[0]);
    const session = await ClientSession.open(channel, { onEvent, ot, otChecks, runOnnx });
    const pictures: Uint8Array[] = [];
    for await (const each of classifyEach(session, files)) {
      if ('unreadable' in each) {
        tell({ answered: each });
        continue;
      }
      const { pixels, ...answered } = each;
      pictures.push(pixels);
      tell({ answered });
    }
    await session.close();
    // The peak of the private run, before the plaintext model is loaded beside it.
    const peak = memory(session.plan);
    const plaintext = await PlaintextModel.load(await modelFolder(task.model), availableParallelism());
    const logits = pictures.length > 0 ? await plaintext.logits(pictures) : [];
    const plaintextLogits = Array.from(logits, (each) => [...each]);
    const publicBlocks = session.manifest.publicPart?.blocks;
    tell({ result: { ...peak, publicBlocks, plaintextLogits, report: session.report() } });
  }
}

process.once('message', (task: PartyTask) => {
  run(task)
    .catch((error: unknown) => tell({ failed: error instanceof Error ? error.message : String(error) }))
    // The native WebRTC library keeps the process alive otherwise.
    .finally(() => setTimeout(() => process.exit(0), 50));
});
