/**
 * The exporter's one-file artifact, a zip of the folder (docs/artifact.md). It may be a stranger's, so nothing that it says of itself is
 * believed: it is unpacked piece by piece, and ends where a member is longer than its kind may be, stands there twice, or members have no end.
 */
import { Unzip, type UnzipFile, UnzipInflate } from 'fflate';
import { fileLimits, type OwnerFileName } from '../../../protocols/inference/fileLimits.ts';

/** It is no such file, or a damaged one; the message says what is wrong. */
export class BundleError extends Error {}

/** A piece of this size unpacks to 64 MiB at most: deflate's factor is below 1032. */
const pieceBytes = 2 ** 16;
/** Twenty times what the exporter writes: some files, and samples. */
const maxMembers = 1024;

const isWanted = (name: string): name is OwnerFileName => Object.hasOwn(fileLimits, name);

/**
 * The owner's files among a bundle's members.
 * @throws BundleError
 */
export async function readBundle(bundle: Blob): Promise<File[]> {
  const found = new Map<OwnerFileName, { pieces: Uint8Array<ArrayBuffer>[]; bytes: number; isWhole: boolean }>();
  let members = 0;
  const unzip = new Unzip((member: UnzipFile) => {
    if (++members > maxMembers) throw new BundleError(`more than ${maxMembers} files are in it`);
    const { name } = member;
    if (!isWanted(name)) return;
    if (found.has(name)) throw new BundleError(`${name} is in it twice`);
    const into = { pieces: [] as Uint8Array<ArrayBuffer>[], bytes: 0, isWhole: false };
    found.set(name, into);
    member.ondata = (error, piece, isLast) => {
      if (error) throw new BundleError(`${name} cannot be unpacked: ${error.message}`);
      into.bytes += piece.length;
      if (into.bytes > fileLimits[name])
        throw new BundleError(`${name} is longer than ${fileLimits[name]} bytes, which is the most that is read`);
      into.pieces.push(piece as Uint8Array<ArrayBuffer>);
      into.isWhole = isLast;
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
  if (members === 0) throw new BundleError('it is no zip file');
  for (const [name, { isWhole }] of found) if (!isWhole) throw new BundleError(`${name} is cut off`);
  return [...found].map(([name, { pieces }]) => new File(pieces, name));
}
