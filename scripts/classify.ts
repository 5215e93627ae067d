/**
 * npm run classify -- --image FILE [--model NAME|PATH] [--transport memory|webrtc] [--rtt MS] [--mbps N] [--json]
 * npm run classify -- --image FILE --connect LINK [--wait SECONDS] [--json]
 * Both parties as processes of this machine; with an invite link only the client, whose owner is at the other end.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseInvite } from '../client/src/pairing/invite.ts';
import type { SessionEvent, SessionReport } from '../protocols/index.ts';
import { classifyAt } from './lib/headlessClient.ts';
import { readImage } from './lib/images.ts';
import { defaultModel, modelFolder } from './lib/models.ts';
import { installWebRtc } from './lib/nodeWebRtc.ts';
import { readOptions } from './lib/options.ts';
import type { PartyMessage, PartyResult, PartyTask } from './lib/party.ts';

const usage = `npm run classify -- --image FILE [--model NAME|PATH] [--transport memory|webrtc] [--rtt MS] [--mbps N] [--json]
       npm run classify -- --image FILE --connect LINK [--wait SECONDS] [--json]`;

async function main(): Promise<void> {
  const values = readOptions(usage, {
    image: { type: 'string' },
    model: { type: 'string', default: defaultModel },
    transport: { type: 'string', default: 'memory' },
    rtt: { type: 'string', default: '0' },
    mbps: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
    connect: { type: 'string' },
    wait: { type: 'string', default: '0' },
  });
  const { image, model, transport, json } = values;
  const [rttMs, mbps] = [Number(values.rtt), Number(values.mbps)];
  if (!image || (transport !== 'memory' && transport !== 'webrtc') || !(rttMs >= 0) || !(mbps >= 0))
    throw new Error(`usage: ${usage}`);
  if (values.connect !== undefined) return connect(values.connect, image, 1000 * Number(values.wait), json);
  await modelFolder(model);
  await access(image).catch(() => {
    throw new Error(`${image}: no such file`);
  });

  const task = { transport, model, image, rttMs, mbps } as const;
  const { client, owner } = await runParties({ ...task, party: 'client' }, { ...task, party: 'owner' }, json);
  const { classification, plaintextLogits, report } = client as Required<PartyResult>;
  const result = {
    model,
    label: classification.label,
    labelIndex: classification.labelIndex,
    logits: classification.logits,
    plaintextLogits,
    maxAbsLogitError: Math.max(...classification.logits.map((logit, i) => Math.abs(logit - plaintextLogits[i]))),
    correlations: report.correlations,
    phases: report.phases,
    layers: report.layers,
    peakMemoryMiB: { client: client.peakMemoryMiB, owner: owner.peakMemoryMiB },
    plannedMemoryMiB: client.plannedMemoryMiB,
  };
  if (json) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const percent = (p: number) => `${(100 * p).toFixed(1)} %`;
  process.stdout.write(`\n${result.label} (${percent(classification.probabilities[classification.labelIndex])})\n`);
  process.stdout.write(`largest logit difference to the plaintext model: ${result.maxAbsLogitError.toFixed(4)}\n`);
  process.stdout.write(
    `correlations: ${result.correlations}${result.correlations === 'dealer' ? ' (NOT PRIVATE YET)' : ''}\n`,
  );
  writePhases(result.phases);
  const { peakMemoryMiB, plannedMemoryMiB } = result;
  process.stdout.write(
    `memory of the processes: client ${peakMemoryMiB.client} MiB, owner ${peakMemoryMiB.owner} MiB; the plan holds at most ${plannedMemoryMiB} MiB\n`,
  );
}

function writePhases(phases: SessionReport['phases']): void {
  for (const [phase, { elapsedMs, bytesClientToOwner, bytesOwnerToClient, flights }] of Object.entries(phases)) {
    process.stdout.write(
      `${phase.padEnd(8)} ${(elapsedMs / 1000).toFixed(2).padStart(8)} s  client → owner ${mib(bytesClientToOwner)}  owner → client ${mib(bytesOwnerToClient)}  ${flights} flights\n`,
    );
  }
}

/** As a client of an owner elsewhere: another's page, or `npm run owner`. */
async function connect(link: string, file: string, waitMs: number, json: boolean): Promise<void> {
  const invite = parseInvite(link);
  if (!invite || !URL.canParse(link)) throw new Error('--connect: expected a whole invite link');
  if (!(waitMs >= 0)) throw new Error('--wait: expected a number of seconds');
  const image = await readImage(file);
  installWebRtc();
  const onEvent = (event: SessionEvent) => {
    if (!json && event.type === 'progress')
      process.stderr.write(`\r${event.phase} ${Math.round(100 * event.fraction)} % ${event.label.padEnd(40)}`);
  };
  const server = new URL('/', link).href;
  const { report, ...classification } = await classifyAt(invite, image, { server, onEvent, waitMs });
  if (json) {
    const { label, labelIndex, logits } = classification;
    const { correlations, phases, layers } = report;
    process.stdout.write(`${JSON.stringify({ label, labelIndex, logits, correlations, phases, layers })}\n`);
  } else {
    process.stdout.write(`\n${classification.label}\n`);
    writePhases(report.phases);
  }
  process.exit(0); // the native WebRTC library keeps the process alive otherwise
}

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(2).padStart(8)} MiB`;

/** Starts both, passes their signaling on, and ends both when either fails. */
async function runParties(
  clientTask: PartyTask,
  ownerTask: PartyTask,
  quiet: boolean,
): Promise<{ client: PartyResult; owner: PartyResult }> {
  const script = fileURLToPath(new URL('lib/party.ts', import.meta.url));
  const children = { client: fork(script), owner: fork(script) };
  const result = (name: 'client' | 'owner', child: ChildProcess, peer: ChildProcess) =>
    new Promise<PartyResult>((resolve, reject) => {
      child.on('message', (message: PartyMessage) => {
        if ('signal' in message) peer.send(message);
        else if ('result' in message) resolve(message.result);
        else if ('failed' in message) reject(new Error(`${name}: ${message.failed}`));
        else if (!quiet && name === 'client') {
          const { phase, fraction, label } = message.progress;
          process.stderr.write(`\r${phase} ${Math.round(100 * fraction)} % ${label.padEnd(40)}`);
        }
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
