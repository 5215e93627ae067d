/**
 * The handshake: both sides say their version; the owner sends its manifest, what it lets the client learn, and the hash of the plan
 * that it compiled; the client compiles the same, which is untrusted, and compares.
 */
import { hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Channel } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import { type Budget, requireAffordable } from './limits.ts';
import { type Manifest, maxManifestBytes, parseManifest } from './manifest.ts';
import type { OwnerModel } from './model.ts';
import { type Answer, compilePlan, type Plan } from './plan.ts';

/** Changes whenever the two sides' messages do. */
export const protocolVersion = 14;
const magic = 0x54474c42; // "BLGT" in little endian

/** Set in the version's word by a side that asks for consistency checks; a version knows no other bits. */
const checksFlag = 0x80000000;

/** What the two sides agreed on. */
export interface Agreement {
  /** Whether the oblivious transfers are checked: when either side asks. */
  readonly otChecks: boolean;
}

/** On the wire, by position. */
const answers: readonly Answer[] = ['logits', 'label'];

/**
 * The client's side.
 * @param otChecks whether this side asks for consistency checks of the oblivious transfers
 * @returns the plan of the owner's manifest, and what was agreed on.
 * @throws ProtocolError `version`, `manifest` or `plan` when the two sides do not fit together.
 */
export async function greetOwner(
  channel: Channel,
  { otChecks = false, budget }: { otChecks?: boolean | undefined; budget?: Budget | undefined } = {},
): Promise<Agreement & { plan: Plan }> {
  channel.send(hello(otChecks));
  const agreement = agree(await channel.receive(8), otChecks);
  const length = new DataView((await channel.receive(4)).slice().buffer).getUint32(0, true);
  if (length > maxManifestBytes)
    throw new ProtocolError(
      'manifest',
      'handshake',
      `the manifest has ${length} bytes, at most ${maxManifestBytes} are read`,
    );
  const json = new TextDecoder().decode(await channel.receive(length));
  const answer = answers[(await channel.receive(1))[0]];
  if (!answer) throw new ProtocolError('value', 'handshake', 'the owner offers an answer of an unknown kind');
  const theirHash = await channel.receive(32);
  const plan = compileUntrusted(parseManifest(json), answer, budget);
  const ourHash = hexToBytes(plan.hash);
  if (theirHash.some((byte, i) => byte !== ourHash[i])) {
    throw new ProtocolError(
      'plan',
      'handshake',
      'the two sides compile the manifest to different plans; reload both tabs',
    );
  }
  return { ...agreement, plan };
}

/** The owner's side. @throws ProtocolError `version` when the client runs another version. */
export async function greetClient(channel: Channel, model: OwnerModel, otChecks = false): Promise<Agreement> {
  const theirs = await channel.receive(8);
  channel.send(hello(otChecks));
  let agreement: Agreement;
  try {
    agreement = agree(theirs, otChecks);
  } catch (error) {
    await channel.flush().catch(() => {}); // by this hello the client can say what is wrong
    throw error;
  }
  const manifest = utf8ToBytes(model.manifestJson);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, manifest.length, true);
  channel.send(length);
  channel.send(manifest);
  channel.send(Uint8Array.of(answers.indexOf(model.plan.answer)));
  channel.send(hexToBytes(model.plan.hash));
  await channel.flush();
  return agreement;
}

function hello(otChecks: boolean): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, magic, true);
  new DataView(bytes.buffer).setUint32(4, protocolVersion + (otChecks ? checksFlag : 0), true);
  return bytes;
}

function agree(bytes: Uint8Array, otChecks: boolean): Agreement {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  if (view.getUint32(0, true) !== magic)
    throw new ProtocolError('version', 'handshake', 'the other side does not speak this protocol');
  const word = view.getUint32(4, true);
  const asks = word >= checksFlag;
  const theirs = asks ? word - checksFlag : word;
  if (theirs !== protocolVersion) {
    throw new ProtocolError(
      'version',
      'handshake',
      `this side runs version ${protocolVersion} of the protocol, the other version ${theirs}; reload both tabs`,
    );
  }
  return { otChecks: otChecks || asks };
}

/** @throws ProtocolError `manifest` when the scales do not make a plan, or one that costs too much. */
function compileUntrusted(manifest: Manifest, answer: Answer, budget?: Budget): Plan {
  let plan: Plan;
  try {
    plan = compilePlan(manifest, answer);
  } catch (error) {
    throw new ProtocolError('manifest', 'handshake', (error as Error).message);
  }
  requireAffordable(plan, budget);
  return plan;
}
