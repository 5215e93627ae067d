/**
 * npm run classify -- --image FILE|FOLDER [--model NAME|PATH] [--transport memory|webrtc] [--rtt MS] [--mbps N] [--ot-checks] [--workers N] [--json]
 * npm run classify -- --image FILE|FOLDER --connect LINK [--wait SECONDS] [--link-servers use|ignore] [--ot-checks] [--json]
 * Both parties as processes of this machine; with an invite link only the client, whose owner is at the other end.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseInvite } from '../client/src/pairing/invite.ts';
import type { ClientSession, Phase, PhaseMeter, SessionEvent, SessionReport } from '../protocols/index.ts';
import { workersOf } from './lib/answerThreads.ts';
import { type Classified, classifyEach, pictureFiles, type Unreadable } from './lib/classifyEach.ts';
import { withOwner } from './lib/headlessClient.ts';
import { readImage } from './lib/images.ts';
import { introductionOf, type LinkServers, linkServersChoices } from './lib/introduction.ts';
import { defaultModel, modelFolder } from './lib/models.ts';
import { installWebRtc } from './lib/nodeWebRtc.ts';
import { readOptions } from './lib/options.ts';
import type { PartyMessage, PartyResult, PartyTask } from './lib/party.ts';

const usage = `npm run classify -- --image FILE|FOLDER [--model NAME|PATH] [--transport memory|webrtc] [--rtt MS] [--mbps N] [--ot-checks] [--workers N] [--json]
       npm run classify -- --image FILE|FOLDER --connect LINK [--wait SECONDS] [--link-servers use|ignore] [--ot-checks] [--json]`;

async function main(): Promise<void> {
  const values = readOptions(usage, {
    image: { type: 'string' },
    model: { type: 'string', default: defaultModel },
    transport: { type: 'string', default: 'memory' },
    rtt: { type: 'string', default: '0' },
    mbps: { type: 'string', default: '0' },
    'ot-checks': { type: 'boolean', default: false },
    workers: { type: 'string' },
    json: { type: 'boolean', default: false },
    connect: { type: 'string' },
    wait: { type: 'string', default: '0' },
    'link-servers': { type: 'string' },
  });
  const { image, model, transport, json, 'ot-checks': otChecks } = values;
  const [rttMs, mbps] = [Number(values.rtt), Number(values.mbps)];
  if (!image || (transport !== 'memory' && transport !== 'webrtc') || !(rttMs >= 0) || !(mbps >= 0))
    throw new Error(`usage: ${usage}`);
  const linkServers = linkServersChoices.find((choice) => choice === values['link-servers']);
  if (linkServers !== values['link-servers'])
    throw new Error(`--link-servers: expected ${linkServersChoices.join(' or ')}`);
  if (values.connect !== undefined)
    return connect(values.connect, image, { waitMs: 1000 * Number(values.wait), linkServers, otChecks, json });
  const workers = workersOf(values.workers);
  await modelFolder(model);
  await pictureFiles(image);

  const task = { transport, model, image, rttMs, mbps, otChecks, workers } as const;
  const answers = new Answers(json);
  const { client, owner } = await answers.orWhatThereIs(
    runParties({ ...task, party: 'client' }, { ...task, party: 'owner' }, answers),
  );
  const { plaintextLogits = [], report } = client;
  const errors = answers.classified.map(({ classification: { logits } }, i) =>
    Math.max(...logits.map((logit, k) => Math.abs(logit - plaintextLogits[i][k]))),
  );
  const largest = (row: readonly number[]) => row.indexOf(Math.max(...row));
  const sameLabel = plaintextLogits.filter(
    (row, i) => largest(row) === answers.classified[i].classification.labelIndex,
  );
  answers.write({
    model,
    plaintextLogits,
    maxAbsLogitError: Math.max(...errors),
    sameLabelAsPlaintext: sameLabel.length,
    publicBlocks: client.publicBlocks,
    correlations: report.correlations,
    layers: report.layers,
    peakMemoryMiB: { client: client.peakMemoryMiB, owner: owner.peakMemoryMiB },
    plannedMemoryMiB: client.plannedMemoryMiB,
  });
}

interface ConnectOptions {
  readonly waitMs: number;
  readonly linkServers: LinkServers | undefined;
  readonly otChecks: boolean;
  readonly json: boolean;
}

/** As a client of an owner elsewhere: another's page, or `npm run owner`. */
async function connect(
  link: string,
  place: string,
  { waitMs, linkServers, otChecks, json }: ConnectOptions,
): Promise<void> {
  const invite = parseInvite(link);
  if (!invite || !URL.canParse(link)) throw new Error('--connect: expected a whole invite link');
  if (invite.offer)
    throw new Error('--connect: this link needs a text to be carried back, which a browser does: open it in one');
  if (!(waitMs >= 0)) throw new Error('--wait: expected a number of seconds');
  const files = await pictureFiles(place);
  if (files.length === 1) await readImage(files[0]);
  installWebRtc();
  const answers = new Answers(json);
  const onEvent = (event: SessionEvent) => {
    if (event.type === 'progress') answers.progress(event);
  };
  const { server, iceServers } = await introductionOf(link, linkServers);
  let publicBlocks: number | undefined;
  const options = { server, iceServers, onEvent, waitMs, otChecks };
  const work = async (session: ClientSession) => {
    publicBlocks = session.manifest.publicPart?.blocks;
    // After a connection that broke, with what is left.
    for await (const each of classifyEach(session, files, answers.all.length)) answers.add(each);
    return session.report();
  };
  const report = await answers.orWhatThereIs(withOwner(invite, options, work));
  answers.write({ publicBlocks, correlations: report.correlations, layers: report.layers });
  process.exit(0); // the native WebRTC library keeps the process alive otherwise
}

/** What the comparison with the plaintext model, or nothing, adds to the answers. */
interface Facts {
  readonly correlations: SessionReport['correlations'];
  readonly layers: SessionReport['layers'];
  readonly model?: string;
  /** Blocks that the client computed itself, of a model that has a public part. */
  readonly publicBlocks?: number | undefined;
  readonly plaintextLogits?: number[][];
  readonly maxAbsLogitError?: number;
  readonly sameLabelAsPlaintext?: number;
  readonly peakMemoryMiB?: { client: number; owner: number };
  readonly plannedMemoryMiB?: number;
}

/** What was found out about each picture, told as it comes, and at the end all together. */
class Answers {
  readonly all: (Classified | Unreadable)[] = [];

  constructor(private readonly isJson: boolean) {}

  get classified(): Classified[] {
    return this.all.filter((each) => 'classification' in each);
  }

  progress({ phase, fraction, label }: { phase: string; fraction: number; label: string }): void {
    if (!this.isJson) process.stderr.write(`\r${phase} ${Math.round(100 * fraction)} % ${label.padEnd(40)}`);
  }

  add(each: Classified | Unreadable): void {
    this.all.push(each);
    if (this.isJson) return;
    if ('unreadable' in each) process.stdout.write(`\n${each.unreadable}\n`);
    else process.stdout.write(`\n${each.file}: ${labelOf(each.classification)}\n`);
  }

  /** As JSON all answers wait for the end. One that comes early takes none with it: each was computed, and counts with the owner. */
  async orWhatThereIs<T>(rest: Promise<T>): Promise<T> {
    try {
      return await rest;
    } catch (error) {
      if (this.isJson && this.all.length > 0) {
        const images = this.all.map((each) => ('unreadable' in each ? each : flat(each)));
        process.stdout.write(`${JSON.stringify({ images, error: (error as Error).message })}\n`);
      }
      throw error;
    }
  }

  /** @throws Error when no picture could be read. */
  write({ plaintextLogits = [], ...facts }: Facts): void {
    const { classified } = this;
    if (classified.length === 0) throw new Error('none of the files is a picture');
    if (this.isJson) {
      let next = 0;
      const images = this.all.map((each) =>
        'unreadable' in each ? each : withPlaintext(flat(each), plaintextLogits[next++]),
      );
      // Of a single picture the figures stand at the top.
      const result = images.length === 1 ? { ...images[0], ...facts } : { images, ...facts };
      process.stdout.write(`${JSON.stringify(result)}\n`);
      return;
    }
    if (facts.maxAbsLogitError !== undefined) {
      if (this.all.length > 1)
        process.stdout.write(`\nthe plaintext model’s label: ${facts.sameLabelAsPlaintext} of ${classified.length}\n`);
      process.stdout.write(`largest logit difference to the plaintext model: ${facts.maxAbsLogitError.toFixed(4)}\n`);
    }
    process.stdout.write(`correlations: ${facts.correlations}\n`);
    if (facts.publicBlocks !== undefined)
      process.stdout.write(
        `public: patch embedding and the first ${facts.publicBlocks} blocks, which the client computed itself\n`,
      );
    if (classified.length > 1) process.stdout.write(`mean of ${classified.length} pictures; setup once for all\n`);
    writePhases(meanPhases(classified));
    const { peakMemoryMiB: peak, plannedMemoryMiB: planned } = facts;
    if (peak)
      process.stdout.write(
        `memory of the processes: client ${peak.client} MiB, owner ${peak.owner} MiB; the plan holds at most ${planned} MiB\n`,
      );
  }
}

const flat = ({ file, classification: { label, labelIndex, logits }, phases }: Classified) => ({
  ...{ file, label, labelIndex, logits, phases },
});

const withPlaintext = <T extends object>(answer: T, logits: number[] | undefined) =>
  logits ? { ...answer, plaintextLogits: logits } : answer;

const labelOf = ({ label, labelIndex, probabilities }: Classified['classification']): string =>
  probabilities.length > 0 ? `${label} (${(100 * probabilities[labelIndex]).toFixed(1)} %)` : label;

/** Of each phase the mean over the pictures. Set-up happens once, so it is the same in each. */
function meanPhases(classified: readonly Classified[]): SessionReport['phases'] {
  const mean = (phase: Phase) => {
    const meters = classified.map(({ phases }) => phases[phase]);
    const entries = Object.keys(meters[0]) as (keyof PhaseMeter)[];
    return Object.fromEntries(
      entries.map((key) => [key, meters.reduce((sum, meter) => sum + meter[key], 0) / meters.length]),
    ) as unknown as PhaseMeter;
  };
  return { setup: mean('setup'), offline: mean('offline'), online: mean('online') };
}

function writePhases(phases: SessionReport['phases']): void {
  for (const [phase, { elapsedMs, bytesClientToOwner, bytesOwnerToClient, flights }] of Object.entries(phases)) {
    process.stdout.write(
      `${phase.padEnd(8)} ${(elapsedMs / 1000).toFixed(2).padStart(8)} s  client → owner ${mib(bytesClientToOwner)}  owner → client ${mib(bytesOwnerToClient)}  ${flights} flights\n`,
    );
  }
}

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(2).padStart(8)} MiB`;

/** Starts both, passes their signaling on, and ends both when either fails. */
async function runParties(
  clientTask: PartyTask,
  ownerTask: PartyTask,
  answers: Answers,
): Promise<{ client: PartyResult; owner: PartyResult }> {
  const script = fileURLToPath(new URL('lib/party.ts', import.meta.url));
  const children = { client: fork(script), owner: fork(script) };
  const result = (name: 'client' | 'owner', child: ChildProcess, peer: ChildProcess) =>
    new Promise<PartyResult>((resolve, reject) => {
      child.on('message', (message: PartyMessage) => {
        if ('signal' in message) peer.send(message);
        else if ('result' in message) resolve(message.result);
        else if ('failed' in message) reject(new Error(`${name}: ${message.failed}`));
        else if ('answered' in message) answers.add(message.answered);
        else if (name === 'client') answers.progress(message.progress);
      });
      child.on('exit', (code) => reject(new Error(`${name}: ended early (${code})`)));
    });
  try {
    const results = Promise.all([
      result('client', children.client, children.owner),
      result('owner', children.owner, children.client),
    ]);
    children.client.send(clientTask);
    children.owner.send(ownerTask);
    const [client, owner] = await results;
    return { client, owner };
  } finally {
    for (const child of Object.values(children)) child.kill();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
});
