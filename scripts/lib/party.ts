/** One party of `npm run classify`, as a process of its own; its parent carries the signaling and prints the result. */
import { cpus } from 'node:os';
import {
  type Classification,
  ClientSession,
  demandOf,
  OwnerSession,
  openStreams,
  type Plan,
  prepareImage,
  type SessionEvent,
  type SessionReport,
} from '../../protocols/index.ts';
import { connectParty, type Signal, type Transport } from './connect.ts';
import { readImage } from './images.ts';
import { modelFolder, readModel } from './models.ts';
import { PlaintextModel } from './plaintext.ts';
import { shapeWire } from './shapedWire.ts';

export interface PartyTask {
  readonly party: 'client' | 'owner';
  readonly transport: Transport;
  readonly model: string;
  /** The client's. */
  readonly image: string;
  readonly rttMs: number;
  readonly mbps: number;
}

export type PartyMessage =
  | Signal
  | { readonly progress: Extract<SessionEvent, { type: 'progress' }> }
  | { readonly result: PartyResult }
  | { readonly failed: string };

export interface PartyResult {
  /** Of the whole process, Node's own included. */
  readonly peakMemoryMiB: number;
  /** What the plan says that a party holds for one classification at most. */
  readonly plannedMemoryMiB: number;
  /** The client's. */
  readonly classification?: Classification;
  readonly plaintextLogits?: number[];
  readonly report: SessionReport;
}

const tell = (message: PartyMessage) => process.send!(message);

async function run(task: PartyTask): Promise<void> {
  const listeners: ((signal: Signal) => void)[] = [];
  process.on('message', (message: Signal) => {
    for (const listener of listeners) listener(message);
  });
  const wire = await connectParty(task.party, task.transport, {
    send: tell,
    onSignal: (listener) => listeners.push(listener),
  });
  const shaped =
    task.rttMs > 0 || task.mbps > 0
      ? shapeWire(wire, { rttMs: task.rttMs, mbps: task.mbps > 0 ? task.mbps : Number.POSITIVE_INFINITY })
      : wire;
  const { channel, ot } = openStreams(shaped);
  const onEvent = (event: SessionEvent) => event.type === 'progress' && tell({ progress: event });
  const memory = (plan: Plan) => ({
    peakMemoryMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    plannedMemoryMiB: Math.round((4 * demandOf(plan).sessionWords) / 2 ** 20),
  });

  if (task.party === 'owner') {
    const session = await OwnerSession.open(channel, await readModel(await modelFolder(task.model)), { onEvent, ot });
    await session.serve();
    tell({ result: { ...memory(session.plan), report: session.report() } });
  } else {
    // A wrong file is found before the owner is asked for anything.
    const image = await readImage(task.image);
    const session = await ClientSession.open(channel, { onEvent, ot });
    await session.prepare();
    const pixels = prepareImage(image, session.manifest.preprocessing);
    const classification = await session.classify(pixels);
    await session.close();
    // The peak of the private run, before the plaintext model is loaded beside it.
    const peak = memory(session.plan);
    const plaintext = await PlaintextModel.load(await modelFolder(task.model), cpus().length);
    const [logits] = await plaintext.logits([pixels]);
    tell({ result: { ...peak, classification, plaintextLogits: [...logits], report: session.report() } });
  }
}

process.once('message', (task: PartyTask) => {
  run(task)
    .catch((error: unknown) => tell({ failed: error instanceof Error ? error.message : String(error) }))
    // The native WebRTC library keeps the process alive otherwise.
    .finally(() => setTimeout(() => process.exit(0), 50));
});
