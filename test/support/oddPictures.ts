/** The table of odd picture files (test/vectors/pictures.py), which the tab, Node and the exporter are held to. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { PictureProblem } from '../../client/src/worker/pictureFile.ts';
import table from '../vectors/pictures.json' with { type: 'json' };

export interface OddPicture {
  file: string;
  /** To be inserted after a JPEG's first marker. */
  metadataBytes?: number;
  /** side × side × 3 bytes, base64; or why the file is refused. */
  rgb?: string;
  problem?: PictureProblem;
}

export const side = table.side;
export const oddPictures = table.cases as OddPicture[];
/** Of 255. */
export const largestDifference = 2;

export async function readOddPicture({ file, metadataBytes = 0 }: OddPicture): Promise<Buffer> {
  const bytes = await readFile(path.join(import.meta.dirname, '../vectors/pictures', file));
  const metadata: Buffer[] = [];
  // JPEG comments of the largest length that one can have.
  for (let rest = metadataBytes; rest > 0; rest -= 65_533) {
    const length = Math.min(rest, 65_533);
    const comment = Buffer.alloc(length + 4);
    comment.writeUInt16BE(0xfffe);
    comment.writeUInt16BE(length + 2, 2);
    metadata.push(comment);
  }
  return Buffer.concat([bytes.subarray(0, 2), ...metadata, bytes.subarray(2)]);
}

/** The largest of any value; NaN, which no bound admits, when there are more or fewer. */
export function difference(seen: ArrayLike<number>, { rgb = '' }: OddPicture): number {
  const expected = Buffer.from(rgb, 'base64');
  if (seen.length !== expected.length) return Number.NaN;
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - seen[i])), 0);
}
