/**
 * The exporter's one-file artifact, a zip of the folder (docs/artifact.md). It may be a stranger's, so nothing that it says of itself is
 * believed: it is unpacked piece by piece, and ends where a member is longer than its kind may be, stands there twice, or members have no end.
 */
import { Unzip, type UnzipFile, UnzipInflate } from 'fflate';
import * as v from 'valibot';
import { fileLimits, type OwnerFileName } from '../../../protocols/inference/fileLimits.ts';
import { type OwnSample, sampleLimits } from './ownSamples.ts';

/** It is no such file, or a damaged one; the message says what is wrong. */
export class BundleError extends Error {}

/** A piece of this size unpacks to 64 MiB at most: deflate's factor is below 1032. */
const pieceBytes = 2 ** 16;
/** Twenty times what the exporter writes: some files, and samples. */
const maxMembers = 1024;

const samplesFolder = 'samples/';
/** Pictures do not shrink when packed: what unpacks to much more than all that is read is no picture. */
const maxSamplesUnpacked = 4 * sampleLimits.pictures * sampleLimits.pictureBytes;
const Text = v.pipe(
  v.string(),
  v.transform((text) => text.slice(0, sampleLimits.textLength)),
);
const SampleIndex = v.array(v.object({ file: v.string(), label: Text, source: Text }));

const isWanted = (name: string): name is OwnerFileName => Object.hasOwn(fileLimits, name);

/**
 * The owner's files among a bundle's members.
 * @throws BundleError
 */
export async function readBundle(bundle: Blob): Promise<File[]> {
  const { found, members } = await unpack(bundle, isWanted, (name, bytes) => {
    if (bytes > fileLimits[name])
      throw new BundleError(`${name} is longer than ${fileLimits[name]} bytes, which is the most that is read`);
    return true;
  });
  if (members === 0) throw new BundleError('it is no zip file');
  for (const [name, { isWhole }] of found) if (!isWhole) throw new BundleError(`${name} is cut off`);
  return [...found].map(([name, { pieces }]) => new File(pieces, name));
}

/**
 * The sample pictures among a bundle's members, with what `samples.json` says of them. A model is none the worse for its samples: those that
 * are too long, damaged or one too many are left out, and nothing is thrown.
 */
export async function readSamples(bundle: Blob): Promise<OwnSample[]> {
  const index = `${samplesFolder}samples.json`;
  let unpackedBytes = 0;
  const isSample = (name: string): name is string => name.startsWith(samplesFolder);
  try {
    const { found } = await unpack(bundle, isSample, (name, bytes, pieceBytes) => {
      unpackedBytes += pieceBytes;
      if (unpackedBytes > maxSamplesUnpacked) throw new BundleError('its samples have no end');
      return bytes <= (name === index ? sampleLimits.listBytes : sampleLimits.pictureBytes);
    });
    const list = v.parse(SampleIndex, JSON.parse(await new Blob(found.get(index)?.pieces).text()));
    return list
      .flatMap(({ file, label, source }) => {
        const member = found.get(`${samplesFolder}${file}`);
        return member?.isWhole && member.bytes > 0 ? [{ label, source, file: new Blob(member.pieces) }] : [];
      })
      .slice(0, sampleLimits.pictures);
  } catch {
    return [];
  }
}

interface Member {
  pieces: Uint8Array<ArrayBuffer>[];
  bytes: number;
  isWhole: boolean;
}

/**
 * Unpacks the members that are wanted, piece by piece.
 * @param takes told of each piece before it is kept, with the member's bytes so far; without its yes the member is dropped. May throw.
 * @throws BundleError
 */
async function unpack<Name extends string>(
  bundle: Blob,
  isWanted: (name: string) => name is Name,
  takes: (name: Name, bytes: number, pieceBytes: number) => boolean,
): Promise<{ found: Map<Name, Member>; members: number }> {
  const found = new Map<Name, Member>();
  let members = 0;
  const unzip = new Unzip((member: UnzipFile) => {
    if (++members > maxMembers) throw new BundleError(`more than ${maxMembers} files are in it`);
    const { name } = member;
    if (!isWanted(name)) return;
    if (found.has(name)) throw new BundleError(`${name} is in it twice`);
    const into: Member = { pieces: [], bytes: 0, isWhole: false };
    found.set(name, into);
    member.ondata = (error, piece, isLast) => {
      if (error) throw new BundleError(`${name} cannot be unpacked: ${error.message}`);
      into.bytes += piece.length;
      if (takes(name, into.bytes, piece.length)) {
        into.pieces.push(piece as Uint8Array<ArrayBuffer>);
        into.isWhole = isLast;
      } else [into.pieces, into.isWhole] = [[], false];
    };
    member.start();
  });
  unzip.register(UnzipInflate);
  try {
    for (let at = 0; at < bundle.size; at += pieceBytes) {
      const piece = await bundle.slice(at, at + pieceBytes).arrayBuffer();
      unzip.push(new Uint8Array(piece), at + pieceBytes >= bundle.size);
    }
  } catch (error) {
    throw error instanceof BundleError ? error : new BundleError((error as Error).message);
  }
  return { found, members };
}
